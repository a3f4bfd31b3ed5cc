"""What people read and do on the pages, as each of the cast."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from inference.contract import FinishReason, Piece, Usage
from release_portal.access.models import Grant
from release_portal.access.services import suspend_grant
from release_portal.accounts.models import ApiToken
from release_portal.audit.models import AuditEvent
from release_portal.core.clock import now
from release_portal.jobs import relay
from release_portal.jobs.models import Job
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Hold, Narrowing, Standing
from tests.fakes import deliver, finish

HERE = ["huggingfacetb", "smollm2-135m-instruct"]
PLAYGROUND = reverse("playground", args=HERE)
MOVE = reverse("size-move", args=HERE)
PROMPT = {"prompt": "The unicorns", "temperature": "0.7", "max_tokens": "8", "submit_key": "one"}
ClientOf = Callable[[str], Any]


def text_of(response: Any) -> str:
    """What a reader sees, without tags and doubled spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def hidden_version(response: Any) -> str:
    """The version that a form on the page was made for."""
    found = re.search(r'name="expected_version" value="(\d+)"', response.content.decode())
    assert found
    return found[1]


def generate(client: Any, **more: Any) -> Any:
    return client.post(PLAYGROUND, {**PROMPT, **more})


def job_of(world: Any, **more: Any) -> Job:
    """A settled generation of cleo's."""
    at = now()
    values: dict[str, Any] = {
        "account": world.people["cleo"],
        "size": world.size,
        "grant": world.grants["cleo"],
        "function": "generate",
        "interface": "web",
        "state": "done",
        "finish_reason": "length",
        "stage": "research_hosted",
        "policy_version": "1",
        "card_version": 1,
        "weights_digest": "d" * 64,
        "sampling": {"max_tokens": 8, "temperature": 0.5, "seed": 4711, "stop": ["\n"]},
        "sealed_prompt": Job.sealed("The unicorns"),
        "sealed_output": Job.sealed('[{"text": " <b>ran</b>", "tokens": 2, "finish": "length"}]'),
        "quota_holder": f"grant:{world.grants['cleo'].pk}",
        "quota_day": at.date(),
        "created_at": at,
        "permit_ends_at": at,
        "ended_at": at,
    }
    return Job.objects.create(**{**values, **more})


class TestCatalogue:
    def test_an_anonymous_visitor_sees_families_and_their_sizes(self, client_of: ClientOf) -> None:
        page = client_of("anonymous").get("/")
        assert page.status_code == 200
        assert "GPT-2 124M" in text_of(page)
        assert "not in this portal" in text_of(page)

    def test_an_anonymous_visitor_does_not_see_registered_sizes(self, world: Any, client_of: ClientOf) -> None:
        hidden = ModelSize.objects.filter(standing__stage="registered").first()
        if hidden is None:
            hidden = ModelSize.objects.get(slug="openai/gpt2-1558m")
            Standing.objects.filter(size=hidden).update(stage="registered")
        address = reverse("size", args=[hidden.lab_slug, hidden.size_slug])
        stranger, staff = client_of("anonymous"), client_of("ada")
        assert hidden.name not in text_of(stranger.get("/"))
        assert hidden.name not in text_of(stranger.get(reverse("family", args=[hidden.family.slug])))
        assert [stranger.get(address + page).status_code for page in ("", "card/", "timeline/", "playground/")] == [
            404
        ] * 4
        assert stranger.get(reverse("size-alias", args=[hidden.aliases.first().name])).status_code == 404
        assert hidden.name in text_of(staff.get("/"))
        assert staff.get(address).status_code == 200

    def test_search_finds_by_alias_and_says_when_nothing_matches(self, client_of: ClientOf) -> None:
        client = client_of("anonymous")
        assert "GPT-2 1558M" in text_of(client.get("/", {"q": "gpt2-xl"}))
        assert "GPT-2 124M" not in text_of(client.get("/", {"q": "gpt2-xl"}))
        assert "No size matches." in text_of(client.get("/", {"q": "zebra", "stage": "partner"}))
        assert client.get("/", {"q": "a\x00b", "stage": "nonsense"}).status_code == 200

    def test_a_family_without_visible_sizes_is_not_there(self, client_of: ClientOf) -> None:
        Standing.objects.filter(size__family__slug="opt").update(stage="registered")
        assert client_of("finn").get(reverse("family", args=["opt"])).status_code == 404


