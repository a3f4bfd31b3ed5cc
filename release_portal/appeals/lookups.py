"""The only way to appeals: the appellant's own, or those that deciders may read."""

from __future__ import annotations

from datetime import datetime

from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.appeals import rules
from release_portal.appeals.handlers import Appealable, decisions_about, find_decision
from release_portal.appeals.models import Appeal, AppealLink, AppealQuerySet
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, not_now
from release_portal.core.errors import NotFound
from release_portal.core.link_tokens import digest_of
from release_portal.notices.models import MailOut, Notice


def own_appeals(actor: Actor) -> AppealQuerySet:
    """Return what the actor filed, newest first."""
    return _loaded().filed_by(actor.id if rules.acts_for_itself(actor) else "")


def own_appeal(actor: Actor, appeal_id: str) -> Appeal:
    """Return one of the actor's own appeals."""
    return _one(own_appeals(actor), appeal_id)


def appealable_decisions(actor: Actor, at: datetime) -> list[Appealable]:
    """Return the decisions about the actor that they may appeal now, the latest first."""
    person = User.objects.filter(pk=actor.account_id).first() if rules.acts_for_itself(actor) else None
    found = decisions_about(person, at) if person else []
    return sorted((one for one in found if may_appeal(one, at)), key=lambda one: one.decided_at, reverse=True)


def appeals_to_decide(actor: Actor) -> AppealQuerySet:
    """Return every appeal for those who may decide; somebody's own is not among them."""
    if actor.scopes is not None or not actor.has_role(*rules.DECIDERS):
        return Appeal.objects.none()
    return _loaded().exclude(appellant_id=actor.account_id)


def appeal_to_decide(actor: Actor, appeal_id: str) -> Appeal:
    """Return one appeal, for those who may decide."""
    return _one(appeals_to_decide(actor), appeal_id)


def decision_on(name: str, actor: Actor, appeal: Appeal) -> Decision:
    """Return whether the actor may give a command on an appeal now; pages ask the same as services."""
    return rules.decide_command(
        name,
        appeal.state,
        actor,
        appellant_id=str(appeal.appellant_id),
        assigned_id=appeal.assigned_id,
        decided_by=appeal.decided_by_ids,
    )


def free_deciders(appeal: Appeal) -> list[User]:
    """Return who may decide on an appeal: a role, no part in the decision, not the appellant."""
    holders = User.objects.filter(role_assignments__role__in=rules.DECIDERS, is_active=True).distinct()
    free = holders.exclude(pk=appeal.appellant_id).order_by("pk")
    return [user for user in free if str(user.pk) not in appeal.decided_by_ids and actor_of(user).is_person]


def appeal_against(subject: str) -> Appeal | None:
    """Return the appeal against a decision that counts: an inadmissible one does not."""
    return Appeal.objects.filter(subject=subject).exclude(state=rules.INADMISSIBLE).first()


def decision_to_appeal(actor: Actor, subject: str, at: datetime) -> Appealable:
    """Return a decision about the actor."""
    found = find_decision(subject, at)
    if not rules.acts_for_itself(actor) or actor.account_id != found.person.pk:
        raise NotFound("There is nothing here.", change="Decisions that can be appealed say so on their page.")
    return found


def may_appeal(found: Appealable, at: datetime) -> Decision:
    """Return whether a decision can be appealed now: as things stand, once, and in time."""
    if not found.may_appeal:
        return found.may_appeal
    if appeal_against(found.subject) is not None:
        reason, change = "This decision was appealed already.", "Follow that appeal."
        return not_now("appealed", reason, "appeal: file", change)
    return rules.may_file(delivered_at(found), at)


def delivered_at(found: Appealable) -> datetime | None:
    """Return when the person was proven to know of a decision: mail that went out, or a notice that was read.

    A decision about which no notice was written counts from when it was taken.
    """
    notices = Notice.objects.filter(pk__in=AppealLink.objects.filter(subject=found.subject).values("notice_id"))
    notice = notices.first()
    if notice is None:
        return found.decided_at
    mail = MailOut.objects.filter(dedupe_key=f"notice:{notice.pk}").first()
    known = [moment for moment in (notice.read_at, mail.sent_at if mail else None) if moment is not None]
    return min(known) if known else None


def decision_by_link(token: str, at: datetime, *, is_locked: bool = False) -> tuple[AppealLink, Appealable]:
    """Return the decision to which a link belongs; a link that is wrong, used or too late has one answer."""
    links = AppealLink.objects.select_for_update() if is_locked else AppealLink.objects.all()
    link = links.filter(digest=digest_of(token), used_at=None).first()
    if link is None:
        raise _no_link()
    try:
        found = find_decision(link.subject, at)
    except NotFound as error:
        raise _no_link() from error
    if found.person.pk != link.account_id or not may_appeal(found, at):
        raise _no_link()
    return link, found


def _no_link() -> NotFound:
    return NotFound(
        "This link does not open anything.",
        change="It works once and for six months. Signed in you find your decisions on their own pages.",
    )


def _loaded() -> AppealQuerySet:
    return Appeal.objects.select_related("appellant").prefetch_related("questions")


def _one(found: AppealQuerySet, appeal_id: str) -> Appeal:
    appeal = found.filter(pk=appeal_id).first()
    if appeal is None:
        raise NotFound("There is nothing here.", change="Your decisions and their appeals stand on their own pages.")
    return appeal
