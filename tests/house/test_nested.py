"""T2: a child of another parent, or a word that the parent does not know, is nothing under this parent.

Every address with two or more names in its pattern stands in NESTED, or the first test fails. Each row makes a parent
of its own and something that is a child elsewhere, and says who asks: somebody who sees the parent, so that only the
nesting can refuse.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern

from release_portal.access.attachments.services import attach_file
from release_portal.access.models import AgreementDraft, Application, Attestation, DutyFile, Obligation, Seat
from release_portal.access.obligations.files import hand_in_with
from release_portal.access.programmes.programme_files import preset
from release_portal.accounts.roles import SCOPES
from release_portal.accounts.services import create_token
from release_portal.appeals.models import Appeal
from release_portal.audit.models import AuditEvent
from release_portal.evidence.services import measure_now
from release_portal.misuse.filing import Filing, file_report
from release_portal.moves.recalls import open_recall
from release_portal.ops import demo
from release_portal.registry.models import ModelSize
from release_portal.registry.services import register_revision
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import (
    Comment,
    CommentWindow,
    Lock,
    PolicyVersion,
    Proposal,
    Recall,
    RecallNotice,
    Vote,
    Waiver,
)
from release_portal.releases.policy_services import policy_in_force
from tests.house.test_urls import BY_NAME, THIRD_PARTY, address
from tests.services.test_attachments import LETTER
from tests.world import SERVED, World

DAY = timedelta(days=1)
SIZE = {"lab", "name"}  # two names of one thing


@dataclass(frozen=True)
class Nest:
    """Somebody who sees a parent, the parent's own child, and what is no child of it.

    Args:
        asks: who asks.
        own: what the address names when it is right; the answer is anything but 404.
        foreign: what of it is replaced by a child of another parent, or by a word that says nothing.
        elsewhere: parts of the address that name the other parent, under which the foreign child does exist.
        data: what a form must hold so that the service comes to the child.
    """

    asks: str
    own: dict[str, Any]
    foreign: dict[str, Any]
    elsewhere: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict)


def names_in(pattern: URLPattern) -> set[str]:
    """The names that an address asks for; lab and name of a size count once."""
    names = set(pattern.pattern.converters) | set(pattern.pattern.regex.groupindex)  # type: ignore[attr-defined]
    return names - {"name"} if names >= SIZE else names


def nested() -> set[str]:
    """Every address of ours with two or more names."""
    return {name for name, one in BY_NAME.items() if len(names_in(one)) > 1} - set(THIRD_PARTY)


NESTED: dict[str, Callable[[World], Nest]] = {}


def nest(*names: str) -> Callable[[Callable[..., Nest]], Callable[..., Nest]]:
    """Register how an address is nested."""

    def keep(make: Callable[..., Nest]) -> Callable[..., Nest]:
        for name in names:
            NESTED[name] = make
        return make

    return keep


# --- Words that say nothing under this parent ------------------------------------------------------------------------


@nest("size-retirement")
def _retirement(world: World) -> Nest:
    return Nest("ada", {**size_in(world), "command": "announce"}, {"command": "confirm"})


@nest("evidence-attach", "evidence-measure")
def _criterion(world: World) -> Nest:
    return Nest("jo", {**size_in(world), "criterion": "C01"}, {"criterion": "C999"})


@nest("hold-command")
def _hold(world: World) -> Nest:
    raised = raise_hold(world.actor("ben"), world.size, reason="x", level="R5", at=world.at)
    return Nest("olu", {"pk": raised.pk, "name": "confirm"}, {"name": "revoke"})


@nest("recall-command")
def _recall(world: World) -> Nest:
    recall = open_recall(world.actor("ben"), world.size, reason="x", at=world.at)
    return Nest("ben", {"pk": recall.pk, "name": "close"}, {"name": "acknowledge"})


@nest("recall-notice-command")
def _notice(world: World) -> Nest:
    recall = Recall.objects.create(size=world.size, reason="x", opened_by="x", opened_at=world.at)
    notice = RecallNotice.objects.create(
        recall=recall, recipient="cleo", account_id=world.actors["cleo"].id, sent_at=world.at
    )
    return Nest("cleo", {"pk": notice.pk, "name": "acknowledge"}, {"name": "close"})


@nest("report-command")
def _report(world: World) -> Nest:
    report, _ = file_report(world.actor("anonymous"), Filing("seen", "words"), address="10.0.0.1", at=world.at)
    return Nest("ben", {"pk": report.pk, "name": "close"}, {"name": "execute"})


@nest("application-command")
def _application(world: World) -> Nest:
    return Nest("finn", {"application_id": application_of(world).pk, "name": "withdraw"}, {"name": "approve"})


@nest("attestation")
def _named(world: World) -> Nest:
    return Nest("finn", {"application_id": application_of(world).pk, "kind": "referee"}, {"kind": "friend"})


@nest("attestation-command")
def _vouching(world: World) -> Nest:
    own = {"application_id": vouching_of(world).application_id, "kind": "referee", "name": "cancel"}
    return Nest("finn", own, {"name": "approve"}, data={"expected_version": "1"})


@nest("api-attestation-swap")
def _swapped(world: World) -> Nest:
    return _vouched(world, name="x", mail="uma@elsewhere.example", relation="colleague")


@nest("api-attestation-cancel", "api-attestation-resend", "api-attestation-again")
def _vouched(world: World, **more: str) -> Nest:
    mine, other = vouching_of(world), vouching_of(world, "openai/gpt2-1558m")
    own = {"application_id": mine.application_id, "attestation_id": mine.pk}
    data = {"expected_version": 1, **more}
    elsewhere = {"application_id": other.application_id}
    return Nest("finn", own, {"attestation_id": other.pk}, elsewhere, data)


@nest("review-command")
def _review(world: World) -> Nest:
    return Nest("ivy", {"application_id": application_of(world).pk, "name": "claim"}, {"name": "withdraw"})


@nest("appeal-command")
def _appeal(world: World) -> Nest:
    appeal = Appeal.objects.create(
        kind="suspension", subject="grant:x:suspension:1", title="x", appellant=world.people["cleo"], text="x",
        decided_at=world.at, filed_at=world.at, due_at=world.at + DAY,
    )  # fmt: skip
    return Nest("ben", {"appeal_id": appeal.pk, "name": "accept"}, {"name": "withdraw"})


@nest("grant-command")
def _grant(world: World) -> Nest:
    return Nest("ben", {"grant_id": world.grants["cleo"].pk, "name": "suspend"}, {"name": "accept"})


@nest("proposal-command")
def _proposal(world: World) -> Nest:
    return Nest("jo", {"pk": proposal_on(world.size, world).pk, "name": "abort"}, {"name": "release"})


@nest("policy-diff")
def _policies(world: World) -> Nest:
    one = PolicyVersion.objects.first()
    assert one is not None
    return Nest("finn", {"old": one.digest, "new": one.digest}, {"new": "e" * 64})


@nest("programme-diff")
def _programmes(world: World) -> Nest:
    one = preset("research").digest
    return Nest("lou", {"old": one, "new": one}, {"new": "e" * 64})


@nest("application-team-command")
def _team_of_application(world: World) -> Nest:
    return Nest("finn", {"application_id": application_of(world).pk, "name": "invite"}, {"name": "take"})


@nest("grant-team-command")
def _team_of_grant(world: World) -> Nest:
    return Nest("cleo", {"grant_id": world.grants["cleo"].pk, "name": "invite"}, {"name": "ask"})


@nest("agreement-draft-command")
def _draft(world: World) -> Nest:
    draft = AgreementDraft.objects.create(
        text="x", effective_from=world.at + DAY, reason="x", edited_by="x", edited_at=world.at, created_at=world.at
    )
    return Nest("ivy", {"pk": draft.pk, "name": "retire"}, {"name": "supersede"})


@nest("grant-terms")
def _terms(world: World) -> Nest:
    return Nest("ivy", {"grant_id": world.grants["cleo"].pk, "name": "offer"}, {"name": "waive"})


@nest("grant-closing")
def _closing(world: World) -> Nest:
    return Nest("dan", {"grant_id": world.grants["dan"].pk, "name": "report"}, {"name": "suspend"})


@nest("grant-engagement")
def _engagement(world: World) -> Nest:
    return Nest("ivy", {"grant_id": world.grants["cleo"].pk, "name": "engage"}, {"name": "close"})


# --- Children of another parent --------------------------------------------------------------------------------------


@nest("proposal-answer")
def _vote(world: World) -> Nest:
    mine, other = (vote_on(size, world) for size in two_sizes(world))
    own = {"pk": mine.lock.proposal_id, "vote_id": mine.pk}
    return Nest("jo", own, {"vote_id": other.pk}, {"pk": other.lock.proposal_id}, {"answer": "It was looked at."})


@nest("waiver-agree")
def _waiver(world: World) -> Nest:
    mine, other = (waiver_on(size, world) for size in two_sizes(world))
    own = {"pk": mine.proposal_id, "waiver_id": mine.pk}
    data = {"role": "release_manager", "reason": "It can wait."}
    return Nest("ada", own, {"waiver_id": other.pk}, {"pk": other.proposal_id}, data)


@nest("comment-answer")
def _answered(world: World) -> Nest:
    return _comment(world, "ada")


@nest("comment-hide")
def _hidden(world: World) -> Nest:
    return _comment(world, "ben")


def _comment(world: World, asks: str) -> Nest:
    mine, other = (comment_on(size, world) for size in two_sizes(world))
    own = {"pk": mine.window.proposal_id, "comment_id": mine.pk}
    return Nest(asks, own, {"comment_id": other.pk}, {"pk": other.window.proposal_id})


@nest("application-seat-command", "api-application-seat-undo")
def _seat_of_application(world: World, **data: Any) -> Nest:
    mine, other = application_of(world), application_of(world, by="lou")
    seats = [seat_on(world, application=one) for one in (mine, other)]
    own = {"application_id": mine.pk, "seat_id": seats[0].pk, "name": "undo"}
    return Nest("finn", own, {"seat_id": seats[1].pk}, None, {"expected_version": 1, **data})


@nest("api-application-seat-remove")
def _removed_from_application(world: World) -> Nest:
    return _seat_of_application(world, reason="x")


@nest("grant-seat-command", "api-grant-seat-undo")
def _seat_of_grant(world: World, **data: Any) -> Nest:
    mine, other = (seat_on(world, grant=world.grants[name]) for name in ("cleo", "dan"))
    own = {"grant_id": world.grants["cleo"].pk, "seat_id": mine.pk, "name": "undo"}
    return Nest("cleo", own, {"seat_id": other.pk}, None, {"expected_version": 1, **data})


@nest("api-grant-seat-remove")
def _removed_from_grant(world: World) -> Nest:
    return _seat_of_grant(world, reason="x")


@nest("grant-duty", "api-grant-duty-hand-in")
def _duty(world: World) -> Nest:
    mine, other = (
        Obligation.objects.create(grant=world.grants[name], code="Q06", what="x", created_at=world.at)
        for name in ("cleo", "dan")
    )
    own = {"grant_id": world.grants["cleo"].pk, "pk": mine.pk, "name": "hand_in"}
    return Nest("cleo", own, {"pk": other.pk}, None, {"expected_version": 1, "said": "Done."})


@nest("grant-duty-file", "api-grant-duty-file")
def _duty_file(world: World) -> Nest:
    kept, others = (_handed_in(world, name) for name in ("cleo", "eve"))
    own = {"grant_id": world.grants["cleo"].pk, "pk": kept.obligation_id, "file_id": kept.pk}
    return Nest("cleo", own, {"file_id": others.pk})


def _handed_in(world: World, name: str) -> DutyFile:
    """A file with a duty of somebody's grant."""
    duty = Obligation.objects.create(grant=world.grants[name], code="Q06", what="x", created_at=world.at)
    hand_in_with(world.actor(name), duty.pk, LETTER, said="Done.", expected_version=1, at=world.at)
    return duty.files.get()