class TestSize:
    def test_it_says_what_you_may_do_and_why_not(self, client_of: ClientOf) -> None:
        page = text_of(client_of("finn").get(reverse("size", args=HERE)))
        assert "You hold no grant for this size." in page
        assert "Apply for access to this size." in page
        assert "policy 1: stage research_hosted x generate" in page

    def test_a_hold_is_marked_with_its_reason(self, world: Any, client_of: ClientOf) -> None:
        Hold.objects.create(size=world.size, reason="A case is open.", raised_by="ben", raised_at=now())
        page = text_of(client_of("anonymous").get(reverse("size", args=HERE)))
        assert "Held" in page
        assert "A case is open." in page

    @pytest.mark.parametrize("name", ["gpt2-xl", "1.5b"])
    def test_an_alias_leads_to_the_size(self, client_of: ClientOf, name: str) -> None:
        answer = client_of("anonymous").get(reverse("size-alias", args=[name]))
        assert answer["Location"] == "/sizes/openai/gpt2-1558m/"

    def test_an_alias_with_a_slash_leads_to_the_size(self, client_of: ClientOf) -> None:
        assert client_of("anonymous").get("/sizes/facebook/opt-125m/")["Location"] == "/sizes/meta/opt-125m/"

    def test_the_card_cannot_carry_a_script(self, world: Any, client_of: ClientOf) -> None:
        card = world.size.card_versions.first()
        bad = "---\nlicense: mit\n---\n# Card\n\n<script>alert(1)</script>\n\n[x](javascript:alert(2)) **bold**"
        world.size.card_versions.filter(pk=card.pk).update(text=bad)
        body = client_of("anonymous").get(reverse("size-card", args=HERE)).content.decode()
        assert "<script>alert" not in body
        assert 'href="javascript' not in body
        assert "<strong>bold</strong>" in body
        assert "<h2>Card</h2>" in body

    def test_a_version_of_the_card_that_is_not_there_is_404(self, client_of: ClientOf) -> None:
        client = client_of("anonymous")
        assert client.get(reverse("size-card", args=HERE), {"version": "1"}).status_code == 200
        assert client.get(reverse("size-card", args=HERE), {"version": "9"}).status_code == 404


class TestPlaygroundRefusals:
    @pytest.mark.parametrize(
        ("name", "reason", "change"),
        [
            ("anonymous", "you need an account", "Sign in, or create an account."),
            ("finn", "You hold no grant for this size.", "Apply for access to this size."),
            ("dan", "Your grant ended on", "Ask for a renewal, or apply again."),
            ("eve", "Your grant is suspended: Unusual volume", "It can be lifted by a duty officer"),
        ],
    )
    def test_each_is_told_why_and_what_would_change_it(
        self, client_of: ClientOf, name: str, reason: str, change: str
    ) -> None:
        page = client_of(name).get(PLAYGROUND)
        assert page.status_code == 403
        assert reason in text_of(page)
        assert change in text_of(page)
        assert "x generate" in text_of(page)
        assert b"<textarea" not in page.content

    def test_who_is_suspended_is_led_to_the_appeal_and_nobody_else(self, client_of: ClientOf, world: Any) -> None:
        suspension = world.grants["eve"].suspensions.get()
        address = reverse("appeal-new", args=[f"grant:{world.grants['eve'].pk}:suspension:{suspension.pk}"])
        assert address in client_of("eve").get(PLAYGROUND).content.decode()
        for name in ("anonymous", "finn", "dan"):
            assert "/appeals/" not in client_of(name).get(PLAYGROUND).content.decode().split("</nav>")[-1]

    def test_the_anonymous_visitor_gets_a_way_to_sign_in_and_back(self, client_of: ClientOf) -> None:
        page = client_of("anonymous").get(PLAYGROUND).content.decode()
        assert f"{reverse('account_login')}?next={PLAYGROUND}" in page

    def test_a_size_that_is_stopped_answers_not_now(self, world: Any, client_of: ClientOf) -> None:
        Hold.objects.create(
            size=world.size, level="R5", stops_use=True, reason="SEV4", raised_by="ben", raised_at=now()
        )
        assert client_of("cleo").get(PLAYGROUND).status_code == 409


