"""May this actor do X with this size now? One table, one function (pure)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from release_portal.access.grant_rules import (
    ACTIVE,
    CLOSED,
    EXPIRED,
    PAUSED,
    REVOKED,
    SCHEDULED,
    SURRENDERED,
    SUSPENDED,
    GrantFacts,
    state_at,
)
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.releases.hold_rules import COHORT, FEATURES, PUBLIC, Restriction
from release_portal.releases.ladder import LADDER, stage_of

POLICY_VERSION = "1"


class Action(StrEnum):
    """What can be done with a size."""

    VIEW = "view"
    READ_PAPER = "read_paper"
    READ_CARD = "read_card"
    READ_SAMPLES = "read_samples"
    GENERATE = "generate"
    DETECT = "detect"
    USE_DETECTOR = "use_detector"
    DOWNLOAD_WEIGHTS = "download_weights"
    READ_CODE = "read_code"
    READ_DATA = "read_data"
    READ_LOGBOOK = "read_logbook"

    @property
    def label(self) -> str:
        """The action as a verb phrase."""
        return self.value.replace("_", " ")


class Audience(StrEnum):
    """To whom a stage opens an action."""

    NOBODY = "nobody"
    STAFF = "staff"
    PARTNERS = "partners"  # holders of a partner grant
    GRANTEES = "grantees"  # holders of any grant for the size
    SIGNED_IN = "signed_in"
    EVERYONE = "everyone"


# Artefact actions follow the ladder's artefacts; staff read everything that can be read.
ARTEFACT_ACTIONS: dict[Action, str] = {
    Action.READ_PAPER: "paper",
    Action.READ_CARD: "card",
    Action.READ_SAMPLES: "samples",
    Action.USE_DETECTOR: "detector",
    Action.READ_CODE: "code",
    Action.READ_DATA: "data",
    Action.READ_LOGBOOK: "logbook",
}
# Which function a grant must name for an action.
GRANT_FUNCTIONS: dict[Action, str] = {
    Action.GENERATE: "generate",
    Action.DETECT: "detect",
    Action.DOWNLOAD_WEIGHTS: "weights",
}
# Which scope an API token must carry for an action.
TOKEN_SCOPES: dict[Action, str] = {Action.GENERATE: "generate", Action.DETECT: "detect"}
READ_SCOPE = "catalogue:read"
# Actions that need weights in the store.
NEEDS_WEIGHTS = frozenset({Action.GENERATE, Action.DETECT, Action.DOWNLOAD_WEIGHTS})
# Actions that end with the size itself.
USES = NEEDS_WEIGHTS | {Action.USE_DETECTOR}

_NOBODY, _PARTNERS, _GRANTEES = Audience.NOBODY, Audience.PARTNERS, Audience.GRANTEES
_SIGNED_IN, _EVERYONE, _STAFF = Audience.SIGNED_IN, Audience.EVERYONE, Audience.STAFF
#                                 S0        S1         S2          S3          S4          S5          S6          S7
_ROWS: dict[Action, tuple[Audience, ...]] = {
    Action.VIEW: (_STAFF, *[_EVERYONE] * 7),
    Action.GENERATE: (_NOBODY, _NOBODY, _PARTNERS, _GRANTEES, _SIGNED_IN, _SIGNED_IN, _SIGNED_IN, _SIGNED_IN),
    Action.DETECT: (_NOBODY, _NOBODY, _PARTNERS, _GRANTEES, _SIGNED_IN, _SIGNED_IN, _SIGNED_IN, _SIGNED_IN),
    Action.DOWNLOAD_WEIGHTS: (_NOBODY, _NOBODY, _NOBODY, _NOBODY, _NOBODY, _GRANTEES, _EVERYONE, _EVERYONE),
}


def _artefact_row(kind: str) -> tuple[Audience, ...]:
    first = next(stage.ordinal for stage in LADDER if kind in stage.artefacts)
    return tuple(_EVERYONE if stage.ordinal >= first else _STAFF for stage in LADDER)


TABLE: dict[str, dict[Action, Audience]] = {
    stage.slug: {action: row[stage.ordinal] for action, row in _ROWS.items()}
    | {action: _artefact_row(kind)[stage.ordinal] for action, kind in ARTEFACT_ACTIONS.items()}
    for stage in LADDER
}


def _mark() -> int:
    rows = [(slug, action.value, audience.value) for slug, row in TABLE.items() for action, audience in row.items()]
    digest = hashlib.sha256(repr((POLICY_VERSION, sorted(rows))).encode()).digest()
    return int.from_bytes(digest[:6], "big")  # 48 bits: every JSON reader keeps it exact


# Which table decided: a permit carries it, and dies when the portal decides by another one. It is taken from the rows,
# so that a table that changed under an old version number is another one too.
POLICY_MARK = _mark()


@dataclass(frozen=True)
class Facts:
    """Everything the decision rests on.

    Args:
        actor: who asks.
        stage: slug of the stage on which the size stands.
        is_stopped: restriction R5 is in force.
        has_weights: the store holds a current revision.
        grants: the actor's grants that name this size.
        at: the time of asking.
        restrictions: what holds in force take away; R1 is the quota's business, R5 stands in `is_stopped`.
        ending: `withdrawn` or `archived` where the size has come to its end.
    """

    actor: Actor
    stage: str
    is_stopped: bool
    has_weights: bool
    grants: tuple[GrantFacts, ...]
    at: datetime
    restrictions: tuple[Restriction, ...] = ()
    ending: str = ""


def decide(facts: Facts, action: Action) -> Decision:
    """Return whether the action is allowed, by which line of the table, and what would change a no."""
    if not _is_member(facts, Action.VIEW, TABLE[facts.stage][Action.VIEW]):
        return may_not("hidden", "The size is not disclosed.", _rule(facts, Action.VIEW), "", hide=True)
    refusals = (  # asked one after the other; a refusal is falsy, so they must not be joined by `or`
        _by_scope(facts, action),
        _by_ending(facts, action),
        _by_audience(facts, action, TABLE[facts.stage][action]),
        _by_circumstance(facts, action),
    )
    for refusal in refusals:
        if refusal is not None:
            return refusal
    return allow(_grounds(facts, action), _why_allowed(facts, action), _rule(facts, action))


def permitting_grant(facts: Facts, action: Action) -> GrantFacts | None:
    """Return the grant that carries the action: active, naming its function, and of the kind the stage asks for."""
    function = GRANT_FUNCTIONS.get(action)
    needs_partner = TABLE[facts.stage][action] is Audience.PARTNERS
    for grant in facts.grants:
        is_kind = (grant.kind == "partner" or not needs_partner) and _suspended(facts, grant.kind) is None
        if function in grant.functions and is_kind and state_at(grant, facts.at) == ACTIVE:
            return grant
    return None


def stages_by_audience(action: Action) -> dict[Audience, frozenset[str]]:
    """Return for each audience the stages at which it may act; lists are built from this."""
    return {
        audience: frozenset(slug for slug, row in TABLE.items() if row[action] is audience) for audience in Audience
    }


def _is_member(facts: Facts, action: Action, audience: Audience) -> bool:
    if audience is Audience.EVERYONE:
        return True
    if audience is Audience.SIGNED_IN:
        return facts.actor.is_person
    if audience is Audience.STAFF:
        return facts.actor.has_role(*STAFF_ROLES)
    if audience in (Audience.GRANTEES, Audience.PARTNERS):
        return facts.actor.is_person and permitting_grant(facts, action) is not None
    return False


def _by_scope(facts: Facts, action: Action) -> Decision | None:
    needed = TOKEN_SCOPES.get(action, READ_SCOPE)
    if facts.actor.scopes is None or needed in facts.actor.scopes:
        return None
    return may_not(
        "scope",
        f"This token does not carry the scope {needed}.",
        f"token scope x {action.label}",
        f"Create a token with the scope {needed} on your account page.",
    )


def _by_ending(facts: Facts, action: Action) -> Decision | None:
    """A size that was withdrawn is read about, and used no more."""
    if not facts.ending or action not in USES:
        return None
    reason = f"This size was {facts.ending}; its card and its history stay readable."
    return may_not(facts.ending, reason, f"ending: {facts.ending}", "Nothing leads back; look for a replacement.")


def _suspended(facts: Facts, cohort: str) -> Restriction | None:
    """Return the restriction R3 that is in force on a cohort."""
    return next((one for one in facts.restrictions if one.level == COHORT and one.cohort == cohort), None)


def _restricted(restriction: Restriction) -> Decision:
    """Say not now, and why, in the words of whoever restricted."""
    return not_now(
        "restricted",
        f"Use of this size is restricted ({restriction.terms}): {restriction.reason}",
        f"restriction {restriction.level}",
        "It ends when a duty officer or release manager releases the restriction.",
    )


def _by_audience(facts: Facts, action: Action, audience: Audience) -> Decision | None:
    if _is_member(facts, action, audience):
        return None
    if audience is Audience.NOBODY or audience is Audience.STAFF:
        return _stage_closed(facts, action)
    if not facts.actor.is_person:
        return may_not(
            "sign_in",
            f"To {action.label} with this size you need an account.",
            _rule(facts, action),
            "Sign in, or create an account.",
        )
    carrying = permitting_grant(replace(facts, restrictions=()), action)
    suspended = _suspended(facts, carrying.kind) if carrying else None
    return _no_grant(facts, action) if suspended is None else _restricted(suspended)


def _stage_closed(facts: Facts, action: Action) -> Decision:
    stage = stage_of(facts.stage)
    wider = [other for other in LADDER if other.ordinal > stage.ordinal and _opens(other.slug, action)]
    change = f"It opens when the size reaches {wider[0].label}." if wider else "No stage opens this."
    return may_not(
        "stage_closed",
        f"At the stage {stage.label} nobody may {action.label}. {stage.audience}",
        _rule(facts, action),
        change,
    )


def _opens(stage: str, action: Action) -> bool:
    return TABLE[stage][action] not in (Audience.NOBODY, Audience.STAFF)


def _no_grant(facts: Facts, action: Action) -> Decision:
    """Say which grant is missing, or what is wrong with the one that comes closest."""
    rule, stage = _rule(facts, action), stage_of(facts.stage)
    paused = next((g for g in facts.grants if _would_carry(facts, g, action)), None)
    if paused:
        return _paused(paused, rule)
    for state, code, change in (
        (SUSPENDED, "grant_suspended", "It can be lifted by a duty officer, or you can appeal."),
        (PAUSED, "grant_paused", "It goes on when a deputy takes over the cohort."),
        (SCHEDULED, "grant_not_started", "It opens at its start."),
        (EXPIRED, "grant_expired", "Ask for a renewal, or apply again."),
        (REVOKED, "grant_revoked", "You can appeal."),
        (SURRENDERED, "grant_surrendered", "Apply again."),
        (CLOSED, "grant_closed", "Apply again."),
    ):
        # Duties were looked at above: what rests for them alone is spoken of as if it did not.
        grant = next((g for g in facts.grants if state_at(replace(g, pauses=()), facts.at) == state), None)
        if grant:
            return may_not(code, _about(grant, state), rule, change)
    if any(state_at(grant, facts.at) in (ACTIVE, PAUSED) for grant in facts.grants):
        reason = f"Your grant for this size does not cover: {action.label}."
        return may_not("grant_scope", reason, rule, "Apply for an amendment of your grant.")
    audience = "partners with a partner grant" if stage.slug == "partner" else "researchers with an active grant"
    return may_not(
        "no_grant",
        f"At the stage {stage.label} only {audience} may {action.label}. You hold no grant for this size.",
        rule,
        "Apply for access to this size.",
    )


def _would_carry(facts: Facts, grant: GrantFacts, action: Action) -> bool:
    """Return whether only a pause stands between the grant and the action."""
    needs_partner = TABLE[facts.stage][action] is Audience.PARTNERS
    is_kind = grant.kind == "partner" or not needs_partner
    is_named = GRANT_FUNCTIONS.get(action) in grant.functions
    return is_kind and is_named and bool(grant.pauses) and state_at(grant, facts.at) == PAUSED


def _paused(grant: GrantFacts, rule: str) -> Decision:
    """Say not now, by the first duty that is overdue; what would change it is the holder's own act."""
    first = grant.pauses[0]
    return not_now(first.code, first.reason, rule, first.change)


