"""The demo data: the catalogue, one cast of accounts, their grants, and the model that can be served."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from model_cards.first import FirstFacts, first_card
from model_cards.services import publish_card
from release_portal.access.models import Grant
from release_portal.access.quota import Limits
from release_portal.access.services import GrantTerms, confirm_suspension, create_grant, expire_grants, suspend_grant
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.accounts.services import give_role, subject_of
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.home import load_secrets
from release_portal.ops.demo_applications import write_applications
from release_portal.ops.demo_policies import write_duty, write_policies
from release_portal.ops.demo_programmes import write_programmes
from release_portal.ops.demo_reports import write_reports
from release_portal.ops.importing import Progress, import_weights
from release_portal.registry.catalogue import load_catalogue
from release_portal.registry.demo_model import demo_source
from release_portal.registry.models import ModelSize
from release_portal.registry.services import write_family
from release_portal.releases.services import register_standing

DEMO = system_actor("demo data")
DEMO_SIZE = "huggingfacetb/smollm2-135m-instruct"
# A section that is left empty, so that one advance is refused for its card.
UNFINISHED = {"huggingfacetb/smollm2-1.7b-instruct": "training_data"}
CATALOGUE_REASON = "stage as the public record shows it"


@dataclass(frozen=True)
class Person:
    """A demo account: name, roles, and the sentence that `make run` prints."""

    name: str
    first: str
    roles: tuple[str, ...]
    says: str


CAST = (
    Person("ada", "Ada", ("release_manager", "administrator"), "release manager, administrator"),
    Person("jo", "Jo", ("release_manager",), "release manager"),
    Person("ben", "Ben", ("safety_reviewer", "duty_officer"), "safety reviewer, duty officer"),
    Person("ivy", "Ivy", ("access_lead",), "access lead"),
    Person("hal", "Hal", ("partner_lead",), "partner lead"),
    Person("gia", "Gia", ("external_reviewer",), "external reviewer"),
    Person("kim", "Kim", ("board",), "board"),
    Person("olu", "Olu", ("operator", "duty_officer"), "operator, duty officer"),
    Person("cleo", "Cleo", (), "researcher, active grant"),
    Person("dan", "Dan", (), "researcher, expired grant"),
    Person("eve", "Eve", (), "researcher, suspended grant"),
    Person("finn", "Finn", (), "signed in, no grant"),
)
CLEO_LIMITS = Limits(tokens_per_day=200_000, requests_per_minute=600, concurrent=32)
OTHER_LIMITS = Limits(tokens_per_day=50_000, requests_per_minute=60, concurrent=4)


def demo_password() -> str:
    """Return the password of the demo accounts, drawn when this portal was first started."""
    return load_secrets(settings.PORTAL_HOME)["demo_password"]


def write_catalogue(actor: Actor, *, at: dt.datetime) -> None:
    """Write the catalogue's facts, and a first standing for each size that has none."""
    for facts in load_catalogue():
        for size, size_facts in write_family(actor, facts, at=at):
            since = facts.reached(size_facts)
            register_standing(actor, size, size_facts.stage, reason=CATALOGUE_REASON, at=at, since=since)


@transaction.atomic
def write_people(password: str, *, at: dt.datetime) -> None:
    """Create the cast with its roles; who is there already is left alone."""
    for person in CAST:
        if User.objects.filter(username=person.name).exists():
            continue
        user = User.objects.create_user(
            person.name, f"{person.name}@example.org", password, first_name=person.first, is_demo=True
        )
        record("account.created", actor=DEMO, subject=subject_of(user), at=at, data={"account": user.username})
        for role in person.roles:
            give_role(DEMO, user, role, reason="demo account", at=at)


@transaction.atomic
def write_grants(*, at: dt.datetime) -> None:
    """Give cleo an active grant, dan one that has ended, eve one that is suspended and confirmed."""
    if Grant.objects.exists():
        return
    size = ModelSize.objects.get(slug=DEMO_SIZE)
    people = {user.username: user for user in User.objects.filter(username__in=[person.name for person in CAST])}
    day = dt.timedelta(days=1)

    def grant(name: str, code: str, purpose: str, start: dt.datetime, end: dt.datetime, limits: Limits) -> Grant:
        terms = GrantTerms((size,), ("generate", "detect"), purpose, start, end, limits, purposes=(code,))
        return create_grant(DEMO, people[name], terms, reason="demo data", at=at)

    grant("cleo", "P01", "Detection of model-generated text", at - 30 * day, at + 180 * day, CLEO_LIMITS)
    grant("dan", "P08", "Evaluation of small models", at - 200 * day, at - 20 * day, OTHER_LIMITS)
    suspended = grant("eve", "P12", "Creative writing tools", at - 60 * day, at + 120 * day, OTHER_LIMITS)
    ben, olu = actor_of(people["ben"]), actor_of(people["olu"])
    reason = "Unusual volume from several networks; under review."
    suspend_grant(ben, suspended.pk, reason=reason, expected_version=suspended.version, at=at)
    suspended.refresh_from_db()
    confirm_suspension(
        olu, suspended.pk, reason="Logs checked.", expected_version=suspended.version, at=at + dt.timedelta(seconds=1)
    )
    expire_grants(DEMO, at=at)


def import_demo_model(*, at: dt.datetime, progress: Progress) -> None:
    """Convert and store the demo model, unless its weights are there already; then publish its card."""
    size = ModelSize.objects.get(slug=DEMO_SIZE)
    if size.current_revision is None:
        import_weights(DEMO, DEMO_SIZE, str(demo_source()), at=at, progress=progress)


def write_cards(actor: Actor, *, at: dt.datetime) -> None:
    """Publish a first card for every size that has none, from what the catalogue knows."""
    for size in ModelSize.objects.select_related("family").prefetch_related("aliases"):
        if not size.card_versions.exists():
            text = first_card(_card_facts(size), empty=UNFINISHED.get(size.slug, ""))
            publish_card(actor, size, text, summary="first card", expected_number=0, at=at)


def _card_facts(size: ModelSize) -> FirstFacts:
    return FirstFacts(
        slug=size.slug,
        name=size.name,
        family=size.family.slug,
        lab=size.family.lab,
        licence=size.family.licence,
        note=size.note,
        summary=size.family.summary,
        parameters=size.parameters,
        context=size.context,
        is_verified=size.parameters_verified,
        names=tuple(alias.name for alias in size.aliases.all()),
    )


def write_demo(*, at: dt.datetime, progress: Progress) -> None:
    """Write whatever of the demo data is missing."""
    progress("catalogue and accounts")
    if not ModelSize.objects.exists():
        write_catalogue(DEMO, at=at)
    write_people(demo_password(), at=at)
    write_policies(at=at)
    write_duty(at=at)
    write_grants(at=at)
    write_applications(DEMO, DEMO_SIZE, at=at)
    write_programmes(at=at)
    write_cards(DEMO, at=at)
    write_reports(at=at)
    import_demo_model(at=at, progress=progress)