class TestPlayground:
    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("prompt", "  ", "The prompt is empty."),
            ("temperature", "-1", "must lie between 0 and 2"),
            ("samples", "many", "write a whole number between 1 and 4"),
            ("max_tokens", "1e400", "write a whole number"),
            ("stop", "a\nb\nc\nd\ne", "at most 4 texts"),
            ("prompt", "word " * 2000, "tokens"),
        ],
    )
    def test_a_wrong_field_is_named_and_everything_typed_is_kept(
        self, client_of: ClientOf, field: str, value: str, words: str
    ) -> None:
        page = generate(client_of("cleo"), **{"seed": "77", field: value})
        assert page.status_code == 400
        assert words in text_of(page)
        assert f'id="id_{field}_error"' in page.content.decode()
        assert 'value="77"' in page.content.decode()
        assert Job.objects.count() == 0

    def test_without_a_worker_the_text_is_kept_and_nothing_is_stored(self, client_of: ClientOf) -> None:
        page = generate(client_of("cleo"))
        assert page.status_code == 503
        assert "The unicorns" in page.content.decode()
        assert "Nothing was stored or charged." in text_of(page)
        assert Job.objects.count() == 0

    def test_a_refusal_while_the_form_was_open_keeps_the_text(self, world: Any, client_of: ClientOf) -> None:
        client, grant = client_of("cleo"), world.grants["cleo"]
        client.get(PLAYGROUND)
        suspend_grant(world.actor("ben"), grant.pk, reason="Volume.", expected_version=grant.version, at=now())
        page = generate(client)
        assert page.status_code == 403
        assert "Your grant is suspended: Volume." in text_of(page)
        assert "The unicorns" in page.content.decode()

    @pytest.mark.usefixtures("world", "service")
    def test_a_submission_leads_to_its_permalink_and_a_double_click_to_the_same(self, client_of: ClientOf) -> None:
        client = client_of("cleo")
        first, second = generate(client), generate(client)
        assert first.status_code == 303
        assert first["Location"] == second["Location"]
        assert Job.objects.count() == 1

    @pytest.mark.usefixtures("world", "service")
    def test_htmx_gets_the_stream_and_a_fresh_key(self, client_of: ClientOf) -> None:
        answer = client_of("cleo").post(PLAYGROUND, PROMPT, headers={"HX-Request": "true"})
        job, body = Job.objects.get(), answer.content.decode()
        assert f'data-stream-url="{reverse("generation-stream", args=[job.pk])}"' in body
        assert 'name="submit_key"' in body
        assert 'value="one"' not in body
        assert "<html" not in body

    def test_htmx_gets_the_form_back_when_it_is_refused(self, client_of: ClientOf) -> None:
        answer = client_of("cleo").post(PLAYGROUND, {**PROMPT, "top_p": "7"}, headers={"HX-Request": "true"})
        assert answer.status_code == 400
        assert answer["HX-Retarget"] == "#playground"
        assert "The unicorns" in answer.content.decode()
        assert "<html" not in answer.content.decode()