@nest(
    "attachment", "attachment-remove", "api-attachment", "api-attachment-content", "api-attachment-remove",
)  # fmt: skip
def _attachment(world: World) -> Nest:
    mine, other = application_of(world, state="draft"), application_of(world, by="lou", state="draft")
    kept = attach_file(world.actor("finn"), mine.pk, LETTER, at=world.at)
    others = attach_file(world.actor("lou"), other.pk, LETTER, at=world.at)
    return Nest("finn", {"application_id": mine.pk, "attachment_id": kept.pk}, {"attachment_id": others.pk})


@nest("evidence-review")
def _evidence(world: World) -> Nest:
    sizes = two_sizes(world)
    revision = world.size.current_revision
    assert revision is not None
    register_revision(demo.DEMO, sizes[1].slug, revision.digest, django_settings.STORE_ROOT, source="x", at=world.at)
    mine, other = (measure_now(world.actor("jo"), fresh(size), "C01", at=world.at) for size in sizes)
    lab, _, name = other.size.slug.partition("/")
    return Nest("ben", {**size_in(world), "pk": mine.pk}, {"pk": other.pk}, {"lab": lab, "name": name})


# --- What the rows stand on ------------------------------------------------------------------------------------------


def size_in(world: World) -> dict[str, str]:
    """The served size, as addresses name it."""
    lab, _, name = SERVED.partition("/")
    return {"lab": lab, "name": name}


