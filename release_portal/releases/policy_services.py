"""Store policies, adopt them, and find the one that is in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, Q, QuerySet

from release_portal.accounts.roles import Role
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.registry.models import ModelFamily, ModelSize
from release_portal.releases.gate_policy import ReleasePolicy
from release_portal.releases.models import PolicyAdoption, PolicyVersion
from release_portal.releases.policy_changes import policy_diff
from release_portal.releases.policy_files import parse
from release_portal.releases.preparation import needed_text
from release_portal.releases.yaml_tables import PolicyFileError

__all__ = [
    "adopt_policy",
    "policies_in_force",
    "policy_diff",
    "policy_in_force",
    "policy_of",
    "store_policy",
    "stored_policy",
]

LONGEST_NAME = 60
KEEPERS = (Role.RELEASE_MANAGER.value, Role.ADMINISTRATOR.value)


def policy_subject(version: PolicyVersion) -> str:
    """Return how the record names a policy."""
    return f"policy:{version.name}"


# --- Storing and adopting --------------------------------------------------------------------------------------------


@transaction.atomic
def store_policy(actor: Actor, text: str, *, at: datetime) -> PolicyVersion:
    """Keep a policy file for good, without adopting it; the same file again changes nothing.

    Raises:
        NotAllowed: the actor keeps no policies.
        InvalidInput: the file is wrong, with line and reason; or another file has its name and version.
    """
    if actor.scopes is not None or not actor.has_role(*KEEPERS):
        raise NotAllowed(
            "Policies are stored by release managers and administrators.", rule="policy: store", change="Ask one."
        )
    policy = _read(text.replace("\r\n", "\n"))
    found = PolicyVersion.objects.filter(digest=policy.digest).first()
    if found is not None:
        return found
    version = _create(actor, policy, at)
    data = {"digest": version.digest, "name": version.name, "version": version.version}
    record("policy.stored", actor=actor, subject=policy_subject(version), at=at, data=data)
    return version


def _read(text: str) -> ReleasePolicy:
    try:
        policy = parse(text)
    except PolicyFileError as error:
        raise InvalidInput(f"Line {error.line}: {error.reason}.", field="text", change="Correct the file.") from None
    if len(policy.name) > LONGEST_NAME:
        raise InvalidInput(f"The name has more than {LONGEST_NAME} characters.", field="text", change="Shorten it.")
    return policy


def _create(actor: Actor, policy: ReleasePolicy, at: datetime) -> PolicyVersion:
    try:
        with transaction.atomic():
            return PolicyVersion.objects.create(
                digest=policy.digest,
                name=policy.name,
                version=policy.version,
                title=policy.title[:200],
                text=policy.text,
                stored_at=at,
                stored_by=actor.name,
            )
    except IntegrityError:
        raise InvalidInput(
            f"There is a policy {policy.name} {policy.version} already, and it says something else.",
            field="text",
            change="Give the file the next version.",
        ) from None


@transaction.atomic
def adopt_policy(actor: Actor, digest: str, *, family: ModelFamily | None, reason: str, at: datetime) -> PolicyAdoption:
    """Put a stored policy in force, for one family or for all that have none of their own; open proposals keep theirs.

    Raises:
        NotAllowed: the actor is no release manager.
        NotFound: no policy of that digest is stored.
        InvalidInput: no reason.
        NotNow: it is in force already.
    """
    if actor.scopes is not None or not actor.has_role(Role.RELEASE_MANAGER):
        raise NotAllowed("Policies are adopted by release managers.", rule="policy: adopt", change="Ask one.")
    reason = needed_text("reason", reason, "Write why; the record keeps it.")
    version = PolicyVersion.objects.select_for_update().filter(digest=digest).first()
    if version is None:
        raise NotFound("There is no such policy.", change="Store the file first.")
    if _digests(at).get(family.pk if family else None) == digest:
        raise NotNow("This policy is in force already.", code="in_force", rule="policy: adopt", change="Nothing to do.")
    adoption = PolicyAdoption.objects.create(
        policy=version,
        family=family,
        adopted_at=at,
        adopted_by_id=actor.id,
        adopted_by=actor.name,
        reason=reason,
    )
    data = {"digest": digest, "version": version.version, "family": family.slug if family else ""}
    record("policy.adopted", actor=actor, subject=policy_subject(version), at=at, reason=reason, data=data)
    return adoption


# --- Finding ---------------------------------------------------------------------------------------------------------


def stored_policies(*, with_text: bool = False) -> QuerySet[PolicyVersion]:
    """Return every stored policy; policies are public."""
    found = PolicyVersion.objects.all()
    return found if with_text else found.defer("text")


def adoptions_until(at: datetime) -> QuerySet[PolicyAdoption]:
    """Return what was adopted by that time, the oldest first."""
    return PolicyAdoption.objects.filter(adopted_at__lte=at).select_related("family").order_by("adopted_at", "id")


def shown_adoptions(families: QuerySet[ModelFamily]) -> Prefetch[Any]:
    """Load the adoptions of policies as `shown_adoptions`, without those for a family that is not shown."""
    shown = PolicyAdoption.objects.filter(Q(family=None) | Q(family__in=families.order_by().values("pk")))
    return Prefetch("adoptions", queryset=shown.select_related("family"), to_attr="shown_adoptions")


def stored_policy(name_or_digest: str) -> PolicyVersion:
    """Return a stored policy by its digest, or the highest version of a name; raises NotFound."""
    found = PolicyVersion.objects.filter(digest=name_or_digest).first()
    found = found or PolicyVersion.objects.filter(name=name_or_digest).order_by("-version").first()
    if found is None:
        raise NotFound(f"There is no policy {name_or_digest!r}.", change="Store the file first.")
    return found


def policy_of(version: PolicyVersion) -> ReleasePolicy:
    """Return what a stored file states."""
    return _parsed(version.text)


def policy_in_force(subject: ModelSize | ModelFamily, at: datetime) -> ReleasePolicy:
    """Return the policy under which this size, or this family, is released at that time.

    Raises:
        NotNow: none is adopted; silence grants nothing.
    """
    family = subject.pk if isinstance(subject, ModelFamily) else subject.family_id
    found = _by_family([family], at).get(family)
    if found is None:
        raise NotNow(
            "No policy is in force, so nothing can be released.",
            code="no_policy",
            rule="policy: in force",
            change="A release manager stores a policy and adopts it.",
        )
    return found


def policies_in_force(sizes: Iterable[ModelSize], at: datetime) -> dict[int, ReleasePolicy]:
    """Return the policy of each size, by the size's key, in two queries; a size without one is left out."""
    sizes = list(sizes)
    policies = _by_family({size.family_id for size in sizes}, at)
    return {size.pk: policies[size.family_id] for size in sizes if size.family_id in policies}


def _by_family(families: Iterable[int], at: datetime) -> dict[int, ReleasePolicy]:
    digests = _digests(at)
    chosen = {family: digests.get(family, digests.get(None)) for family in families}
    versions = PolicyVersion.objects.in_bulk({digest for digest in chosen.values() if digest})
    return {family: policy_of(versions[digest]) for family, digest in chosen.items() if digest}


def _digests(at: datetime) -> Mapping[int | None, str]:
    """Return the digest last adopted by then, by family; None stands for all the others."""
    adopted = PolicyAdoption.objects.filter(adopted_at__lte=at).order_by("adopted_at", "id")
    return dict(adopted.values_list("family_id", "policy_id"))


@lru_cache(maxsize=64)
def _parsed(text: str) -> ReleasePolicy:
    """Read each file once: the same text is the same digest, and what it states never changes."""
    return parse(text)