class TestGenerations:
    def test_the_permalink_shows_text_and_evidence(self, world: Any, client_of: ClientOf) -> None:
        job = job_of(world)
        page = client_of("cleo").get(reverse("generation", args=[job.pk]))
        assert "&lt;b&gt;ran&lt;/b&gt;" in page.content.decode()
        for words in ("4711", "Research, hosted", "Version 1", "Run again", job.grant.pk):
            assert words in text_of(page)

    def test_nobody_else_can_open_it(self, world: Any, client_of: ClientOf) -> None:
        job = job_of(world)
        for name, status in (("anonymous", 401), ("finn", 404), ("ada", 404)):
            for address in ("generation", "generation-facts", "generation-stream", "generation-again"):
                assert client_of(name).get(reverse(address, args=[job.pk])).status_code == status

    def test_a_run_says_whether_it_equals_the_one_it_repeats(self, world: Any, client_of: ClientOf) -> None:
        first, same = job_of(world), job_of(world)
        other = job_of(world, sealed_output=Job.sealed('[{"text": " sat", "tokens": 1, "finish": "length"}]'))
        client = client_of("cleo")
        assert "equals" in text_of(client.get(reverse("generation", args=[same.pk]), {"of": first.pk}))
        assert "differs" in text_of(client.get(reverse("generation-facts", args=[other.pk]), {"of": first.pk}))

    def test_facts_are_not_there_before_the_end(self, world: Any, client_of: ClientOf) -> None:
        job = job_of(world, state="queued", finish_reason="", sealed_output=None)
        assert client_of("cleo").get(reverse("generation-facts", args=[job.pk])).status_code == 202

    def test_the_history_is_filtered_by_state(self, world: Any, client_of: ClientOf) -> None:
        job_of(world, state="failed", finish_reason="worker_lost", sealed_prompt=Job.sealed("A lost one"))
        job_of(world)
        page = text_of(client_of("cleo").get(reverse("generations"), {"state": "failed"}))
        assert "A lost one" in page
        assert "The unicorns" not in page

    @pytest.mark.usefixtures("world", "service")
    def test_run_again_makes_one_new_generation(self, world: Any, client_of: ClientOf) -> None:
        job, client = job_of(world), client_of("cleo")
        sent = [client.post(reverse("generation-again", args=[job.pk]), {"submit_key": "x"}) for _ in range(2)]
        fresh = Job.objects.exclude(pk=job.pk).get()
        assert {answer["Location"] for answer in sent} == {f"{reverse('generation', args=[fresh.pk])}?of={job.pk}"}
        assert fresh.settings.seed == 4711

    def test_run_again_without_a_worker_says_so_on_the_page(self, world: Any, client_of: ClientOf) -> None:
        job = job_of(world)
        page = client_of("cleo").post(reverse("generation-again", args=[job.pk]), {"submit_key": "x"})
        assert page.status_code == 503
        assert "Try again in a minute" in text_of(page)