def two_sizes(world: World) -> list[ModelSize]:
    """The served size, and another that everybody may see."""
    other = ModelSize.objects.exclude(pk=world.size.pk).filter(standing__stage="disclosed").first()
    assert other is not None
    return [world.size, other]


def fresh(size: ModelSize) -> ModelSize:
    """The size as the database holds it now."""
    return ModelSize.objects.select_related("standing", "family").get(pk=size.pk)


def seat_on(world: World, **on: Any) -> Seat:
    """An invitation that nobody has answered."""
    return Seat.objects.create(
        mail="somebody@example.org", invited_by_name="x", invited_at=world.at, ends_at=world.at + DAY, **on
    )


def application_of(world: World, slug: str = SERVED, *, by: str = "finn", state: str = "submitted") -> Application:
    """An application of somebody's that waits."""
    return Application.objects.create(
        applicant=world.people[by], size=ModelSize.objects.get(slug=slug), state=state, purpose_code="P01",
        purpose="x", affiliation="x", intended_use="x", functions=["generate"],
        requested_end=world.at.date() + 90 * DAY,
        created_at=world.at, saved_at=world.at, submitted_at=world.at, due_at=world.at + 5 * DAY,
    )  # fmt: skip


def vouching_of(world: World, slug: str = SERVED) -> Attestation:
    """A referee who was asked for an application of finn's."""
    application = application_of(world, slug)
    return Attestation.objects.create(
        application=application, kind="referee", state="requested", name="x", mail="x@y.example", named_at=world.at,
        asked_at=world.at, mailed_at=world.at, expires_at=world.at + DAY,
    )  # fmt: skip


