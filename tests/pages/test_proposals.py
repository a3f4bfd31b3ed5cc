"""A proposal through its pages: opened, locked, voted on, carried out; and every way in which it is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import gate_of
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import CommentWindow, ExternalReview, Proposal, Standing, Vote, Waiver
from release_portal.releases.narrowings import confirm_narrowing, roll_back
from tests.governance import adopt, answer_checklist, fresh, lock, propose, review, small_policy, supply, vote
from tests.world import PASSWORD, SERVED, World, put_at_stage

Clients = Callable[[str], Any]
LAB, NAME = SERVED.split("/")
HTML = "<script>alert(1)</script><b>bold</b>\"'&"
VOTE = {"verdict": "approve", "reason": "I read it all.", "conflict_note": "none", "password": PASSWORD}
NEXT = "public_hosted"


@pytest.fixture
def small(world: World) -> World:
    """The small policy is in force, without waits."""
    adopt(world, small_policy(cool_off=0, soak=0))
    return world


@pytest.fixture
def opened(small: World) -> Proposal:
    """Evidence for jo's proposal is being collected."""
    return propose(small, small.size, NEXT, at=small.at)


@pytest.fixture
def complete(small: World, opened: Proposal) -> Proposal:
    """Nothing is missing any more; it can be locked."""
    supply(small, small.size, gate_of(opened), at=small.at)
    answer_checklist(small, opened, at=small.at)
    return opened


def page(client: Any, proposal: Proposal) -> str:
    return str(client.get(reverse("proposal", args=[proposal.pk])).content.decode())


def give(client: Any, proposal: Proposal, name: str, **data: Any) -> Any:
    sent = {"expected_version": fresh(proposal).version, **data}
    return client.post(reverse("proposal-command", args=[proposal.pk, name]), sent)


def cast(client: Any, proposal: Proposal, role: str, **data: Any) -> Any:
    held = fresh(proposal).current_lock
    sent = {**VOTE, "role": role, "lock_digest": held.digest if held else "", **data}
    return client.post(reverse("proposal-vote", args=[proposal.pk]), sent)


# --- The walk --------------------------------------------------------------------------------------------------------


def test_a_proposal_goes_from_the_first_draft_to_the_move_through_its_pages(small: World, client_of: Clients) -> None:
    jo, new = client_of("jo"), reverse("proposal-new", args=[LAB, NAME])
    assert "Public, hosted" in jo.get(new).content.decode()
    sent = jo.post(new, {"target": NEXT, "rationale": "Six months without misuse.", "conditions": "We watch it."})
    assert sent.status_code == 303
    one = Proposal.objects.get()
    assert give(jo, one, "collect").status_code == 303

    refused = give(jo, one, "lock")
    assert refused.status_code == 409
    assert "The gate is shut by C03" in refused.content.decode()
    supply(small, small.size, gate_of(one), at=small.at)
    answer_checklist(small, one, at=small.at)
    assert give(jo, one, "lock").status_code == 303
    assert fresh(one).current_lock.preview["to"] == NEXT  # type: ignore[union-attr]
    assert give(jo, one, "submit").status_code == 303

    assert "Cast your vote" in page(client_of("ada"), one)
    assert cast(client_of("ada"), one, "release_manager").status_code == 303
    assert cast(client_of("ben"), one, "safety_reviewer").status_code == 303
    assert fresh(one).state == "cooling"

    assert (
        give(jo, one, "schedule", execute_after=f"{fresh(one).cool_off_until:%Y-%m-%dT%H:%M:%S.%f}").status_code == 303
    )
    shown = page(jo, one)
    assert "Carry out the move" in shown
    assert "everyone signed in" in shown, "the effect stands beside the form"
    assert give(jo, one, "execute", password=PASSWORD).status_code == 303
    assert Standing.objects.get(size=small.size).stage == NEXT
    assert fresh(one).state == "observing"


def test_the_page_lists_the_gate_with_have_need_and_owner(opened: Proposal, client_of: Clients) -> None:
    shown = page(client_of("anonymous"), opened)
    for text in ("The threat register was reviewed", "safety reviewer", "Not run", "Attach it."):
        assert text in shown
    assert "Attach evidence" not in shown, "a visitor cannot"
    assert "Attach evidence" in page(client_of("jo"), opened)