@pytest.mark.django_db(transaction=True)
class TestStream:
    def read(self, world: Any, job: Job, *, query: str = "", **headers: str) -> Any:
        from django.test import AsyncClient

        client = AsyncClient(raise_request_exception=False)
        client.force_login(world.people["cleo"], backend="django.contrib.auth.backends.ModelBackend")

        async def fetch() -> tuple[Any, str]:
            answer = await client.get(reverse("generation-stream", args=[job.pk]) + query, headers=headers)
            return answer, "".join([chunk.decode() async for chunk in answer.streaming_content])

        return asyncio.run(fetch())

    def test_it_relays_tokens_and_one_end_with_the_address_of_the_facts(self, world: Any, service: Any) -> None:
        job = job_of(world, state="queued", finish_reason="", sealed_output=None)
        deliver(service, job.pk, Piece(0, " ran", 1))
        second = deliver(service, job.pk, Piece(0, " off", 2), step=2)
        finish(service, job.pk, FinishReason.LENGTH, usage=Usage(2, 2))
        answer, body = self.read(world, job)
        assert answer["Content-Type"].startswith("text/event-stream")
        assert (answer["Cache-Control"], answer["X-Accel-Buffering"]) == ("no-cache", "no")
        assert body.count("event: tokens") == 2
        assert body.count("event: end") == 1
        assert reverse("generation-facts", args=[job.pk]) in body
        _, resumed = self.read(world, job, **{"Last-Event-ID": second})
        assert "event: tokens" not in resumed
        _, whole = self.read(world, job, **{"Last-Event-ID": "nonsense"})
        assert whole.count("event: tokens") == 2

    def test_a_reader_that_comes_back_gets_what_it_lacks_and_nothing_twice(self, world: Any, service: Any) -> None:
        job = job_of(world, state="queued", finish_reason="", sealed_output=None)
        ids = [deliver(service, job.pk, Piece(0, text, step), step=step) for step, text in enumerate(" abc", 1)]
        finish(service, job.pk, FinishReason.LENGTH, usage=Usage(2, 4))
        _, by_page = self.read(world, job, query=f"?last_event_id={ids[1]}")
        assert re.findall(r"id: ([\d-]+)\nevent: tokens", by_page) == ids[2:]
        _, by_browser = self.read(world, job, query=f"?last_event_id={ids[0]}", **{"Last-Event-ID": ids[2]})
        assert re.findall(r"id: ([\d-]+)\nevent: tokens", by_browser) == ids[3:], "the header is the later one"
        assert by_browser.startswith("retry: 1000\n")

    def test_who_comes_back_when_the_stream_is_gone_gets_the_text_that_is_kept(
        self, world: Any, service: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(relay, "BLOCK_MS", 1)
        monkeypatch.setattr(relay, "ROW_CHECK_SECONDS", 0.0)
        _, body = self.read(world, job_of(world), query="?last_event_id=17-3")
        told = re.findall(r"id: (.*)\nevent: (\w+)", body)
        assert told == [("", "output"), ("", "end")], "with the id of an entry that was read they would be repeats"
        assert '"text": " <b>ran</b>"' in body

    def test_a_stopped_end_says_why(self, world: Any, service: Any) -> None:
        job, grant = job_of(world, state="queued", finish_reason=""), Grant.objects.get(pk=world.grants["cleo"].pk)
        suspend_grant(world.actor("ben"), grant.pk, reason="Volume.", expected_version=grant.version, at=now())
        finish(service, job.pk, FinishReason.STOPPED)
        _, body = self.read(world, job)
        assert "Stopped. Your grant is suspended: Volume." in body


class TestMove:
    def test_one_person_rolls_back_and_everyone_reads_it(self, world: Any, client_of: ClientOf) -> None:
        ben = client_of("ben")
        version = hidden_version(ben.get(MOVE))
        said = {"stage": "disclosed", "reason": "Odd output.", "expected_version": version}
        answer = ben.post(MOVE, said)
        assert (answer.status_code, answer["Location"]) == (303, MOVE)
        timeline = text_of(client_of("anonymous").get(reverse("size-timeline", args=HERE)))
        assert "Research, hosted → Disclosed" in timeline
        assert "Odd output." in timeline
        assert "by ben" in timeline
        assert client_of("cleo").get(PLAYGROUND).status_code == 403

    def test_another_person_confirms_a_roll_back_on_the_page_and_the_first_reads_why_not(
        self, world: Any, client_of: ClientOf
    ) -> None:
        ben, olu = client_of("ben"), client_of("olu")
        ben.post(MOVE, {"stage": "partner", "reason": "Odd output.", "expected_version": "1"})
        narrowing = Narrowing.objects.get()
        address = reverse("narrowing-confirm", args=[narrowing.pk])
        assert "You narrowed this size; another person must confirm it." in text_of(ben.get(MOVE))
        assert ben.post(address, {"expected_version": "1"}).status_code == 403
        assert address in olu.get(MOVE).content.decode()
        assert olu.post(address, {"reason": "", "expected_version": "7"}).status_code == 409
        assert olu.post(address, {"reason": "", "expected_version": "1"}).status_code == 303
        assert Standing.objects.get(size=world.size).granted == "partner"
        assert olu.get(address)["Location"] == MOVE

    def test_a_wider_stage_is_proposed_elsewhere_and_refused_here(self, world: Any, client_of: ClientOf) -> None:
        ada = client_of("ada")
        page = ada.get(MOVE).content.decode()
        assert 'value="public_hosted"' not in page
        assert "Propose the next stage" in page
        refused = ada.post(MOVE, {"stage": "public_hosted", "reason": "now", "expected_version": "1"})
        assert refused.status_code == 409
        assert "no single person widens a size" in text_of(refused)

    def test_a_stale_version_keeps_the_text_and_shows_the_new_state(self, world: Any, client_of: ClientOf) -> None:
        ada = client_of("ada")
        version = hidden_version(ada.get(MOVE))
        Standing.objects.filter(size=world.size).update(version=int(version) + 1)
        said = {"stage": "partner", "reason": "My long reason.", "expected_version": version}
        page = ada.post(MOVE, said)
        assert page.status_code == 409
        assert "My long reason." in page.content.decode()
        assert "while this form was open" in text_of(page)
        assert hidden_version(page) == str(int(version) + 1)
        assert Standing.objects.get(size=world.size).stage == "research_hosted"

    def test_a_missing_reason_and_an_unknown_stage_are_named(self, client_of: ClientOf) -> None:
        ada = client_of("ada")
        assert "A reason is needed." in text_of(ada.post(MOVE, {"stage": "partner", "expected_version": "1"}))
        page = ada.post(MOVE, {"stage": "moon", "reason": "x", "expected_version": "1"})
        assert page.status_code == 400
        assert "is not a stage" in text_of(page)
        assert ada.post(MOVE, {"stage": "partner", "reason": "x"}).status_code == 400

    def test_others_are_refused(self, client_of: ClientOf) -> None:
        assert client_of("anonymous").get(MOVE).status_code == 401
        assert client_of("ivy").get(MOVE).status_code == 403
        assert "/move/" not in client_of("cleo").get(reverse("size", args=HERE)).content.decode()


class TestGrants:
    def send(self, client: Any, grant: Grant, command: str, **said: str) -> Any:
        grant.refresh_from_db()
        address = reverse("grant-command", args=[grant.pk, command])
        return client.post(address, {"expected_version": str(grant.version), "reason": "Checked.", **said})

    def test_the_page_says_what_a_grant_opens_before_how_it_is_given_up(self, world: Any, client_of: ClientOf) -> None:
        page = text_of(client_of("cleo").get(reverse("grant", args=[world.grants["cleo"].pk])))
        assert 0 < page.index("What it opens") < page.index("Give this grant up")

    def test_suspended_confirmed_and_lifted_by_pages(self, world: Any, client_of: ClientOf) -> None:
        grant, ben, olu = world.grants["cleo"], client_of("ben"), client_of("olu")
        end = grant.ends_at
        assert self.send(ben, grant, "suspend", reason="Volume.").status_code == 303
        assert "Volume." in text_of(client_of("cleo").get(reverse("grants")))
        assert "Volume." in text_of(olu.get(reverse("home")))
        assert "lapses" in text_of(olu.get(reverse("staff-grants")))
        assert self.send(olu, grant, "confirm").status_code == 303
        assert self.send(olu, grant, "lift", unfounded="on").status_code == 303
        grant.refresh_from_db()
        assert grant.state == "active"
        assert end < grant.ends_at < end + timedelta(minutes=5)

    def test_the_same_officer_reads_why_not_in_place_of_the_form(self, world: Any, client_of: ClientOf) -> None:
        grant, ben = world.grants["cleo"], client_of("ben")
        self.send(ben, grant, "suspend")
        page = ben.get(reverse("grant", args=[grant.pk]))
        assert "You suspended this grant" in text_of(page)
        assert b'id="id_lift_reason"' not in page.content
        for command in ("confirm", "lift"):
            refused = self.send(ben, grant, command, reason="I am sure.")
            assert refused.status_code == 403
            assert f"another officer must {command} it" in text_of(refused)
            assert "I am sure." in refused.content.decode()

    def test_who_is_no_duty_officer_cannot_suspend(self, world: Any, client_of: ClientOf) -> None:
        grant = world.grants["cleo"]
        for name, status in (("ivy", 403), ("cleo", 403), ("finn", 404), ("anonymous", 401)):
            assert self.send(client_of(name), grant, "suspend").status_code == status
        grant.refresh_from_db()
        assert grant.state == "active"

    def test_an_empty_reason_and_a_stale_version_keep_the_page(self, world: Any, client_of: ClientOf) -> None:
        grant, ben = world.grants["cleo"], client_of("ben")
        assert "A reason is needed." in text_of(self.send(ben, grant, "suspend", reason=" "))
        stale = self.send(ben, grant, "suspend", reason="Still here.", expected_version="99")
        assert stale.status_code == 409
        assert "Still here." in stale.content.decode()

    def test_a_holder_sees_only_their_own(self, world: Any, client_of: ClientOf) -> None:
        address = reverse("grant", args=[world.grants["cleo"].pk])
        assert client_of("cleo").get(address).status_code == 200
        assert client_of("dan").get(address).status_code == 404
        assert client_of("ivy").get(address).status_code == 200

    def test_staff_filter_by_state_as_it_counts_now(self, world: Any, client_of: ClientOf) -> None:
        page = text_of(client_of("ivy").get(reverse("staff-grants"), {"state": "expired"}))
        assert world.grants["dan"].pk in page
        assert world.grants["cleo"].pk not in page


class TestAccount:
    def test_a_token_is_shown_once(self, client_of: ClientOf) -> None:
        finn = client_of("finn")
        shown = finn.post(reverse("token-create"), {"name": "notebook", "scopes": ["generate"], "ends_at": ""})
        assert shown["Cache-Control"] == "no-store"
        secret = re.search(r"rp_[\w-]{30,}", shown.content.decode())
        assert secret
        later = finn.get(reverse("account")).content.decode()
        assert secret[0] not in later
        assert "notebook" in later
        token = ApiToken.objects.get()
        assert client_of("cleo").post(reverse("token-revoke", args=[token.pk])).status_code == 404
        assert finn.post(reverse("token-revoke", args=[token.pk])).status_code == 303
        token.refresh_from_db()
        assert token.revoked_at

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({"name": "", "scopes": ["generate"]}, "name"),
            ({"name": "n"}, "scopes"),
            ({"name": "n", "scopes": ["staff:read"]}, "scopes"),
            ({"name": "n", "scopes": ["generate"], "ends_at": "soon"}, "ends_at"),
            ({"name": "n", "scopes": ["generate"], "ends_at": "2001-01-01"}, "ends_at"),
            ({"name": "n", "scopes": ["generate"], "ends_at": "9999-12-31"}, "ends_at"),
        ],
    )
    def test_a_wrong_field_is_named(self, client_of: ClientOf, said: dict[str, Any], field: str) -> None:
        page = client_of("finn").post(reverse("token-create"), said)
        assert page.status_code == 400
        assert f'id="id_{field}_error"' in page.content.decode()
        assert ApiToken.objects.count() == 0