def proposal_on(size: ModelSize, world: World, state: str = "in_review") -> Proposal:
    """A proposal of the next stage that is voted on, or still prepared."""
    policy = policy_in_force(size, world.at)
    (gate, *_) = policy.gates_from(size.standing.stage)
    return Proposal.objects.create(
        size=size, source=gate.source, target=gate.target, state=state, rationale="x", policy_id=policy.digest,
        opened_by_id=world.actors["jo"].id, opened_by="jo", opened_at=world.at,
    )  # fmt: skip


def vote_on(size: ModelSize, world: World) -> Vote:
    """An objection that nobody has answered."""
    digest = hashlib.sha256(size.slug.encode()).hexdigest()
    lock = Lock.objects.create(
        proposal=proposal_on(size, world), number=1, digest=digest, material={}, results=[], locked_by="jo",
        locked_by_id=world.actors["jo"].id, locked_at=world.at,
    )  # fmt: skip
    return Vote.objects.create(
        lock=lock, person_id=world.actors["ben"].id, person="ben", role="safety_reviewer", verdict="object", reason="x",
        conflict_note="none", confirmed_at=world.at, at=world.at, proposer_id=world.actors["jo"].id,
    )  # fmt: skip


def waiver_on(size: ModelSize, world: World) -> Waiver:
    """A waiver that somebody asked for."""
    return Waiver.objects.create(
        proposal=proposal_on(size, world, "collecting"), criterion="C07", reason="x", asked_by_id=world.actors["jo"].id,
        asked_by="jo", asked_at=world.at, ends_at=world.at + DAY,
    )  # fmt: skip


