"""Demo applications: one in each state that people meet, and the agreement that they accept."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from release_portal.access.agreements.services import FIRST_TEXT, publish_agreement, sign_agreement
from release_portal.access.application_rules import Answers
from release_portal.access.applications import save_application, submit_application, withdraw_application
from release_portal.access.conditions import USUAL, Conditions
from release_portal.access.models import AgreementVersion, Application, Grant
from release_portal.access.quota import Limits
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.core.actors import Actor

DAY = dt.timedelta(days=1)


def write_agreement(actor: Actor, *, at: dt.datetime) -> AgreementVersion:
    """Publish the first agreement, unless one is there; who holds a demo grant has signed it."""
    if found := AgreementVersion.objects.first():
        return found
    version = publish_agreement(actor, FIRST_TEXT.read_text(encoding="utf-8"), effective_from=at, at=at)
    for holder in User.objects.filter(is_demo=True, grants__isnull=False).distinct():
        sign_agreement(actor_of(holder), holder, version, at=at)
    return version


@transaction.atomic
def write_applications(actor: Actor, size: str, *, at: dt.datetime) -> None:
    """Write the demo applications for one size, unless any application is there."""
    write_agreement(actor, at=at - 60 * DAY)
    if Application.objects.exists():
        return
    people = {user.username: actor_of(user) for user in User.objects.filter(is_demo=True)}
    _write_ended(people, size, at)
    _write_open(people, size, at)


def _write_open(people: dict[str, Actor], size: str, at: dt.datetime) -> None:
    """Finn waits, gia is asked, dan renews, kim has only begun."""
    _submit(people["finn"], size, _detection(at), at - DAY)
    asked = _submit(people["gia"], size, _audit(at), at - 4 * DAY)
    question = "Which of your colleagues see the outputs, and how long do you keep them?"
    ask_applicant(people["ivy"], asked.pk, question=question, expected_version=asked.version, at=at - 2 * DAY)
    ended = Grant.objects.filter(holder_id=people["dan"].account_id).first()
    _submit(people["dan"], size, _evaluation(at), at - 7 * DAY, renews=ended.pk if ended else "")
    begun = Answers(purpose_code="P11", purpose="A seminar on how models are evaluated; to be described.")
    save_application(people["kim"], size, begun, expected_version=0, at=at - 3 * DAY)


def _write_ended(people: dict[str, Actor], size: str, at: dt.datetime) -> None:
    """Gia was refused with a reason that can be met, finn withdrew, cleo's grant was renewed."""
    refused = _submit(people["gia"], size, _product(at), at - 30 * DAY)
    refuse_application(
        people["ivy"],
        refused.pk,
        code="outside_agreement",
        text="The application names a product and a launch, and the agreement covers research only.",
        expected_version=refused.version,
        at=at - 27 * DAY,
    )
    withdrawn = _submit(people["finn"], size, _evaluation(at), at - 20 * DAY)
    withdraw_application(people["finn"], withdrawn.pk, expected_version=withdrawn.version, at=at - 19 * DAY)
    running = Grant.objects.filter(holder_id=people["cleo"].account_id).first()
    renewal = _submit(people["cleo"], size, _detection(at), at - 2 * DAY, renews=running.pk if running else "")
    given = Conditions(renewal.answers().functions, renewal.requested_end, _limits_of(running))
    note = "Thank you for the error curves that you published."
    approve_application(people["ivy"], renewal.pk, given, expected_version=renewal.version, at=at, note=note)


def _limits_of(grant: Grant | None) -> Limits:
    return Limits(grant.tokens_per_day, grant.requests_per_minute, grant.concurrent) if grant else USUAL


def _submit(person: Actor, size: str, answers: Answers, at: dt.datetime, renews: str = "") -> Application:
    agreement = AgreementVersion.objects.in_force(at)
    assert agreement is not None
    shown = {"agreement_hash": agreement.sha256, "expected_version": 0, "renews": renews}
    return submit_application(person, size, answers, at=at, **shown)  # type: ignore[arg-type]


def _detection(at: dt.datetime) -> Answers:
    return Answers(
        purpose_code="P01",
        purpose="How short can a text be before curvature and rank tests stop telling it from a human one? "
        "We compare three small models on news, reviews and essays of 50 to 400 words.",
        affiliation="Institute for Language Technology, text forensics group",
        intended_use="About 20,000 short texts, kept on our server for two years, seen by three people of the group. "
        "We publish error curves and 200 marked samples.",
        functions=("generate", "detect"),
        requested_end=(at + 180 * DAY).date(),
    )


def _audit(at: dt.datetime) -> Answers:
    return Answers(
        purpose_code="P03",
        purpose="Whether completions about occupations differ by the name in the prompt, with a pre-registered test.",
        affiliation="Independent",
        intended_use="Outputs are scored automatically and deleted after the paper; the prompts are published.",
        functions=("detect", "generate"),
        requested_end=(at + 90 * DAY).date(),
    )


def _evaluation(at: dt.datetime) -> Answers:
    return Answers(
        purpose_code="P08",
        purpose="Repeat our evaluation of small models on the corrected test sets, which changed since last year.",
        affiliation="University computing centre, evaluation team",
        intended_use="Scores only; completions are kept for one year so that others can check them.",
        functions=("detect", "generate"),
        requested_end=(at + 120 * DAY).date(),
    )


def _product(at: dt.datetime) -> Answers:
    return Answers(
        purpose_code="P14",
        purpose="Suggest replies in our customer mail before the launch in spring.",
        affiliation="A company of forty people",
        intended_use="Drafts are shown to staff, who send them.",
        functions=("generate",),
        requested_end=(at + 150 * DAY).date(),
    )
