"""T1: every URL, for every role, with somebody else's object, answers what this table says.

A new URL fails the first test until it stands in the table. Objects in the addresses are cleo's; what is not named in a
row is what everybody else gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from release_portal.accounts.services import create_token
from release_portal.audit.models import AuditEvent
from release_portal.jobs.models import Job
from release_portal.releases.models import Standing
from tests.world import SERVED, World

CAST = ("anonymous", "finn", "lou", "cleo", "dan", "eve", "gia", "ivy", "hal", "kim", "jo", "ada", "ben", "olu")
FEW = ("anonymous", "cleo", "gia", "ada")
STAFF = "ivy hal kim jo ada ben olu"
EVERYONE = "200"
SIGNED_IN = "401: anonymous; else 200"
FOR_STAFF = f"200: {STAFF}; 401: anonymous; else 403"
OWN = "200: cleo; 401: anonymous; else 404"
ABSENT = "401: anonymous; else 404"  # nobody's object, or that of somebody outside the cast
TO_PAGE = "401: anonymous; else 303"  # the address of a form's action leads back to its page
MOVERS, DUTY, DESK = "jo ada ben olu", "ben olu", "ivy hal ben"


def only(names: str, code: int) -> str:
    """That code for these, sign in for strangers, no for the others."""
    return f"{code}: {names}; 401: anonymous; else 403"


# name -> (answer to GET, answer to POST without content or with DATA)
TABLE: dict[str, tuple[str, str]] = {
    "healthz": (EVERYONE, EVERYONE),
    "readyz": ("503", "503"),  # the tests' Redis is away
    # A session is no token: to /v1 everybody here is a stranger.
    "openai-models": ("401", "405"),
    "openai-model": ("401", "405"),
    "openai-completions": ("405", "401"),
    "openai-chat": ("405", "401"),
    "openai-embeddings": ("405", "401"),
    **dict.fromkeys(("openai-files", "openai-batches"), ("401", "401")),
    **dict.fromkeys(("openai-file", "openai-file-content", "openai-batch"), ("401", "405")),
    "openai-batch-cancel": ("405", "401"),
    "openai-unknown": ("404", "404"),
    "catalogue": (EVERYONE, EVERYONE),
    "family": (EVERYONE, EVERYONE),
    "size": (EVERYONE, EVERYONE),
    "size-alias": ("302", "302"),
    "size-card": (EVERYONE, EVERYONE),
    "size-timeline": (EVERYONE, EVERYONE),
    "card-diff": (EVERYONE, "405"),
    "card-raw": (EVERYONE, "405"),
    "card-edit": (only("jo ada ben", 200), only("jo ada ben", 400)),
    "card-preview": (only("jo ada ben", 405), only("jo ada ben", 400)),
    "playground": ("200: cleo; else 403", "400: cleo; else 403"),
    "size-move": (only(MOVERS, 200), only(MOVERS, 400)),
    "size-hold": (only(MOVERS, 200), only(MOVERS, 400)),
    "hold-command": (only(MOVERS, 404), only(MOVERS, 404)),
    "narrowing-confirm": (only(MOVERS, 404), only(MOVERS, 404)),
    "size-withdraw": (only(MOVERS, 200), only(MOVERS, 400)),
    "size-recall": (only(MOVERS, 200), only(MOVERS, 400)),
    "size-review": (only("jo ada", 200), only("jo ada", 400)),
    "size-retirement": (only("jo ada", 303), only("jo ada", 400)),
    "recall-command": (only(MOVERS, 404), only(MOVERS, 404)),
    "recall-notice": (ABSENT, ABSENT),
    "recall-notice-command": (ABSENT, ABSENT),
    "size-partner-reports": (SIGNED_IN, "401: anonymous; else 403"),
    "partner-report-answer": (only("hal jo ada ben", 404), only("hal jo ada ben", 404)),
    **dict.fromkeys(("proposals", "evidence"), (EVERYONE, EVERYONE)),
    **dict.fromkeys(("proposal", "checklist", "comment-window"), ("404", "404")),
    "proposal-new": (only("jo ada", 200), only("jo ada", 400)),
    **dict.fromkeys(
        (
            "proposal-command", "proposal-vote", "proposal-answer", "waiver-ask", "waiver-agree", "window-open",
            "reviewer-invite", "comment-answer", "comment-hide",
        ),
        (ABSENT, ABSENT),
    ),
    **dict.fromkeys(("workspace", "workspace-accept"), (only("gia", 404), only("gia", 404))),
    "evidence-attach": (only(f"gia {STAFF}", 200), only(f"gia {STAFF}", 400)),
    "evidence-measure": (only(f"gia {STAFF}", 303), only(f"gia {STAFF}", 400)),
    "evidence-review": (only("gia kim jo ada ben", 303), only("gia kim jo ada ben", 404)),
    "freezes": (FOR_STAFF, only(STAFF, 400)),
    "freeze-lift": (only(STAFF, 303), only(STAFF, 404)),
    "duty": (only(MOVERS, 200), only(MOVERS, 400)),
    "duty-remove": (only("jo ada olu", 303), only("jo ada olu", 404)),
    "generations": (SIGNED_IN, SIGNED_IN),
    "compare": (SIGNED_IN, "401: anonymous; else 400"),
    "generation": (OWN, OWN),
    "generation-stream": (OWN, OWN),
    "generation-facts": ("202: cleo; 401: anonymous; else 404", "202: cleo; 401: anonymous; else 404"),
    "generation-stop": (TO_PAGE, "503: cleo; 401: anonymous; else 404"),
    "generation-again": ("303: cleo; 401: anonymous; else 404", "503: cleo; 401: anonymous; else 404"),
    "batches": (SIGNED_IN, "401: anonymous; else 400"),  # who may not is told so once there is a file
    **dict.fromkeys(("batch", "batch-progress", "batch-cancel", "batch-file", "batch-file-delete"), (ABSENT, ABSENT)),
    "grants": (SIGNED_IN, SIGNED_IN),
    "grant": (f"200: cleo {STAFF}; 401: anonymous; else 404", f"200: cleo {STAFF}; 401: anonymous; else 404"),
    "grant-command": (
        f"303: cleo {STAFF}; 401: anonymous; else 404",
        f"303: {DUTY}; 403: cleo ivy hal kim jo ada; 401: anonymous; else 404",
    ),
    **dict.fromkeys(("grant-terms", "grant-closing", "grant-engagement"), (ABSENT, ABSENT)),  # no such command
    **dict.fromkeys(("grant-duty", "grant-duty-file"), (ABSENT, ABSENT)),
    "staff-grants": (FOR_STAFF, FOR_STAFF),
    "account": (SIGNED_IN, SIGNED_IN),
    "token-create": (TO_PAGE, "401: anonymous; else 400"),
    "token-revoke": (TO_PAGE, "303: cleo; 401: anonymous; else 404"),
    "people": (only("ada", 200), only("ada", 200)),
    "person-roles": (only("ada", 200), only("ada", 400)),
    "audit": (FOR_STAFF, FOR_STAFF),
    "audit-verify": (only(STAFF, 303), FOR_STAFF),
    "home": (SIGNED_IN, SIGNED_IN),
    "about-stages": (EVERYONE, EVERYONE),
    "replay": (EVERYONE, EVERYONE),
    **dict.fromkeys(("board", "excuses", "size-excuses", "policies", "decisions"), (EVERYONE, EVERYONE)),
    **dict.fromkeys(("policy", "policy-diff", "decision"), ("404", "404")),
    "style-guide": ("404", "404"),  # with DEBUG only
    "notices": (SIGNED_IN, SIGNED_IN),
    "notices-read": (TO_PAGE, TO_PAGE),
    "notice-read": (TO_PAGE, ABSENT),
    "staff-mail": (only("olu", 200), only("olu", 200)),
    "staff-service": (only("olu", 200), only("olu", 200)),
    "metrics": ("404", "404"),  # offered once METRICS_TOKEN is set
    "mail-again": (only("olu", 303), only("olu", 404)),
    "report-misuse": (EVERYONE, "400"),
    "report-status": (EVERYONE, "404"),
    "report-message": (EVERYONE, "404"),
    "report-queue": (only(DUTY, 200), only(DUTY, 200)),
    "report-triage": (only(DUTY, 404), only(DUTY, 404)),
    "report-command": (only(DUTY, 404), only(DUTY, 404)),
    "apply": ("401: anonymous; else 409", "401: anonymous; else 409"),  # no agreement is in force in these tests
    # Cleo's grant has no team but her; lead and staff see it, and officers act on its members.
    "grant-team": (f"200: cleo {STAFF}; 401: anonymous; else 404", f"200: cleo {STAFF}; 401: anonymous; else 404"),
    "grant-team-command": (
        f"303: cleo {STAFF}; 401: anonymous; else 404", f"409: cleo; 403: {STAFF}; 401: anonymous; else 404"
    ),
    **dict.fromkeys(
        ("grant-seat-command", "application-team", "application-team-command", "application-seat-command", "seat",
         "seat-leave"), (ABSENT, ABSENT),
    ),
    "invitation": ("404", "404"),
    "applications": (SIGNED_IN, SIGNED_IN),
    "application": (ABSENT, ABSENT),
    "application-command": (ABSENT, ABSENT),
    "agreements": (EVERYONE, EVERYONE),
    **dict.fromkeys(("attachments", "attachment", "attachment-remove"), (ABSENT, ABSENT)),
    **dict.fromkeys(("attestation", "attestation-command"), (ABSENT, ABSENT)),
    "attestation-link": ("404", "404"),
    "agreement": ("404", "404"),
    "programmes": (EVERYONE, EVERYONE),
    **dict.fromkeys(("programme", "programme-diff"), ("404", "404")),
    "programme-new": (only("ivy hal", 200), only("ivy hal", 400)),
    "programme-publish": (only("ivy hal", 404), only("ivy hal", 404)),
    "agreement-sign": (ABSENT, ABSENT),
    "agreement-withdraw": ("401: anonymous; else 409", "401: anonymous; else 409"),  # none is in force here
    "agreement-desk": (only("ivy ada", 200), only("ivy ada", 200)),
    "agreement-draft-new": (only("ivy ada", 200), only("ivy ada", 400)),
    "agreement-draft": (only("ivy ada", 404), only("ivy ada", 404)),
    "agreement-draft-command": (only("ivy ada", 404), only("ivy ada", 404)),
    "agreement-retire": (only("ivy ada", 404), only("ivy ada", 404)),
    "review-queue": (only(DESK, 200), only(DESK, 200)),
    "review-batch": (only(DESK, 303), only(DESK, 400)),
    "review-figures": (only(DESK, 200), only(DESK, 200)),
    "review": (only(DESK, 404), only(DESK, 404)),
    "review-command": (only(DESK, 404), only(DESK, 404)),
    **dict.fromkeys(("appeal-new", "appeal", "appeal-answer"), (ABSENT, ABSENT)),
    "appeal-link": ("404", "404"),
    "appeal-queue": (only(DESK, 200), only(DESK, 200)),
    **dict.fromkeys(("appeal-desk", "appeal-command"), (only(DESK, 404), only(DESK, 404))),
    "detection": (SIGNED_IN, "401: anonymous; else 400"),
    "detection-report": (ABSENT, ABSENT),
    "detection-result": (ABSENT, ABSENT),
    "own-data": (SIGNED_IN, SIGNED_IN),
    "own-data-export": (TO_PAGE, SIGNED_IN),
    # Without content the form is wrong, or something stands in the way.
    "account-delete": (SIGNED_IN, f"401: anonymous; 409: cleo eve {STAFF} gia; else 400"),
    "account-keep": (TO_PAGE, "401: anonymous; else 409"),
    # The API of programs: what is public, and what asks for a token; a session is none there either.
    **dict.fromkeys(
        (
            "api-docs", "api-schema", "api-stages", "api-families", "api-sizes", "api-size", "api-size-timeline",
            "api-size-card", "api-size-gate", "api-size-excuses", "api-size-as-of", "api-excuses", "api-board",
            "api-policies", "api-proposals", "api-programmes",
        ),
        (EVERYONE, "405"),
    ),
    **dict.fromkeys(("api-policy", "api-proposal", "api-decision", "api-programme"), ("404", "405")),
    "api-agreements": (EVERYONE, "405"),
    "api-agreement-version": ("404", "405"),
    **dict.fromkeys(
        (
            "api-agreement-sign", "api-signature", "api-grant-terms", "api-grant-terms-answer", "api-grant-duties",
            "api-grant-duty-hand-in", "api-grant-duty-file", "api-grant-closing", "api-application-terms",
        ),
        ("401", "401"),
    ),
    "api-size-evidence": (EVERYONE, "401"),
    **dict.fromkeys(
        (
            "api-me", "api-grants", "api-grant", "api-jobs", "api-job", "api-job-cancel", "api-applications",
            "api-application", "api-application-checks", "api-application-submit", "api-application-withdraw",
            "api-application-answer", "api-application-status",
            "api-detections", "api-detection", "api-grant-surrender", "api-grant-renewal",
            "api-attestations", "api-attestation-swap", "api-attestation-cancel", "api-attestation-resend",
            "api-attestation-again",
            "api-application-cohort", "api-application-team",
            "api-application-seat-undo", "api-application-seat-remove", "api-grant-team", "api-grant-seat-undo",
            "api-grant-seat-remove", "api-cohort-deputy", "api-cohort-hand-over", "api-cohort-take-over",
            "api-cohort-close", "api-seats", "api-seat", "api-seat-leave", "api-invitation", "api-invitation-join",
            "api-invitation-decline",
            "api-attachments", "api-attachment", "api-attachment-content", "api-attachment-remove", "api-appealable",
            "api-appeals", "api-appeal", "api-appeal-answer",
        ),
        ("401", "401"),
    ),
    **dict.fromkeys(("api-reports", "api-report-status", "api-report-messages"), ("405", "415")),
    "api-agreement": ("409", "405"),
    "api-unknown": ("404", "404"),
}  # fmt: skip
DATA: dict[str, dict[str, str]] = {"grant-command": {"reason": "x", "expected_version": "1"}}

# Views of django-allauth, by their exact names; who may is that library's and its tests' business.
THIRD_PARTY: dict[str, tuple[str, str]] = {
    "account_login": ("200: anonymous; else 302", "200: anonymous; else 302"),
    "account_logout": ("302: anonymous; else 200", "302"),
    "account_inactive": ("200", "405"),
    "account_signup": ("200: anonymous; else 302", "200: anonymous; else 302"),
    "account_reauthenticate": ("302: anonymous; else 200", "302: anonymous; else 200"),
    **dict.fromkeys(
        ("account_request_reauthentication_code", "account_confirm_reauthentication_code"),
        ("302", "302"),  # codes by mail are not switched on
    ),
    "account_email": ("302: anonymous; else 200", "302"),
    "account_email_verification_sent": ("200", "405"),
    "account_change_password": ("302: anonymous; else 200", "302: anonymous; else 200"),
    "account_set_password": ("302", "302"),
    "account_reset_password": ("200", "200"),
    "account_confirm_login_code": ("302", "302"),
    "account_confirm_email": ("200", "404"),
    "account_reset_password_from_key_done": ("200", "405"),
    "account_reset_password_from_key": ("200", "200"),
    "account_reset_password_done": ("200", "405"),
}
ALL = {**TABLE, **THIRD_PARTY}


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    """Every URL pattern of the portal."""
    for one in (resolver or get_resolver()).url_patterns:
        if isinstance(one, URLResolver):
            yield from patterns(one)
        else:
            yield one


BY_NAME = {str(one.name): one for one in patterns()}


def expected(codes: str, name: str) -> int:
    """Read `200: ada jo; 401: anonymous; else 403`."""
    for part in codes.split(";"):
        code, _, names = part.strip().partition(":")
        if name in names.split():
            return int(code)
    return int(codes.split()[-1])


def address(name: str, values: dict[str, Any]) -> str:
    """The address of a URL with the objects that its pattern asks for."""
    pattern = BY_NAME[name].pattern
    wanted = set(pattern.converters) | set(pattern.regex.groupindex)
    return reverse(name, kwargs={one: values[one] for one in wanted})


@pytest.fixture
def objects(world: World) -> dict[str, Any]:
    """What the addresses name: objects of cleo, and ids that nobody has."""
    lab, name = SERVED.split("/")
    job = Job.objects.create(
        account=world.people["cleo"], size=world.size, grant=world.grants["cleo"], function="generate",
        interface="web", stage="research_hosted", policy_version="1", weights_digest="d" * 64,
        sealed_prompt=Job.sealed("secret prompt"), quota_holder="grant:x", quota_day=world.at.date(),
        created_at=world.at, permit_ends_at=world.at,
    )  # fmt: skip
    token, _ = create_token(world.actors["cleo"], world.people["cleo"], name="x", scopes=["generate"], at=world.at)
    return {
        "lab": lab, "name": name, "slug": world.size.family.slug, "alias": "small", "job_id": job.pk,
        "grant_id": world.grants["cleo"].pk, "pk": token.pk, "number": 10**6, "rest": "nothing",
        "application_id": "nobodys", "proposal_id": 10**6, "digest": "d" * 64, "old": "d" * 64, "new": "e" * 64,
        "report_id": "nobodys", "uidb36": "1", "key": "x", "criterion": "C07", "vote_id": 10**6, "waiver_id": 10**6,
        "comment_id": 10**6, "subject": "grant:nobodys:suspension:1", "token": "nobodys", "appeal_id": "nobodys",
        "seat_id": 10**6, "command": "announce", "attachment_id": "nobodys",
        "kind": "referee", "attestation_id": "nobodys", "file_id": "nobodys", "batch_id": "nobodys",
    }  # fmt: skip


def values_for(name: str, objects: dict[str, Any], world: World) -> dict[str, Any]:
    """Some URLs name another kind of thing by the same word."""
    if name == "openai-model":
        return {**objects, "slug": SERVED}
    if name == "grant-command":
        return {**objects, "name": "suspend"}
    if name == "grant-team-command":
        return {**objects, "name": "invite"}
    if name == "person-roles":
        return {**objects, "pk": world.people["finn"].pk}
    if name == "replay":
        return {**objects, "name": "gpt2-2019"}
    if name == "token-revoke":
        return objects
    return {**objects, "pk": 10**6}


@pytest.fixture
def ask(client_of: Callable[[str], Any], settings: Any) -> Callable[..., Any]:
    """Ask as one of the cast; what the request changed is undone."""
    settings.ACCOUNT_RATE_LIMITS = False
    clients: dict[str, Any] = {}

    def request(who: str, method: str, url: str, data: dict[str, str] | None = None) -> Any:
        client = clients.setdefault(who, client_of(who))
        cookies = client.cookies.copy()
        with transaction.atomic():
            response = getattr(client, method)(url, data or {})
            transaction.set_rollback(True)
        client.cookies = cookies
        return response

    return request


def test_T1_every_url_stands_in_the_table_and_the_table_names_no_other() -> None:
    assert set(BY_NAME) == set(ALL)
    assert None not in {one.name for one in patterns()}, "an address without a name"
    assert len(list(patterns())) == len(BY_NAME), "two addresses share a name"


def test_T1_T2_every_nested_url_says_what_is_no_child_of_it() -> None:
    """A new URL with two names fails until `test_nested.py` knows how it is nested; T2 is proved there."""
    from tests.house.test_nested import NESTED, nested

    assert set(NESTED) == nested()


@pytest.mark.parametrize("who", CAST)
def test_T1_every_role_gets_what_the_table_says(
    world: World, objects: dict[str, Any], ask: Callable[..., Any], who: str
) -> None:
    """Every URL by GET and POST as one of the cast. Seen to fail with a role added to `@roles` of a view."""
    wrong = {}
    for name in sorted(set(BY_NAME) & set(ALL)):
        url = address(name, values_for(name, objects, world))
        for method, codes in zip(("get", "post"), ALL[name], strict=True):
            # Where a POST is read like a GET one of each kind of asker is enough.
            if who not in FEW and (name in THIRD_PARTY or (method == "post" and codes == ALL[name][0])):
                continue
            code = ask(who, method, url, DATA.get(name) if method == "post" else None).status_code
            if code != expected(codes, who):
                wrong[f"{method} {name}"] = f"{code}, not {expected(codes, who)}"
    assert wrong == {}


@pytest.mark.parametrize("who", ["anonymous", "ben"])
def test_T1_other_methods_change_nothing_and_open_nothing(
    world: World, objects: dict[str, Any], ask: Callable[..., Any], who: str
) -> None:
    before, wrong = AuditEvent.objects.count(), {}
    for name in sorted(set(BY_NAME) & set(TABLE)):
        url = address(name, values_for(name, objects, world))
        for method in ("put", "delete"):
            code = ask(who, method, url).status_code
            if code not in {expected(ALL[name][0], who), 405}:
                wrong[f"{method} {name}"] = code
        assert AuditEvent.objects.count() == before, name
    assert wrong == {}


def test_T1_every_view_of_ours_declares_to_whom_it_is_open() -> None:
    """Seen to fail with a declaration removed."""
    undeclared = {
        name for name, one in BY_NAME.items() if not hasattr(one.callback, "opens_to") and name not in THIRD_PARTY
    }
    assert undeclared == set()
    for name in THIRD_PARTY:
        assert BY_NAME[name].callback.__module__.startswith("allauth."), name


def test_T1_the_declaration_is_the_guard() -> None:
    """Who declares `signed in` or roles refuses strangers; who declares roles refuses those without."""
    for name in TABLE:
        opens_to = getattr(BY_NAME[name].callback, "opens_to", "")
        if opens_to == "signed in" or opens_to.startswith("roles"):
            assert expected(ALL[name][0], "anonymous") == 401, name
        if opens_to.startswith("roles"):
            assert expected(ALL[name][0], "finn") == 403, name
            assert expected(ALL[name][0], "cleo") == 403, name


@pytest.mark.parametrize("name", [name for name in BY_NAME if "lab" in BY_NAME[name].pattern.converters])
def test_T1_an_undisclosed_size_is_to_strangers_as_one_that_does_not_exist(
    world: World, objects: dict[str, Any], ask: Callable[..., Any], name: str
) -> None:
    """T19, on every page of a size."""
    if name not in TABLE:
        pytest.fail(f"{name} is not in the table")
    Standing.objects.filter(size=world.size).update(stage="registered")
    hidden = address(name, objects)
    unknown = address(name, {**objects, "lab": "nobody", "name": "nothing"})
    for who in ("anonymous", "finn", "cleo", "gia"):
        answers = [ask(who, "get", url) for url in (hidden, unknown)]
        assert answers[0].status_code == answers[1].status_code, who
        assert answers[0].status_code in (401, 403, 404, 405)
        assert b"SmolLM2-135M" not in answers[0].content


def test_T1_the_prompt_of_somebody_else_is_on_no_page(
    world: World, objects: dict[str, Any], ask: Callable[..., Any]
) -> None:
    for name in BY_NAME:
        if name in TABLE and name != "generation-stream":
            url = address(name, values_for(name, objects, world))
            for who in ("finn", "ada"):
                assert b"secret prompt" not in ask(who, "get", url).content, (name, who)