def comment_on(size: ModelSize, world: World) -> Comment:
    """A comment that nobody has answered."""
    window = CommentWindow.objects.create(
        proposal=proposal_on(size, world), kind="comment", text="x", opened_by="jo", opened_at=world.at,
        closes_at=world.at + DAY,
    )  # fmt: skip
    return Comment.objects.create(window=window, author="x", text="x", at=world.at, is_objection=True)


# --- The sweep -------------------------------------------------------------------------------------------------------


def test_T2_every_nested_address_stands_in_the_table_and_the_table_names_no_other() -> None:
    assert set(NESTED) == nested()


class JsonClient(Client):
    """A program that asks as one of the cast."""

    def __init__(self, world: World, who: str) -> None:
        _, secret = create_token(world.actor(who), world.people[who], name="x", scopes=tuple(SCOPES), at=world.at)
        super().__init__(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})

    def get(self, path: str, data: Any = None, **more: Any) -> Any:  # type: ignore[override]
        """Read; what a form would hold is no question."""
        return super().get(path, **more)

    def post(self, path: str, data: Any = None, **more: Any) -> Any:  # type: ignore[override]
        """Send JSON."""
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        return super().post(path, data, content_type="application/json", headers=headers, **more)


def answers_of(world: World, client: Any, name: str, made: Nest, changes: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """What GET and POST say to an address; what they changed is undone."""
    url = address(name, {**made.own, **changes})
    for method in ("get", "post"):
        with transaction.atomic():
            before = AuditEvent.objects.count()
            code = getattr(client, method)(url, made.data).status_code
            assert AuditEvent.objects.count() == before or changes != made.foreign, "something was done"
            transaction.set_rollback(True)
        yield method, code


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(NESTED))
def test_T2_what_is_no_child_of_this_parent_is_nothing_under_it(
    world: World, client_of: Callable[[str], Any], name: str
) -> None:
    """Each address is asked with its own child as well, so that a refusal is the nesting's."""
    made = NESTED[name](world)
    client = JsonClient(world, made.asks) if name.startswith("api-") else client_of(made.asks)
    codes = dict(answers_of(world, client, name, made, made.foreign))
    right = dict(answers_of(world, client, name, made, {}))
    offered = {method for method, code in right.items() if code != 405}
    writes_or_reads = "post" if "post" in offered else "get"
    assert codes[writes_or_reads] == 404
    assert all(codes[method] in (303, 404) for method in offered), "leads back to the parent, or is nothing"
    assert right[writes_or_reads] not in (401, 403, 404, 500), "the right address is something: the nesting refused"
    if made.elsewhere is not None:
        there = dict(answers_of(world, client, name, made, {**made.foreign, **made.elsewhere}))
        assert there[writes_or_reads] not in (401, 403, 404, 500), "and the child is something under its own parent"