def test_what_people_wrote_is_shown_as_text(small: World, client_of: Clients) -> None:
    jo = client_of("jo")
    jo.post(reverse("proposal-new", args=[LAB, NAME]), {"target": NEXT, "rationale": HTML, "conditions": HTML})
    shown = page(jo, Proposal.objects.get())
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


# --- Opening ---------------------------------------------------------------------------------------------------------


def test_a_second_proposal_is_refused_with_the_way_to_the_first_and_the_text_kept(
    opened: Proposal, client_of: Clients
) -> None:
    sent = client_of("ada").post(
        reverse("proposal-new", args=[LAB, NAME]), {"target": NEXT, "rationale": "My own long text."}
    )
    assert sent.status_code == 409
    assert "My own long text." in sent.content.decode()
    assert reverse("proposal", args=[opened.pk]) in sent.content.decode()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"target": "", "rationale": "x"}, 400),
        ({"target": "nowhere", "rationale": "x"}, 400),
        ({"target": "fast:nowhere", "rationale": "x"}, 400),
        ({"target": NEXT, "rationale": " "}, 400),
        ({"target": "open_weights", "rationale": "x"}, 409),
        ({"target": f"fast:{NEXT}", "rationale": "x"}, 403),
    ],
)
def test_a_proposal_that_cannot_be_opened_says_why(
    small: World, client_of: Clients, data: dict[str, str], status: int
) -> None:
    sent = client_of("jo").post(reverse("proposal-new", args=[LAB, NAME]), data)
    assert sent.status_code == status
    assert "Please look at this first" in sent.content.decode()
    assert not Proposal.objects.exists()


def test_only_release_managers_open_one(small: World, client_of: Clients) -> None:
    new = reverse("proposal-new", args=[LAB, NAME])
    assert [client_of(name).get(new).status_code for name in ("anonymous", "cleo", "ben", "jo")] == [401, 403, 403, 200]


def test_after_a_roll_back_the_fast_path_is_offered_and_leads_back(small: World, client_of: Clients) -> None:
    jo, new = client_of("jo"), reverse("proposal-new", args=[LAB, NAME])
    assert "on the fast path" not in jo.get(new).content.decode()
    put_at_stage(small.size, NEXT, small.at)
    size = ModelSize.objects.select_related("standing", "family").get(pk=small.size.pk)
    version = size.standing.version
    one = roll_back(small.actor("ben"), size, "partner", reason="Look.", expected_version=version, at=small.at)
    confirm_narrowing(small.actor("olu"), one.pk, reason="Right.", expected_version=one.version, at=small.at)
    assert "Public, hosted, on the fast path" in jo.get(new).content.decode()
    assert jo.post(new, {"target": f"fast:{NEXT}", "rationale": "The cause is gone."}).status_code == 303
    opened = Proposal.objects.get()
    assert opened.is_fast_path
    assert "fast path" in page(jo, opened)


# --- The list --------------------------------------------------------------------------------------------------------


def test_the_list_shows_open_ones_first_and_filters_by_state(opened: Proposal, client_of: Clients) -> None:
    visitor, jo = client_of("anonymous"), client_of("jo")
    assert f"proposal {opened.pk}" in visitor.get(reverse("proposals")).content.decode()
    give(jo, opened, "abort", reason="Wrong size.")
    assert "Proposals appear here." in visitor.get(reverse("proposals") + "?state=open").content.decode()
    assert "aborted" in visitor.get(reverse("proposals") + "?state=ended").content.decode()
    for odd in ("?state=%00", "?state=nothing", "?page=9999", "?page=x"):
        assert visitor.get(reverse("proposals") + odd).status_code == 200


def test_a_proposal_of_an_undisclosed_size_is_to_strangers_as_none(
    world: World, opened: Proposal, client_of: Clients
) -> None:
    put_at_stage(world.size, "registered", world.at)
    for name in ("anonymous", "cleo"):
        client = client_of(name)
        for route in ("proposal", "checklist", "comment-window"):
            assert client.get(reverse(route, args=[opened.pk])).status_code == 404
        assert f"proposal {opened.pk}" not in client.get(reverse("proposals")).content.decode()
    assert client_of("jo").get(reverse("proposal", args=[opened.pk])).status_code == 200


# --- Commands that are refused ---------------------------------------------------------------------------------------


