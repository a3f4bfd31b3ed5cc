"""Deleting an account: what stands in the way, the fourteen days, what goes, what stays and until when."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress

from release_portal.access.applications import save_application, withdraw_application
from release_portal.access.erasing import NOWHERE
from release_portal.access.models import (
    AnswerChange,
    Application,
    CloseOut,
    EligibilityTrace,
    Grant,
    Obligation,
    Question,
    Seat,
)
from release_portal.access.people.ends import leave_seat
from release_portal.access.reviews import refuse_application
from release_portal.accounts.actors import actor_of, actor_of_token
from release_portal.accounts.deletion_rules import DELETION, KEPT
from release_portal.accounts.deletions import (
    ask_deletion,
    call_back_deletion,
    carry_out_deletions,
    erase_what_is_over,
    hold_kinds,
    obstacle_kinds,
    obstacles_of,
)
from release_portal.accounts.models import Deletion, User
from release_portal.accounts.own_data import holdings
from release_portal.accounts.services import create_token
from release_portal.appeals.services import file_appeal
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.core.actors import ANONYMOUS, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow
from release_portal.detection.models import DetectionReport
from release_portal.jobs.models import Job
from release_portal.misuse.models import MisuseReport, RecordMatch
from release_portal.notices.models import MailOut, Notice
from release_portal.notices.services import send_due_mail
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import DAY, answers, submit
from tests.services.teaming import seat_of, team_grant
from tests.world import PASSWORD, SERVED, World

pytestmark = pytest.mark.django_db
SWEEPER = system_actor("sweeper")
WAIT = timedelta(days=14)
# Of these everything or its text goes; of the others something stays, and `kept` says what and why.
ERASED = {
    "account", "tokens", "duty_shifts", "looks", "notices", "appeals", "appeal_links", "jobs", "detection_reports",
    "applications", "attachments", "grants", "seats", "obligations", "close_outs", "changes", "eligibility",
    "duty_files", "batches", "batch_files", "batch_lines",
}  # fmt: skip


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> None:
    """The shipped agreement, in force."""
    write_agreement(DEMO, at=at - 10 * DAY)


def ask(world: World, name: str, at: datetime, **changes: str) -> Deletion:
    """Somebody asks for the deletion of their account."""
    given = {"password": PASSWORD, "typed": name, **changes}
    return ask_deletion(world.actor(name), world.people[name], at=at, **given)


def carry_out(at: datetime) -> int:
    return carry_out_deletions(SWEEPER, at=at)


def job_of(world: World, name: str, at: datetime, state: str = "done") -> Job:
    """An ended generation with its texts."""
    return Job.objects.create(
        account=world.people[name], size=world.size, function="generate", interface="web", stage="research_hosted",
        policy_version="1", weights_digest="d" * 64, sealed_prompt=Job.sealed("a secret prompt"), state=state,
        sealed_output=Job.sealed("[]"), quota_holder=f"account:{name}", quota_day=at.date(), created_at=at,
        permit_ends_at=at, ended_at=at,
    )  # fmt: skip


def codes(world: World, name: str, at: datetime) -> set[str]:
    return {one.code for one in obstacles_of(User.objects.get(pk=world.people[name].pk), at)}


# --- Every holding says what becomes of it ---------------------------------------------------------------------------


def test_every_holding_says_what_a_deletion_leaves_of_it_and_these_are_erased() -> None:
    """Seen to fail with a holding without a sentence: no room is forgotten."""
    assert {one.kind for one in holdings() if not one.kept.strip()} == set()
    assert {one.kind for one in holdings() if one.erase is not None} >= ERASED
    for one in holdings():
        assert one.erase is not None or not one.kept.startswith("All of it goes"), one.kind


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_a_deletion_waits_fourteen_days_is_told_and_recorded(world: World, at: datetime) -> None:
    asked = ask(world, "finn", at)
    assert asked.due_at == at + WAIT
    assert Notice.objects.get(recipient=world.people["finn"]).kind == "deletion_asked"
    assert MailOut.objects.filter(to=world.people["finn"].email).count() == 1
    assert AuditEvent.objects.get(kind="account.deletion_asked").actor_name == "finn"
    assert carry_out(at + WAIT - timedelta(seconds=1)) == 0
    assert User.objects.get(pk=world.people["finn"].pk).username == "finn"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"password": "wrong"}, "password"), ({"password": ""}, "password"), ({"typed": "f"}, "typed")],
)
def test_a_wrong_password_or_name_deletes_nothing(
    world: World, at: datetime, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        ask(world, "finn", at, **changes)
    assert raised.value.field == field
    assert not Deletion.objects.exists()


def test_nobody_deletes_the_account_of_another_and_no_token_its_owners(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    token, _ = create_token(world.actor("finn"), finn, name="x", scopes=["generate"], at=at)
    for actor in (world.actor("ada"), world.actor("lou"), ANONYMOUS, SWEEPER, actor_of_token(token)):
        with pytest.raises(NotAllowed):
            ask_deletion(actor, finn, password=PASSWORD, typed="finn", at=at)
    ask(world, "finn", at)
    with pytest.raises(NotAllowed):
        call_back_deletion(world.actor("ada"), finn, at=at)


def test_it_is_asked_for_once_and_can_be_called_back_until_it_is_done(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    with pytest.raises(NotNow):
        call_back_deletion(world.actor("finn"), finn, at=at)
    ask(world, "finn", at)
    with pytest.raises(NotNow, match="already"):
        ask(world, "finn", at)
    call_back_deletion(world.actor("finn"), finn, at=at + 13 * DAY)
    assert carry_out(at + 20 * DAY) == 0
    assert User.objects.get(pk=finn.pk).is_active
    assert ask(world, "finn", at + 20 * DAY).due_at == at + 34 * DAY


def test_the_commands_are_those_of_the_table() -> None:
    assert {one.name: one.by for one in DELETION.commands} == {
        "ask": {"person"}, "call_back": {"person"}, "carry_out": {"system"},
    }  # fmt: skip


# --- What stands in the way ------------------------------------------------------------------------------------------


def test_each_obstacle_is_named_with_what_would_change_it(world: World, at: datetime) -> None:
    assert set(obstacle_kinds()) >= {"roles", "applications", "grants", "appeals"}
    assert hold_kinds() == ("cases",)
    assert codes(world, "finn", at) == set()
    assert codes(world, "ivy", at) == {"roles"}
    assert codes(world, "cleo", at) == {"active_grant"}
    assert codes(world, "eve", at) == {"active_grant"}  # suspended: it may come back
    assert codes(world, "dan", at) == set()  # expired
    application = submit(world, "finn", at)
    assert codes(world, "finn", at) == {"open_application"}
    with pytest.raises(NotNow, match=application.pk) as raised:
        ask(world, "finn", at)
    assert "Withdraw it" in raised.value.change
    refuse_application(
        world.actor("ivy"), application.pk, code="purpose_unclear", text="No.", expected_version=1, at=at
    )
    assert codes(world, "finn", at) == set()
    file_appeal(world.actor("finn"), f"application:{application.pk}", text="It is clear.", at=at)
    assert codes(world, "finn", at) == {"open_appeal"}


def test_a_draft_stands_in_nobodys_way(world: World, at: datetime) -> None:
    save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)
    assert codes(world, "finn", at) == set()


def put_under_report(job: Job, at: datetime) -> None:
    """A report comes in whose text is found in a generation."""
    report = MisuseReport.objects.create(
        received_at=at, urgency=1, code_digest="c" * 64, sealed_what=b"x", sealed_evidence=b"x"
    )
    RecordMatch.objects.create(report=report, job=job, percent=90, found_at=at)


def test_evidence_of_an_open_case_is_held_until_it_is_closed(world: World, at: datetime) -> None:
    """Seen to fail with the hold of misuse left out: the prompt is gone while the case is open."""
    ask(world, "finn", at)
    job = job_of(world, "finn", at)
    put_under_report(job, at)
    for later in (WAIT, WAIT + DAY):
        assert carry_out(at + later) == 0
    assert Job.objects.get(pk=job.pk).prompt == "a secret prompt"
    MisuseReport.objects.update(state="closed")
    assert carry_out(at + WAIT + 2 * DAY) == 1
    assert Job.objects.get(pk=job.pk).prompt == ""


def test_whoever_asks_for_deletion_learns_nothing_of_an_open_case(
    world: World, client_of: Callable[[str], Any], at: datetime
) -> None:
    """The same answer with and without one, on asking, on the pages, and after the day."""
    put_under_report(job_of(world, "finn", at), at)
    seen = {}
    for name in ("finn", "lou"):
        assert codes(world, name, at) == set()
        asked = ask(world, name, at)
        pages = [client_of(name).get(path).content.decode() for path in ("/account/data/", "/account/data/delete/")]
        told = [nameless(one.body, name) for one in Notice.objects.filter(recipient=world.people[name])]
        seen[name] = ([words_without(page, name) for page in pages], told, asked.due_at)
    assert seen["finn"] == seen["lou"]
    carry_out(at + WAIT)
    assert not Notice.objects.filter(recipient=world.people["finn"]).exclude(kind="deletion_asked").exists()
    assert "case" not in " ".join(seen["finn"][0]).casefold().replace("in any case", "")


def nameless(text: str, name: str) -> str:
    return re.sub(name, "", text, flags=re.IGNORECASE)


def words_without(page: str, name: str) -> str:
    """What a page says about a deletion, without what differs between any two people."""
    found = re.search(r'<section class="notice notice-warning" aria-labelledby="deletion">.*?</section>', page, re.S)
    assert found is not None
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", nameless(found[0], name))


# --- Carrying out ----------------------------------------------------------------------------------------------------


def test_what_goes_goes_at_once_and_the_record_stands(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    EmailAddress.objects.create(user=finn, email=finn.email)
    create_token(world.actor("finn"), finn, name="x", scopes=["generate"], at=at)
    job = job_of(world, "finn", at)
    draft = save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)
    withdraw_application(world.actor("finn"), draft.pk, expected_version=draft.version, at=at)
    save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)
    events = list(AuditEvent.objects.order_by("seq").values_list("hash", flat=True))
    ask(world, "finn", at)
    assert carry_out(at + WAIT) == 1
    gone = User.objects.get(pk=finn.pk)
    assert (gone.is_active, gone.first_name, gone.has_usable_password()) == (False, "", False)
    assert gone.username.startswith("deleted-")
    assert gone.email.endswith("@deleted.invalid")
    assert not EmailAddress.objects.filter(user=gone).exists()
    assert not gone.api_tokens.exists()
    assert (Job.objects.get(pk=job.pk).prompt, Job.objects.get(pk=job.pk).output) == ("", [])
    assert {one.state for one in gone.applications.all()} == {"withdrawn", "lapsed"}
    assert {one.purpose + one.affiliation + one.intended_use for one in gone.applications.all()} == {""}
    assert actor_of(gone) == ANONYMOUS
    done = AuditEvent.objects.get(kind="account.deleted")
    assert (done.actor_kind, done.data["erased"]["tokens"]) == ("system", 1)
    assert list(AuditEvent.objects.order_by("seq").values_list("hash", flat=True))[: len(events)] == events
    assert AuditEvent.objects.filter(actor_name="finn").exists()  # plain values stay as they were written
    assert verify_chain().is_intact


def test_the_last_mail_is_sent_and_then_goes_too(world: World, at: datetime, mailoutbox: Any) -> None:
    ask(world, "finn", at)
    carry_out(at + WAIT)
    send_due_mail(at=at + WAIT)
    assert [mail.subject for mail in mailoutbox][-1] == "Your account is deleted"
    assert mailoutbox[-1].to == ["finn@example.org"]
    erase_what_is_over(at=at + WAIT + DAY)
    assert not MailOut.objects.filter(to="finn@example.org").exists()
    assert not Notice.objects.filter(recipient=world.people["finn"]).exists()


def test_whoever_was_signed_in_is_out(world: World, client_of: Callable[[str], Any], at: datetime) -> None:
    client = client_of("finn")
    assert client.get("/home/").status_code == 200
    ask(world, "finn", at)
    carry_out(at + WAIT)
    assert client.get("/home/").status_code == 401


def test_what_a_decision_rests_on_stays_three_years_and_then_goes(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    refuse_application(world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=1, at=at)
    ask(world, "finn", at)
    carry_out(at + WAIT)
    assert Application.objects.get(pk=sent.pk).purpose
    erase_what_is_over(at=at + KEPT - DAY)
    assert Application.objects.get(pk=sent.pk).purpose
    assert erase_what_is_over(at=at + KEPT) >= 1
    fresh = Application.objects.get(pk=sent.pk)
    assert (fresh.purpose, fresh.state, fresh.decision_code) == ("", "refused", "purpose_unclear")
    assert erase_what_is_over(at=at + KEPT) == 0


def test_a_seat_stands_in_the_way_and_once_left_keeps_its_times_and_no_address(world: World, at: datetime) -> None:
    """Seen to fail with `erase_seats` left out of the holding."""
    grant = team_grant(world, at, "lou", "kim", lead="finn")
    taken, others = seat_of(grant, world, "lou"), seat_of(grant, world, "kim")
    assert codes(world, "lou", at) == {"seat"}
    leave_seat(world.actor("lou"), taken.pk, expected_version=taken.version, at=at + DAY)
    ask(world, "lou", at + DAY)
    assert carry_out(at + DAY + WAIT) == 1
    gone, kept = Seat.objects.get(pk=taken.pk), Seat.objects.get(pk=others.pk)
    assert (gone.mail, gone.affiliation, gone.state) == (f"seat-{taken.pk}{NOWHERE}", "", "left")
    assert (gone.joined_at, gone.ended_at) == (at, at + DAY)
    assert (kept.mail, kept.affiliation) == (world.people["kim"].email, "Institute of kim")


def test_an_invitation_that_nobody_answered_forgets_the_address_of_a_deleted_account(
    world: World, at: datetime
) -> None:
    """Seen to fail with only seats of a person looked for."""
    grant = team_grant(world, at, "lou", "kim", lead="finn", joined=False)
    ask(world, "lou", at)
    carry_out(at + WAIT)
    left = set(Seat.objects.filter(grant=grant).values_list("mail", flat=True))
    assert world.people["kim"].email in left
    assert world.people["lou"].email not in left


def test_what_the_rules_said_and_what_was_changed_goes_with_the_words(world: World, at: datetime) -> None:
    """Seen to fail with the three years left out of `_long_over`, and with whose they are left out of either."""
    sent = {name: submit(world, name, at) for name in ("finn", "lou")}
    for application in sent.values():
        refuse_application(
            world.actor("ivy"), application.pk, code="purpose_unclear", text="No.", expected_version=1, at=at
        )
        change_by(application, at)
    ask(world, "finn", at)
    carry_out(at + WAIT)
    erase_what_is_over(at=at + KEPT - timedelta(seconds=1))
    assert [kept_of(sent["finn"]), kept_of(sent["lou"])] == [(1, 1), (1, 1)]
    erase_what_is_over(at=at + KEPT)
    assert [kept_of(sent["finn"]), kept_of(sent["lou"])] == [(0, 0), (1, 1)], "nobody deleted lou's account"


def change_by(application: Application, at: datetime) -> AnswerChange:
    """The applicant was asked once, and changed an answer."""
    asked = Question.objects.create(application=application, field="purpose", text="Which?", asked_at=at)
    return AnswerChange.objects.create(
        application=application, question=asked, field="purpose", old="One.", new="Two.", at=at
    )


def kept_of(application: Application) -> tuple[int, int]:
    """How many traces and changes of an application there are."""
    rows = {"application": application}
    return EligibilityTrace.objects.filter(**rows).count(), AnswerChange.objects.filter(**rows).count()


@pytest.mark.parametrize("kind", ["obligations", "close_outs"])
def test_what_was_said_about_a_grant_goes_three_years_after_its_end_and_of_no_other(
    world: World, at: datetime, kind: str
) -> None:
    """Seen to fail with the end of the grant, or whose it was, left out of the question."""
    said = {name: said_about(world.grants[name], kind, at) for name in ("dan", "cleo")}
    ask(world, "dan", at)
    carry_out(at + WAIT)
    end = world.grants["dan"].ends_at
    erase_what_is_over(at=end + KEPT - timedelta(seconds=1))
    assert words_of(said["dan"]) == WORDS
    assert erase_what_is_over(at=end + KEPT) >= 1
    assert words_of(said["dan"]).isdisjoint(WORDS)
    assert fact_of(said["dan"]) in ("accepted", "deleted"), "what became of it stays"
    erase_what_is_over(at=world.grants["cleo"].ends_at + 2 * KEPT)
    assert words_of(said["cleo"]) == WORDS, "nobody deleted this account"
    assert erase_what_is_over(at=end + KEPT) == 0


WORDS = {"What came of it.", "All copies are gone."}


def said_about(grant: Grant, kind: str, at: datetime) -> Obligation | CloseOut:
    """A report that was handed in for a grant, or what was said at its end."""
    first, second = sorted(WORDS, reverse=True)
    if kind == "obligations":
        made = {"code": "Q06", "what": "A report.", "state": "accepted", "created_at": at}
        return Obligation.objects.create(grant=grant, text=first, link=second, handed_in_at=at, **made)
    return CloseOut.objects.create(grant=grant, report=first, statement=second, disposal="deleted", handed_in_at=at)


def words_of(said: Obligation | CloseOut) -> set[str]:
    said.refresh_from_db()
    return {said.text, said.link} if isinstance(said, Obligation) else {said.report, said.statement}


def fact_of(said: Obligation | CloseOut) -> str:
    return said.state if isinstance(said, Obligation) else said.disposal


def test_an_account_that_nobody_deleted_keeps_everything(world: World, at: datetime) -> None:
    sent = submit(world, "lou", at)
    refuse_application(world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=1, at=at)
    job = job_of(world, "lou", at)
    ask(world, "finn", at)
    carry_out(at + WAIT)
    erase_what_is_over(at=at + 2 * KEPT)
    assert Application.objects.get(pk=sent.pk).purpose
    assert Job.objects.get(pk=job.pk).prompt == "a secret prompt"
    assert DetectionReport.objects.count() == 0
