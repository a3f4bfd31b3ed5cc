"""Every page of ours, at desktop and phone width, has no axe violation and no sideways scrolling."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver, get_resolver
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE, Open, shot
from tests.stack.portal import Portal
from tests.stack.test_openai_batches import begin

pytestmark = pytest.mark.browser

MODEL = "huggingfacetb/smollm2-135m-instruct"
SIZE = f"/sizes/{MODEL}/"

# Name of the address -> who opens it, and the path, with ids filled in from the demo data.
PAGES: dict[str, tuple[str, str]] = {
    "catalogue": ("", "/"),
    "family": ("", "/families/{family}/"),
    "size": ("cleo", SIZE),
    "size-alias": ("", "/sizes/gpt2-xl/"),
    "size-card": ("", SIZE + "card/"),
    "size-timeline": ("", "/sizes/openai/gpt2-1558m/timeline/"),
    "size-move": ("ada", "/sizes/huggingfacetb/smollm2-1.7b-instruct/move/"),
    "size-hold": ("ben", SIZE + "hold/"),
    "size-withdraw": ("ben", SIZE + "withdraw/"),
    "size-recall": ("ben", SIZE + "recall/"),
    "size-review": ("ada", SIZE + "review/"),
    "size-partner-reports": ("hal", SIZE + "partner-reports/"),
    "recall-notice": ("ada", "/recall-notices/{recall_notice}/"),
    "card-edit": ("ada", SIZE + "card/edit/"),
    "card-diff": ("", SIZE + "card/diff/?from=1&to=1"),
    "playground": ("cleo", SIZE + "playground/"),
    "apply": ("cleo", "/sizes/meta/opt-175b/apply/"),
    "applications": ("finn", "/applications/"),
    "application": ("finn", "/applications/{application}/"),
    "attestation": ("finn", "/applications/{application}/attestations/referee/"),
    "attestation-link": ("", "/attestations/link/a-link-to-vouch/"),
    "agreement": ("", "/agreements/1/"),
    "agreements": ("", "/agreements/"),
    "agreement-desk": ("ivy", "/staff/agreements/"),
    "agreement-draft-new": ("ivy", "/staff/agreements/new/"),
    "agreement-draft": ("ada", "/staff/agreements/drafts/{draft}/"),
    "application-team": ("kim", "/applications/{own_draft}/team/"),
    "programmes": ("", "/programmes/"),
    "programme": ("", "/programmes/{programme}/"),
    "programme-diff": ("", "/programmes/{programme}/to/{other_programme}/"),
    "programme-new": ("ivy", "/programmes/new/"),
    "programme-publish": ("ivy", "/programmes/{programme}/publish/"),
    "review-figures": ("ivy", "/staff/applications/figures/"),
    "grant-team": ("cleo", "/grants/{team_grant}/team/"),
    "seat": ("gia", "/seats/{seat}/"),
    "invitation": ("", "/invitations/link/a-link-to-join/"),
    "account-delete": ("finn", "/account/data/delete/"),
    "review-queue": ("ivy", "/staff/applications/"),
    "review": ("ivy", "/staff/applications/{application}/"),
    "appeal-new": ("eve", "/appeals/new/{decision_to_appeal}/"),
    "appeal-link": ("", "/appeals/link/a-link-for-this-test/"),
    "appeal": ("eve", "/appeals/{appeal}/"),
    "appeal-queue": ("ivy", "/staff/appeals/"),
    "appeal-desk": ("hal", "/staff/appeals/{appeal}/"),
    "notices": ("eve", "/notices/"),
    "staff-mail": ("olu", "/staff/mail/"),
    "staff-service": ("olu", "/staff/service/"),
    "generations": ("cleo", "/generations/"),
    "compare": ("cleo", "/compare/?a={job}&b={job}"),
    "generation": ("cleo", "/generations/{job}/"),
    "batches": ("cleo", "/batches/"),
    "batch": ("cleo", "/batches/{batch}/"),
    "batch-cancel": ("cleo", "/batches/{batch}/cancel/"),
    "detection": ("cleo", "/detection/"),
    "detection-report": ("cleo", "/detection/{detection}/"),
    "grants": ("eve", "/grants/"),
    "grant": ("olu", "/grants/{grant}/"),
    "staff-grants": ("ben", "/staff/grants/"),
    "account": ("cleo", "/account/"),
    "own-data": ("cleo", "/account/data/"),
    "people": ("ada", "/people/"),
    "person-roles": ("ada", "/people/{person}/roles/"),
    "audit": ("ben", "/audit/"),
    "home": ("ben", "/home/"),
    "about-stages": ("", "/about/stages/"),
    "replay": ("", "/replay/gpt2-2019/"),
    "board": ("", "/board/"),
    "excuses": ("", "/excuses/"),
    "size-excuses": ("", SIZE + "excuses/"),
    "policies": ("", "/policies/"),
    "policy": ("", "/policies/preset/"),
    "policy-diff": ("", "/policies/preset/demo-fast/"),
    "decisions": ("", "/decisions/"),
    "decision": ("", "/decisions/{decision}/"),
    "proposals": ("", "/proposals/"),
    "proposal-new": ("ada", SIZE + "proposals/new/"),
    "proposal": ("ada", "/proposals/{decision}/"),
    "checklist": ("ada", "/proposals/{decision}/checklist/"),
    "comment-window": ("", "/proposals/{decision}/comments/"),
    "workspace": ("gia", "/proposals/{decision}/review/"),
    "evidence": ("", SIZE + "evidence/"),
    "evidence-attach": ("ben", SIZE + "evidence/C07/"),
    "freezes": ("ben", "/freezes/"),
    "duty": ("olu", "/duty/"),
    "report-misuse": ("", "/report/"),
    "report-status": ("", "/report/status/"),
    "report-queue": ("ben", "/staff/reports/"),
    "report-triage": ("ben", "/staff/reports/{report}/"),
    "account_login": ("", "/accounts/login/"),
    "account_signup": ("", "/accounts/signup/"),
    "account_reset_password": ("", "/accounts/password/reset/"),
    "account_change_password": ("cleo", "/accounts/password/change/"),
    "account_email": ("cleo", "/accounts/email/"),
}
# Addresses that are no page: forms' targets, fragments, streams, files, machines' interfaces.
NO_PAGE = {
    "metrics",
    "healthz", "readyz", "style-guide", "generation-again", "generation-stream", "generation-stop", "generation-facts",
    "grant-command", "token-create", "token-revoke", "audit-verify", "own-data-export", "card-preview", "card-raw",
    "application-command", "review-command", "notice-read", "notices-read", "mail-again", "hold-command",
    "narrowing-confirm", "recall-command", "recall-notice-command", "partner-report-answer",
    "report-message", "report-command", "detection-result", "batch-progress", "batch-file", "batch-file-delete",
    "proposal-command", "proposal-vote", "proposal-answer", "waiver-ask", "waiver-agree", "window-open",
    "reviewer-invite", "comment-answer", "comment-hide", "workspace-accept", "evidence-measure", "evidence-review",
    "freeze-lift", "duty-remove", "appeal-answer", "appeal-command",
    "attestation-command", "account-keep", "agreement-draft-command", "agreement-retire", "agreement-sign",
    "agreement-withdraw", "application-seat-command", "application-team-command", "attachment", "attachment-remove",
    "attachments", "grant-closing", "grant-duty", "grant-duty-file", "grant-engagement", "grant-seat-command",
    "grant-team-command", "grant-terms", "review-batch", "seat-leave", "size-retirement",
}  # fmt: skip
ERRORS = {
    "401": ("", "/home/"),
    "403": ("finn", SIZE + "playground/"),
    "404": ("", "/sizes/nobody/nothing/"),
    "409": ("cleo", "/sizes/openai/gpt2-124m/playground/"),
}


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if not str(pattern.pattern).startswith(("v1/", "api/")):
                yield from names(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def test_every_page_is_in_the_table() -> None:
    ours = {name for name in names(get_resolver().url_patterns) if not name.startswith("account_")}
    assert ours == {name for name in PAGES if not name.startswith("account_")} | NO_PAGE


FIND = """
import json
from datetime import timedelta
from release_portal.access.agreements.drafts import Wording, write_draft
from release_portal.access.agreements.services import sign_agreement
from release_portal.access.attestations.rules import ANSWER_TIME
from release_portal.access.models import AgreementVersion, Application, Attestation, Grant, Seat
from release_portal.access.programmes.programme_files import preset
from release_portal.accounts.models import User
from release_portal.appeals.models import AppealLink
from release_portal.appeals.services import file_appeal
from release_portal.misuse.models import MisuseReport
from release_portal.moves.recalls import open_recall
from release_portal.accounts.actors import actor_of
from release_portal.core.clock import now
from release_portal.core.link_tokens import digest_of
from release_portal.registry.models import ModelFamily, ModelSize
from release_portal.releases.consultations import open_window
from release_portal.releases.external_reviews import invite_reviewer
from release_portal.releases.proposals import open_proposal
PROPOSED = ModelSize.objects.select_related("standing").get(slug="openai/gpt2-355m")
ADA = actor_of(User.objects.get(username="ada"))
decided = open_proposal(ADA, PROPOSED, "open_science", rationale="The data recipe is ready.", conditions="", at=now())
later = now() + timedelta(days=90)
open_window(ADA, decided.pk, kind="comment", text="What is missing?", closes_at=later, at=now())
GIA = User.objects.get(username="gia")
TERMS = {"terms": "Read the case.", "fee": "none", "edit_rights": "Nobody edits the report."}
invite_reviewer(ADA, decided.pk, reviewer=GIA, due_at=later, at=now(), **TERMS)
RECALLED = ModelSize.objects.get(slug="openai/gpt2-1558m")
recall = open_recall(actor_of(User.objects.get(username="ada")), RECALLED, reason="A flaw in the weights.", at=now())
recall.notices.create(recipient="A mirror", contact="by mail", sent_at=now())
EVE = User.objects.get(username="eve")
held = Grant.objects.get(holder=EVE)
past = {"state_before": "active", "reason": "Volume.", "by_id": ADA.id, "by_name": "ada", "at": now()}
first, second = (held.suspensions.create(ended_at=now(), **past).pk for _ in range(2))
first, second = f"grant:{held.pk}:suspension:{first}", f"grant:{held.pk}:suspension:{second}"
appeal = file_appeal(actor_of(EVE), first, text="The work was inside the purpose.", at=now())
AppealLink.objects.create(subject=second, account=EVE, digest=digest_of("a-link-for-this-test"), created_at=now())
filed = Application.objects.filter(applicant__username="finn", state="submitted").latest("created_at")
Attestation.objects.create(
    application=filed, kind="institution", state="opened", name="Otto Officer", mail="otto@institute.example",
    mailbox="otto@institute.example", domain="institute.example", named_at=now(), asked_at=now(), mailed_at=now(),
    expires_at=now() + ANSWER_TIME, link_digest=digest_of("a-link-to-vouch"),
)
wording = Wording("Other terms, for this test.", now() + timedelta(days=9), True, "They changed.")
draft = write_draft(actor_of(User.objects.get(username="ivy")), wording, at=now())
SEATED = User.objects.get(username="gia")
signed = sign_agreement(actor_of(SEATED), SEATED, AgreementVersion.objects.in_force(now()), at=now())
team = Grant.objects.filter(holder__username="cleo").latest("created_at")
seated = {"grant": team, "invited_by_name": "cleo", "invited_at": now(), "ends_at": later}
seat = Seat.objects.create(
    mail=SEATED.email, person=SEATED, signature=signed, affiliation="x", state="joined", joined_at=now(), **seated
)
Seat.objects.create(mail="new@institute.example", link_digest=digest_of("a-link-to-join"), **seated)
print(json.dumps({
    "draft": draft.pk,
    "own_draft": Application.objects.filter(applicant__username="kim", state="draft").latest("created_at").pk,
    "programme": preset("research").digest,
    "other_programme": preset("partner").digest,
    "team_grant": team.pk,
    "seat": seat.pk,
    "family": ModelFamily.objects.get(name="GPT-2").slug,
    "application": filed.pk,
    "grant": Grant.objects.get(holder__username="eve").pk,
    "person": User.objects.get(username="ben").pk,
    "report": MisuseReport.objects.latest("received_at").pk,
    "recall_notice": recall.notices.first().pk,
    "decision": decided.pk,
    "appeal": appeal.pk,
    "decision_to_appeal": second,
}))
"""
DETECT = """
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.core.clock import now
from release_portal.detection.services import detect
actor = actor_of(User.objects.get(username="cleo"))
print(detect(actor, {size!r}, {text!r}, at=now()).pk)
"""


@pytest.fixture(scope="module")
def ids(portal: Portal) -> dict[str, str]:
    found = json.loads(portal.ask(FIND).splitlines()[-1])
    with openai.OpenAI(base_url=f"{portal.url}/v1", api_key=portal.token("cleo")) as client:
        answer = client.completions.create(model=MODEL, prompt="A long walk by the sea:", max_tokens=150, seed=8)
        found["batch"] = begin(client, {"prompt": "The sea is", "max_tokens": 4}, {"prompt": "One", "max_tokens": 4})
    found["job"] = "job-" + answer.id.partition("-job-")[2]
    text = ("The sea was calm and the harbour slept. " * 12) + answer.choices[0].text
    found["detection"] = portal.ask(DETECT.format(size=MODEL, text=text)).splitlines()[-1]
    return found


def look(page: Page, path: str, name: str) -> list[str]:
    """Return what is wrong with one page, as sentences."""
    answer = page.goto(path)
    assert answer is not None
    expected = int(name.removeprefix("error-")) if name.startswith("error-") else 200
    assert answer.status == expected, f"{name} ({path}) answers {answer.status}"
    results = Axe().run(page)
    wrong = [
        f"{name}: {violation['id']}: {violation['help']}: {[node['target'] for node in violation['nodes']][:3]}"
        for violation in results.response["violations"]
    ]
    width = page.viewport_size["width"] if page.viewport_size else 0
    if page.evaluate("document.documentElement.scrollWidth") > width:
        wrong.append(f"{name}: scrolls sideways at {width}")
    return wrong


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_has_an_axe_violation(visitor: Open, ids: dict[str, str], size: dict[str, int]) -> None:
    wrong: list[str] = []
    everything = {**PAGES, **{f"error-{name}": value for name, value in ERRORS.items()}}
    for who in sorted({who for who, _ in everything.values()}):
        page = visitor(who, size=size)
        for name, (reader, path) in everything.items():
            if reader == who:
                wrong += look(page, path.format(**ids), name)
                shot(page, f"axe-{name}-{size['width']}")
    assert not wrong, "\n".join(wrong)
