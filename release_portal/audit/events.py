"""The closed catalogue of events: what is written down, in which words, and what the public may read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EventKind:
    """One kind of act.

    Args:
        kind: stable slug, `<noun>.<past participle>`.
        label: sentence part for people.
        public: whether the public timeline of the subject shows it.
    """

    kind: str
    label: str
    public: bool = False


_ALL = (
    EventKind("catalogue.loaded", "catalogue facts loaded"),
    EventKind("size.registered", "size registered", public=True),
    EventKind("revision.imported", "weights imported", public=True),
    EventKind("stage.set", "stage recorded from the public record", public=True),
    EventKind("stage.advanced", "advanced to a wider stage", public=True),
    EventKind("stage.rolled_back", "rolled back to a narrower stage", public=True),
    EventKind("card.published", "model card published", public=True),
    EventKind("account.created", "account created"),
    EventKind("account.exported", "own data exported"),
    EventKind("role.given", "role given"),
    EventKind("role.taken", "role taken"),
    EventKind("token.created", "API token created"),
    EventKind("token.revoked", "API token revoked"),
    EventKind("grant.created", "grant created"),
    EventKind("grant.suspended", "grant suspended"),
    EventKind("grant.suspension_confirmed", "suspension confirmed by a second officer"),
    EventKind("grant.lifted", "suspension lifted"),
    EventKind("grant.suspension_lapsed", "suspension lapsed unconfirmed"),
    EventKind("grant.surrendered", "grant given up by its holder"),
    EventKind("grant.expired", "grant ended"),
    EventKind("grant.renewed", "grant renewed"),
    EventKind("receipt.completed", "receipt of a withdrawal completed"),
    EventKind("agreement.published", "agreement version published"),
    EventKind("agreement.signed", "agreement accepted"),
    EventKind("programme.stored", "programme of access stored"),
    EventKind("programme.published", "programme of access published"),
    EventKind("application.started", "application started"),
    EventKind("application.submitted", "application submitted"),
    EventKind("application.asked", "question asked"),
    EventKind("application.answered", "question answered"),
    EventKind("application.claimed", "application looked at"),
    EventKind("application.advised", "advice noted"),
    EventKind("application.voted", "reviewed; another person must agree"),
    EventKind("application.approved", "application approved"),
    EventKind("application.refused", "application refused"),
    EventKind("application.withdrawn", "application withdrawn"),
    EventKind("application.lapsed", "application lapsed"),
    EventKind("application.reopened", "application opened again by an appeal"),
    EventKind("grant.revocation_proposed", "revocation proposed; the grant is suspended"),
    EventKind("grant.revoked", "grant revoked by a second person"),
    EventKind("grant.reinstated", "grant restored by an appeal"),
    EventKind("seat.invited", "member invited"),
    EventKind("seat.undone", "invitation taken back"),
    EventKind("seat.joined", "member joined and signed"),
    EventKind("seat.declined", "invitation declined"),
    EventKind("seat.left", "member left"),
    EventKind("seat.removed", "member removed"),
    EventKind("seat.expired", "seat or invitation ended"),
    EventKind("seat.suspended", "member suspended"),
    EventKind("seat.suspension_confirmed", "suspension of a member confirmed by a second officer"),
    EventKind("seat.lifted", "suspension of a member lifted"),
    EventKind("seat.suspension_lapsed", "suspension of a member lapsed unconfirmed"),
    EventKind("seat.reinstated", "seat of a member restored by an appeal"),
    EventKind("cohort.asked", "cohort asked for"),
    EventKind("cohort.opened", "cohort opened; seats and end are fixed"),
    EventKind("cohort.deputy_named", "deputy named"),
    EventKind("cohort.lead_left", "the lead left the cohort"),
    EventKind("cohort.lead_lost", "the lead lost the account"),
    EventKind("cohort.taken_over", "the deputy took the cohort over"),
    EventKind("cohort.paused", "cohort paused for want of a lead"),
    EventKind("cohort.closed", "cohort closed"),
    EventKind("appeal.filed", "appeal filed"),
    EventKind("appeal.accepted", "appeal taken in"),
    EventKind("appeal.dismissed", "appeal declared inadmissible"),
    EventKind("appeal.assigned", "appeal given to the one who decides"),
    EventKind("appeal.asked", "appellant asked"),
    EventKind("appeal.answered", "appellant answered"),
    EventKind("appeal.decided", "appeal decided"),
    EventKind("appeal.executed", "decision on the appeal carried out"),
    EventKind("appeal.closed", "appeal closed"),
    EventKind("mail.retried", "failed mail tried again"),
    EventKind("hold.raised", "hold raised", public=True),
    EventKind("hold.confirmed", "restriction confirmed by a second officer"),
    EventKind("hold.released", "hold released", public=True),
    EventKind("hold.lapsed", "restriction lapsed unconfirmed", public=True),
    EventKind("narrowing.confirmed", "roll-back confirmed by a second person"),
    EventKind("narrowing.lapsed", "roll-back lapsed unconfirmed", public=True),
    EventKind("stage.reviewed", "stage reviewed", public=True),
    EventKind("stage.stepped_down", "stepped down after a missed review", public=True),
    EventKind("sunset.announced", "retirement announced", public=True),
    EventKind("sunset.called_off", "retirement called off", public=True),
    EventKind("size.archived", "archived: the announced retirement came", public=True),
    EventKind("size.withdrawal_proposed", "withdrawal proposed"),
    EventKind("size.withdrawal_lapsed", "proposed withdrawal lapsed unconfirmed"),
    EventKind("size.withdrawn", "withdrawn", public=True),
    EventKind("recall.opened", "weights recalled", public=True),
    EventKind("recall.recipient_added", "recipient added to a recall"),
    EventKind("recall.acknowledged", "recall acknowledged by a recipient"),
    EventKind("recall.deletion_stated", "deletion stated by a recipient"),
    EventKind("recall.closed", "recall closed", public=True),
    EventKind("partner_report.deposited", "partner report deposited"),
    EventKind("partner_report.answered", "adverse partner report answered"),
    EventKind("report.received", "misuse report received"),
    EventKind("report.message", "message on a misuse report"),
    EventKind("report.matched", "text of a misuse report looked up in the record of generations"),
    EventKind("report.triaged", "misuse report triaged"),
    EventKind("report.acted", "action taken on a misuse report"),
    EventKind("report.closed", "misuse report closed"),
    EventKind("evidence.attached", "evidence attached"),
    EventKind("evidence.accepted", "evidence accepted by a reviewer"),
    EventKind("evidence.rejected", "evidence rejected by a reviewer"),
    EventKind("checklist.signed", "version of the safety checklist signed", public=True),
    EventKind("proposal.opened", "release proposal opened", public=True),
    EventKind("proposal.edited", "release proposal edited"),
    EventKind("proposal.policy_moved", "release proposal moved to the policy in force", public=True),
    EventKind("proposal.collecting", "evidence for a release proposal is collected"),
    EventKind("proposal.locked", "release proposal locked", public=True),
    EventKind("proposal.submitted", "release proposal handed to its voters", public=True),
    EventKind("proposal.voted", "vote on a release proposal"),
    EventKind("proposal.answered", "objection or condition answered"),
    EventKind("proposal.changes_requested", "changes to a release proposal requested", public=True),
    EventKind("proposal.reopened", "release proposal opened again; its votes are void", public=True),
    EventKind("proposal.approved", "release proposal approved", public=True),
    EventKind("proposal.cooling", "cool-off begun"),
    EventKind("proposal.scheduled", "release proposal scheduled", public=True),
    EventKind("proposal.executing", "release proposal carried out"),
    EventKind("proposal.observing", "observation begun"),
    EventKind("proposal.monitored", "monitor of a release failed or was inconclusive"),
    EventKind("proposal.completed", "observation over", public=True),
    EventKind("proposal.rejected", "release proposal rejected by a veto", public=True),
    EventKind("proposal.expired", "release proposal expired", public=True),
    EventKind("proposal.aborted", "release proposal aborted", public=True),
    EventKind("proposal.rolled_back", "release proposal rolled back", public=True),
    EventKind("policy.stored", "release policy stored"),
    EventKind("policy.adopted", "release policy adopted"),
    EventKind("waiver.asked", "waiver asked for", public=True),
    EventKind("waiver.agreed", "waiver agreed to", public=True),
    EventKind("waiver.granted", "waiver granted", public=True),
    EventKind("window.opened", "consultation opened", public=True),
    EventKind("comment.added", "comment written"),
    EventKind("comment.answered", "comment answered"),
    EventKind("comment.hidden", "comment hidden"),
    EventKind("review.invited", "external reviewer invited"),
    EventKind("review.terms_accepted", "terms of an external review accepted"),
    EventKind("review.deposited", "report of an external reviewer deposited", public=True),
    EventKind("freeze.raised", "freeze raised", public=True),
    EventKind("freeze.lifted", "freeze lifted early", public=True),
    EventKind("duty.added", "time on duty added"),
    EventKind("duty.removed", "time on duty removed"),
    EventKind("jobs.sealed", "ended jobs sealed by their root"),
)

CATALOGUE: dict[str, EventKind] = {event.kind: event for event in _ALL}


def event_kind(kind: str) -> EventKind:
    """Return the entry of the catalogue; raises KeyError for an event that nobody declared."""
    return CATALOGUE[kind]


def public_kinds() -> frozenset[str]:
    """Return the kinds that a public timeline shows."""
    return frozenset(kind for kind, event in CATALOGUE.items() if event.public)