class TestPeople:
    def test_an_administrator_gives_and_takes_a_role(self, world: Any, client_of: ClientOf) -> None:
        ada, finn = client_of("ada"), world.people["finn"]
        address = reverse("person-roles", args=[finn.pk])
        assert ada.post(address, {"change": "give", "role": "operator", "reason": "New."}).status_code == 303
        assert "operator" in text_of(ada.get(reverse("people"), {"q": "finn"}))
        assert client_of("finn").get(reverse("audit")).status_code == 200
        assert ada.post(address, {"change": "take", "role": "operator", "reason": "Left."}).status_code == 303
        assert not finn.role_assignments.exists()

    def test_without_a_reason_nothing_changes_and_the_choice_is_kept(self, world: Any, client_of: ClientOf) -> None:
        finn = world.people["finn"]
        page = client_of("ada").post(reverse("person-roles", args=[finn.pk]), {"change": "give", "role": "board"})
        assert page.status_code == 400
        assert '<option value="board" selected>' in page.content.decode()
        assert not finn.role_assignments.exists()

    def test_the_last_administrator_stays(self, world: Any, client_of: ClientOf) -> None:
        address = reverse("person-roles", args=[world.people["ada"].pk])
        page = client_of("ada").post(address, {"change": "take", "role": "administrator", "reason": "x"})
        assert "The last administrator cannot be removed." in text_of(page)

    def test_it_is_for_administrators(self, client_of: ClientOf) -> None:
        assert client_of("ben").get(reverse("people")).status_code == 403
        assert ">People</a>" not in client_of("ben").get("/").content.decode()
        assert ">People</a>" in client_of("ada").get("/").content.decode()

    def test_a_form_that_says_neither_give_nor_take_is_refused(self, world: Any, client_of: ClientOf) -> None:
        address = reverse("person-roles", args=[world.people["finn"].pk])
        page = client_of("ada").post(address, {"change": "steal", "role": "board", "reason": "x"})
        assert page.status_code == 400
        assert "whether to give or to take" in text_of(page)