def _about(grant: GrantFacts, state: str) -> str:
    if state == SUSPENDED:
        return f"Your grant is suspended: {grant.suspended_reason or 'no reason given'}"
    if state == PAUSED:
        return "Your cohort has had no lead for 14 days, so nothing new starts."
    if state == SCHEDULED:
        return f"Your grant starts on {grant.starts_at:%d %B %Y}."
    if state == REVOKED:
        return "Your grant was revoked."
    if state == CLOSED:
        return "Your grant has ended, and what came of it is reported."
    if state == SURRENDERED:
        return "You gave your grant up."
    return f"Your grant ended on {grant.ends_at:%d %B %Y}."


def _by_circumstance(facts: Facts, action: Action) -> Decision | None:
    if facts.is_stopped and action in NEEDS_WEIGHTS:
        return not_now(
            "restricted",
            "Use of this size is stopped by a safety restriction.",
            "restriction R5",
            "It ends when a duty officer or release manager releases the restriction.",
        )
    restriction = _restriction_on(facts, action)
    if restriction is not None:
        return _restricted(restriction)
    if not facts.has_weights and action in NEEDS_WEIGHTS:
        return not_now(
            "no_weights",
            "The weights of this size are not in this portal's store.",
            "weights in the store",
            "An operator can import them.",
        )
    return None


def _restriction_on(facts: Facts, action: Action) -> Restriction | None:
    """Return the restriction that takes the action away: its function is off, or people without a grant are."""
    function = GRANT_FUNCTIONS.get(action)
    for one in facts.restrictions:
        if one.level == FEATURES and function in one.functions:
            return one
    if function is None or permitting_grant(facts, action) is not None:
        return None
    return _suspended(facts, PUBLIC)


def _grounds(facts: Facts, action: Action) -> str:
    audience = TABLE[facts.stage][action]
    return "grant" if audience in (Audience.GRANTEES, Audience.PARTNERS) else f"open_to_{audience.value}"


def _why_allowed(facts: Facts, action: Action) -> str:
    grant = permitting_grant(facts, action)
    stage = stage_of(facts.stage)
    if grant and _grounds(facts, action) == "grant":
        return f"Your grant {grant.id} covers it until {grant.ends_at:%d %B %Y}."
    return f"The stage {stage.label} opens it to you. {stage.audience}"


def _rule(facts: Facts, action: Action) -> str:
    return f"policy {POLICY_VERSION}: stage {facts.stage} x {action.label}"