def test_a_stale_form_says_what_changed_and_keeps_the_text(opened: Proposal, client_of: Clients) -> None:
    old = opened.version
    give(client_of("ada"), opened, "edit", rationale="Another case.", conditions="")
    sent = give(client_of("jo"), opened, "abort", reason="My own reason.", expected_version=old)
    assert sent.status_code == 409
    shown = sent.content.decode()
    for text in ("What happened while your form was open", "Release proposal edited", "My own reason."):
        assert text in shown
    assert f'name="expected_version" value="{fresh(opened).version}"' in shown, "the next try is made for what is shown"
    assert fresh(opened).state == "collecting"


def test_no_version_no_name_no_proposal_is_refused_by_name(opened: Proposal, client_of: Clients) -> None:
    jo = client_of("jo")
    assert give(jo, opened, "abort", reason="x", expected_version="").status_code == 400
    assert give(jo, opened, "abort", reason="x", expected_version="9" * 400).status_code == 409
    assert give(jo, opened, "abort", reason=" ").status_code == 400
    assert give(jo, opened, "nothing").status_code == 404
    assert jo.post(reverse("proposal-command", args=[10**6, "abort"]), {"expected_version": 1}).status_code == 404
    assert jo.get(reverse("proposal-command", args=[opened.pk, "abort"])).status_code == 303


def test_what_somebody_may_not_do_is_not_offered_and_refused_when_sent(opened: Proposal, client_of: Clients) -> None:
    ben = client_of("ben")
    assert 'id="do-abort"' in page(client_of("jo"), opened)
    assert 'id="do-abort"' not in page(ben, opened)
    sent = give(ben, opened, "abort", reason="I would rather not.")
    assert sent.status_code == 403
    assert "I would rather not." in sent.content.decode()
    assert give(client_of("anonymous"), opened, "abort", reason="x").status_code == 401


def test_what_is_in_the_way_stands_in_place_of_the_button(complete: Proposal, small: World, client_of: Clients) -> None:
    jo = client_of("jo")
    assert 'id="do-lock"' in page(jo, complete)
    adopt(small, small_policy(version=2, on_duty=3, cool_off=0))
    shown = page(jo, complete)
    assert "people on duty: 2 becomes 3" in shown, "the newer policy is offered with its difference"
    assert give(jo, complete, "move_policy").status_code == 303
    one = review(small, complete, at=small.at)
    give(jo, one, "schedule", execute_after=f"{one.cool_off_until:%Y-%m-%dT%H:%M:%S.%f}")
    blocked = page(jo, one)
    assert "2 of 3 people are on duty." in blocked
    assert 'name="typed"' not in blocked
    refused = give(jo, one, "execute", password=PASSWORD)
    assert refused.status_code == 409
    assert Standing.objects.get(size=small.size).stage != NEXT


def test_a_hold_blocks_the_move_and_says_so(complete: Proposal, small: World, client_of: Clients) -> None:
    jo, one = client_of("jo"), review(small, complete, at=small.at)
    give(jo, one, "schedule", execute_after=f"{one.cool_off_until:%Y-%m-%dT%H:%M:%S.%f}")
    raise_hold(small.actor("ben"), small.size, reason="Look again.", at=small.at)
    assert "A hold blocks widening." in page(jo, one)
    assert give(jo, one, "execute", password=PASSWORD).status_code == 409


def test_a_wrong_password_moves_nothing_and_is_not_shown_again(
    complete: Proposal, small: World, client_of: Clients
) -> None:
    jo, one = client_of("jo"), review(small, complete, at=small.at)
    give(jo, one, "schedule", execute_after=f"{one.cool_off_until:%Y-%m-%dT%H:%M:%S.%f}")
    sent = give(jo, one, "execute", password="my wrong secret")
    assert sent.status_code == 400
    assert "my wrong secret" not in sent.content.decode()
    assert Standing.objects.get(size=small.size).stage != NEXT


def test_where_copies_cannot_be_recalled_the_word_is_typed(small: World, client_of: Clients) -> None:
    put_at_stage(small.size, "research_weights", small.at)
    size = ModelSize.objects.select_related("standing", "family").get(pk=small.size.pk)
    opened = propose(small, size, "open_weights", at=small.at)
    supply(small, size, gate_of(opened), at=small.at)
    answer_checklist(small, opened, at=small.at)
    one, jo = review(small, opened, at=small.at), client_of("jo")
    give(jo, one, "schedule", execute_after=f"{one.cool_off_until:%Y-%m-%dT%H:%M:%S.%f}")
    assert "Type the word irreversible" in page(jo, one)
    for typed in ("", "reversible"):
        sent = give(jo, one, "execute", password=PASSWORD, typed=typed)
        assert sent.status_code == 400
        assert 'id="id_execute_typed_error"' in sent.content.decode()
    assert give(jo, one, "execute", password=PASSWORD, typed="Irreversible ").status_code == 303
    assert Standing.objects.get(size=size).stage == "open_weights"


