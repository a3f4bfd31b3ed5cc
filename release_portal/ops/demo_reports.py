"""Demo reports of misuse in several states, so that the desk is not empty on first sight."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.misuse.filing import Filing, file_report, write_by_code
from release_portal.misuse.models import MisuseReport
from release_portal.misuse.report_rules import Verdict
from release_portal.misuse.services import Triage, close_report, triage, write_to_reporter

SIZE = "huggingfacetb/smollm2-135m-instruct"
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)

REVIEWS = Filing(
    what="A shop shows forty reviews that all sound the same. The owner boasts that a model wrote them.",
    evidence="This kettle changed my mornings. Five stars! / This toaster changed my mornings. Five stars!",
    contact="reader@example.org",
    link="https://shop.example/kettles",
    category="FRAUD",
    size=SIZE,
)
THREAT = Filing(
    what="Somebody posts machine-made threats against a named teacher.",
    evidence="https://forum.example/thread/17",
    category="INCITE",
)
NUMBER = Filing(
    what="A published sample holds what looks like a real telephone number.",
    evidence="Call me at the number above, said the scientist, and we will talk about the unicorns.",
    category="PII",
)
ESSAY = Filing(
    what="One of my students handed in an essay that I do not believe.", evidence="The Treaty of Westphalia ..."
)
SAME_SHOP = Filing(
    what="The kettle shop again.", evidence="This kettle changed my mornings. Five stars!", category="FRAUD"
)
COMMENTS = Filing(
    what="A hearing received three hundred comments in a week, all in the same three shapes.",
    evidence="As a concerned citizen I support the proposal for the following reasons.",
    category="INFLUENCE",
)
FORUM = Filing(
    what="Our forum fills with posts that never answer anybody.",
    evidence="Great point! I also think that this is a great point.",
    category="SPAM",
)


@transaction.atomic
def write_reports(*, at: dt.datetime) -> None:
    """File a few reports and let the demo's officers answer them; once there are any, nothing is added."""
    if MisuseReport.objects.exists():
        return
    people = {user.username: actor_of(user) for user in User.objects.filter(username__in=("ben", "olu"))}
    ben, olu = people["ben"], people["olu"]
    _file(THREAT, at - HOUR / 4)
    _file(NUMBER, at - 5 * HOUR)
    shop = _accept(ben, _file(REVIEWS, at - 2 * DAY), Triage("accept", 2, "FRAUD", SIZE), at - DAY)
    _merge(olu, _file(SAME_SHOP, at - 20 * HOUR), shop, at - 19 * HOUR)
    _accept(olu, _file(COMMENTS, at - 3 * DAY), Triage("accept", 2, "INFLUENCE"), at - 2 * DAY)
    _decline(ben, _file(ESSAY, at - 9 * DAY), at - 7 * DAY)
    _ask_and_close(ben, at - 20 * DAY)


def _file(filing: Filing, at: dt.datetime) -> MisuseReport:
    return file_report(ANONYMOUS, filing, address="", at=at)[0]


def _accept(actor: Actor, report: MisuseReport, found: Triage, at: dt.datetime) -> MisuseReport:
    return triage(actor, report.pk, found, expected_version=report.version, at=at)


def _merge(actor: Actor, report: MisuseReport, target: MisuseReport, at: dt.datetime) -> None:
    found = Triage(Verdict.MERGE.value, duplicate_of=target.pk)
    triage(actor, report.pk, found, expected_version=report.version, at=at)


def _decline(actor: Actor, report: MisuseReport, at: dt.datetime) -> None:
    words = "A detector cannot tell from a text of this length. Please talk with the student."
    found = Triage(Verdict.DECLINE.value, decline_code="NOT_ENOUGH", outcome=words)
    triage(actor, report.pk, found, expected_version=report.version, at=at)


def _ask_and_close(actor: Actor, at: dt.datetime) -> None:
    """A whole case: a question, an answer, a verdict, an outcome."""
    report, code = file_report(ANONYMOUS, FORUM, address="", at=at)
    question = "Since when do these posts come, and how many a day?"
    write_to_reporter(actor, report.pk, question, is_question=True, expected_version=report.version, at=at + 3 * HOUR)
    write_by_code(code, "Since about two weeks, some thirty a day.", at=at + DAY)
    report.refresh_from_db()
    report = _accept(actor, report, Triage("accept", 1, "SPAM"), at + 2 * DAY)
    close_report(
        actor,
        report.pk,
        outcome_code="CONFIRMED_OTHER_MODEL",
        outcome="The posts stand nowhere in our record. The forum's own settings named another service.",
        releases_hold=False,
        expected_version=report.version,
        at=at + 6 * DAY,
    )