class TestAudit:
    def test_the_record_is_filtered_by_kind_actor_and_subject(self, world: Any, client_of: ClientOf) -> None:
        ivy, about = client_of("ivy"), f"grant:{world.grants['eve'].pk}"
        shown = text_of(ivy.get(reverse("audit"), {"kind": "grant.suspended", "actor": "ben", "subject": about}))
        assert "Unusual volume" in shown
        assert "Logs checked." not in shown
        assert "No event matches." in text_of(ivy.get(reverse("audit"), {"actor": "nobody here"}))
        assert ivy.get(reverse("audit"), {"page": "nonsense", "kind": "moon"}).status_code == 200

    def test_verifying_says_how_many_hold_or_which_is_bad(self, client_of: ClientOf) -> None:
        ivy = client_of("ivy")
        assert "The chain holds" in text_of(ivy.post(reverse("audit-verify")))
        AuditEvent.objects.filter(seq=3).update(reason="nothing to see")
        assert "The chain breaks at event 3." in text_of(ivy.post(reverse("audit-verify")))

    def test_it_is_for_staff(self, client_of: ClientOf) -> None:
        assert [client_of(name).get(reverse("audit")).status_code for name in ("anonymous", "cleo", "gia")] == [
            401,
            403,
            403,
        ]


class TestEverywhere:
    OPEN = ("catalogue", "about-stages")
    SIGNED_IN = ("home", "generations", "batches", "grants", "account")

    @pytest.mark.parametrize("name", [*OPEN, *SIGNED_IN])
    @pytest.mark.parametrize("who", ["anonymous", "cleo", "finn", "ada", "ben"])
    def test_lists_open_as_they_declare(self, client_of: ClientOf, who: str, name: str) -> None:
        wanted = 401 if who == "anonymous" and name in self.SIGNED_IN else 200
        assert client_of(who).get(reverse(name)).status_code == wanted

    @pytest.mark.parametrize("who", ["anonymous", "cleo", "gia", "ivy", "ada"])
    def test_every_item_of_the_menu_opens(self, client_of: ClientOf, who: str) -> None:
        client = client_of(who)
        items = client.get("/").context["nav_items"]
        assert {client.get(item["url"]).status_code for item in items} == {200}

    def test_the_stages_page_prints_the_policy(self, client_of: ClientOf) -> None:
        page = text_of(client_of("anonymous").get(reverse("about-stages")))
        assert "policy version 1" in page
        assert "grant holders" in page

    def test_the_style_guide_is_for_development(self, client_of: ClientOf, settings: Any) -> None:
        assert client_of("ada").get(reverse("style-guide")).status_code == 404
        settings.DEBUG = True
        assert client_of("ada").get(reverse("style-guide")).status_code == 200

    def test_addresses_that_only_take_forms_lead_back(self, world: Any, client_of: ClientOf) -> None:
        ada, grant = client_of("ada"), world.grants["cleo"].pk
        for name, args in (
            ("audit-verify", []),
            ("token-create", []),
            ("token-revoke", [1]),
            ("grant-command", [grant, "lift"]),
        ):
            assert ada.get(reverse(name, args=args)).status_code == 303