@pytest.mark.parametrize("when", ["", "soon", "2026-02-30T00:00", "2020-01-01T00:00", "\x00", "9" * 500])
def test_a_time_that_is_none_or_too_early_is_refused_at_its_field(
    complete: Proposal, small: World, client_of: Clients, when: str
) -> None:
    one = review(small, complete, at=small.at)
    sent = give(client_of("jo"), one, "schedule", execute_after=when)
    assert sent.status_code in (400, 409)
    assert fresh(one).state == "cooling"


# --- Votes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_review(complete: Proposal, small: World, client_of: Clients) -> Proposal:
    """People vote on it."""
    lock(small, complete, at=small.at)
    give(client_of("jo"), complete, "submit")
    return fresh(complete)


def test_the_proposer_reads_why_they_cannot_vote(in_review: Proposal, client_of: Clients) -> None:
    jo = client_of("jo")
    assert "This is your own proposal." in page(jo, in_review)
    assert 'id="do-vote"' not in page(jo, in_review)
    assert cast(jo, in_review, "release_manager").status_code == 403


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"conflict_note": ""}, 400),
        ({"reason": " "}, 400),
        ({"verdict": "perhaps"}, 400),
        ({"password": ""}, 400),
        ({"role": "board"}, 403),
        ({"role": "nothing"}, 403),
        ({"lock_digest": "0" * 64}, 409),
    ],
)
def test_a_vote_that_lacks_something_is_refused_and_keeps_its_reason(
    in_review: Proposal, client_of: Clients, changes: dict[str, str], status: int
) -> None:
    data = {"reason": "A long reason to keep.", "role": "safety_reviewer", **changes}
    sent = cast(client_of("ben"), in_review, data.pop("role"), **data)
    assert sent.status_code == status
    assert not Vote.objects.exists()
    assert data["reason"] in sent.content.decode()


def test_an_objection_waits_for_an_answer_that_stands_beside_it(in_review: Proposal, client_of: Clients) -> None:
    jo, ben = client_of("jo"), client_of("ben")
    cast(ben, in_review, "safety_reviewer", verdict="object", reason="The detector is weak.")
    one = Vote.objects.get()
    answer = reverse("proposal-answer", args=[in_review.pk, one.pk])
    assert answer in page(jo, in_review)
    assert answer not in page(ben, in_review)
    assert jo.post(answer, {"answer": " "}).status_code == 400
    assert jo.post(answer, {"answer": "It was measured again."}).status_code == 303
    assert "It was measured again." in page(ben, in_review)
    assert jo.post(reverse("proposal-answer", args=[in_review.pk, 10**6]), {"answer": "x"}).status_code == 404
    assert 'id="do-vote"' in page(ben, in_review), "after the answer the voter may vote again"


def test_votes_are_shown_to_those_who_may_read_them_and_to_nobody_else(
    in_review: Proposal, small: World, client_of: Clients
) -> None:
    vote(small, in_review, "ben", "safety_reviewer", at=small.at)
    assert "Read it all." in page(client_of("jo"), in_review)
    for name in ("anonymous", "cleo", "gia"):
        shown = page(client_of(name), in_review)
        assert "Read it all." not in shown
        assert "1 of 1" not in shown
    assert "Votes are public once the proposal is decided." in page(client_of("cleo"), in_review)


def test_a_veto_ends_it_and_the_reason_is_public(in_review: Proposal, client_of: Clients) -> None:
    cast(client_of("ben"), in_review, "safety_reviewer", verdict="veto", reason="It is not safe.")
    assert fresh(in_review).state == "rejected"
    assert "It is not safe." in page(client_of("anonymous"), in_review)


def test_the_difference_between_two_locks_is_shown(in_review: Proposal, small: World, client_of: Clients) -> None:
    jo = client_of("jo")
    give(jo, in_review, "reopen", reason="A better case.")
    give(jo, in_review, "edit", rationale="Another case.", conditions="")
    lock(small, in_review, at=small.at)
    shown = page(jo, in_review)
    assert "From lock 1 to lock 2" in shown
    assert "rationale and conditions" in shown


def test_what_changed_since_the_lock_is_shown_in_red(in_review: Proposal, small: World, client_of: Clients) -> None:
    assert "What was locked has changed" not in page(client_of("ben"), in_review)
    answer_checklist(small, in_review, at=small.at, reason="Answered in other words.")
    shown = page(client_of("ben"), in_review)
    assert "What was locked has changed" in shown
    assert "safety checklist" in shown


# --- Waivers, windows, reviewers -------------------------------------------------------------------------------------


def later(days: int) -> str:
    from release_portal.core.clock import now

    return f"{now() + timedelta(days=days):%Y-%m-%dT%H:%M}"


def test_a_waiver_is_asked_for_and_agreed_to(opened: Proposal, client_of: Clients) -> None:
    jo, ben, ask = client_of("jo"), client_of("ben"), reverse("waiver-ask", args=[opened.pk])
    data = {"criterion": "C07", "reason": "Measured next week.", "ends_at": later(7)}
    for change in ({"criterion": "C12"}, {"criterion": "X"}, {"reason": ""}, {"ends_at": later(90)}, {"ends_at": "x"}):
        sent = jo.post(ask, {**data, **change})
        assert sent.status_code == 400
        assert not Waiver.objects.exists()
    assert jo.post(ask, data).status_code == 303
    one = Waiver.objects.get()
    agree = reverse("waiver-agree", args=[opened.pk, one.pk])
    assert agree in page(ben, opened)
    assert "You asked for this waiver." in page(jo, opened)
    assert ben.post(agree, {"role": "safety_reviewer", "reason": ""}).status_code == 400
    assert ben.post(agree, {"role": "board", "reason": "x"}).status_code == 403
    assert ben.post(agree, {"role": "safety_reviewer", "reason": "It can wait."}).status_code == 303
    assert "It can wait." in page(client_of("anonymous"), opened)
    assert ben.post(agree, {"role": "safety_reviewer", "reason": "Again."}).status_code == 409
    assert ben.post(reverse("waiver-agree", args=[opened.pk, 10**6]), {"role": "x"}).status_code == 404


def test_a_window_is_opened_once_of_each_kind(opened: Proposal, client_of: Clients) -> None:
    jo, url = client_of("jo"), reverse("window-open", args=[opened.pk])
    data = {"kind": "comment", "text": "What do you think?", "closes_at": later(3)}
    for change in ({"kind": "x"}, {"text": " "}, {"closes_at": ""}):
        assert jo.post(url, {**data, **change}).status_code == 400
    assert jo.post(url, data).status_code == 303
    assert jo.post(url, data).status_code == 409
    assert CommentWindow.objects.count() == 1
    assert client_of("ben").post(url, data).status_code == 403
    assert "What do you think?" in page(client_of("anonymous"), opened)


def test_a_reviewer_is_invited_on_terms_that_everybody_reads(
    opened: Proposal, world: World, client_of: Clients
) -> None:
    jo, url = client_of("jo"), reverse("reviewer-invite", args=[opened.pk])
    data = {
        "reviewer": str(world.people["gia"].pk),
        "terms": "Read it.",
        "fee": "none",
        "edit_rights": "Nobody edits it.",
        "due_at": later(30),
    }
    for change in ({"reviewer": ""}, {"reviewer": "x"}, {"fee": ""}, {"terms": ""}, {"due_at": "x"}):
        assert jo.post(url, {**data, **change}).status_code == 400
    assert jo.post(url, {**data, "reviewer": str(world.people["cleo"].pk)}).status_code == 409
    assert jo.post(url, data).status_code == 303
    assert ExternalReview.objects.get().reviewer == "gia"
    assert "Nobody edits it." in page(client_of("anonymous"), opened)
    assert reverse("workspace", args=[opened.pk]) in page(client_of("gia"), opened)


def test_each_act_by_get_leads_back_to_the_page(opened: Proposal, client_of: Clients) -> None:
    jo, home = client_of("jo"), reverse("proposal", args=[opened.pk])
    for name, args in (
        ("proposal-vote", []),
        ("proposal-answer", [1]),
        ("waiver-ask", []),
        ("waiver-agree", [1]),
        ("window-open", []),
        ("reviewer-invite", []),
    ):
        response = jo.get(reverse(name, args=[opened.pk, *args]))
        assert (response.status_code, response["Location"]) == (303, home)
