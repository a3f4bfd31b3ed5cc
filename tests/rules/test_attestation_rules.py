"""Who must vouch, who must not, what counts, and what is confirmed; without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.application_rules import Answers
from release_portal.access.attestations import rules
from release_portal.access.attestations.people_rules import (
    Around,
    belongs_to,
    domain_of,
    mailbox_of,
    may_name,
    unreadable_name,
)
from release_portal.access.attestations.rules import (
    ATTESTATION,
    CONFIRMED,
    INSTITUTION,
    KINDS,
    LIVE,
    PENDING,
    REFEREE,
    STATES,
    Need,
    Voucher,
    enough,
    may_resend,
    may_swap,
    needed,
    reminder_due,
)
from release_portal.access.attestations.signals import INTEGRITY, Facts, signals
from release_portal.access.attestations.statements import (
    Asked,
    Reply,
    digest_of,
    reply_problems,
    sentences,
    statement,
)
from release_portal.core.decisions import Refusal

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FREE = Around(applicant=frozenset({"finn@lab.example"}))
ASKED = Asked("Finn", "135M", "An institute", "Detection", "How short?", "Counted.", ("generate",), "institute.example")
HOLDS = Voucher(REFEREE, CONFIRMED, is_current=True, valid_until=AT + DAY)
REFEREES = (Need(REFEREE, "A referee is needed."),)


# --- When it is needed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "functions", "tier", "kinds"),
    [
        ("research_hosted", ("generate",), 1, []),
        ("research_hosted", ("generate",), 2, [REFEREE]),
        ("research_hosted", ("generate",), 3, [REFEREE]),
        ("research_hosted", ("generate", "weights"), 2, [REFEREE, INSTITUTION]),
        ("partner", ("generate",), 2, [REFEREE, INSTITUTION]),
        ("partner", ("detect", "weights"), 3, [REFEREE, INSTITUTION]),
    ],
)
def test_a_referee_is_needed_from_tier_2_and_an_officer_for_weights_and_partners(
    stage: str, functions: tuple[str, ...], tier: int, kinds: list[str]
) -> None:
    found = needed(stage, Answers(functions=functions), tier)
    assert [one.kind for one in found] == kinds
    assert all(one.why.endswith(".") for one in found)


def test_a_question_for_less_needs_nobody_more() -> None:
    answers = Answers(functions=("weights",), requested_end=date(2026, 5, 1))
    kinds = [{one.kind for one in needed("research_hosted", answers, tier)} for tier in range(4)]
    assert all(less <= more for less, more in zip(kinds, kinds[1:], strict=False))


# --- Who must not vouch ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        "finn@lab.example", "FINN@Lab.Example", "f.i.n.n@lab.example", "finn+referee@lab.example",
        "F.inn+a+b@LAB.example.", " finn@lab.example ", "ｆinn@lab.example",
    ],
)  # fmt: skip
def test_the_applicant_is_no_referee_in_whatever_spelling(spelling: str) -> None:
    decision = may_name(REFEREE, spelling, "", FREE)
    assert (decision.code, decision.refusal) == ("own_address", Refusal.MAY_NOT)
    assert decision.change


def test_one_provider_under_two_names_is_one_mailbox() -> None:
    assert mailbox_of("a.b@googlemail.com") == mailbox_of("ab+x@GMAIL.com") == "ab@gmail.com"
    assert mailbox_of("ab@gmail.com") != mailbox_of("ab@lab.example")
    assert mailbox_of("not an address") == "" == mailbox_of("@lab.example")


@given(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.lists(st.integers(0, 7), max_size=4), st.text("abc", max_size=3)
)
def test_dots_case_and_plus_never_make_another_mailbox(local: str, dots: list[int], tag: str) -> None:
    written = local.upper()
    for place in sorted(dots, reverse=True):
        if 0 < place < len(written):
            written = f"{written[:place]}.{written[place:]}"
    assert mailbox_of(f"{written}+{tag}@Lab.Example") == mailbox_of(f"{local}@lab.example")


@pytest.mark.parametrize(
    ("around", "code"),
    [
        ({"team": frozenset({"rae@referees.example"})}, "team_member"),
        ({"others": frozenset({"rae@referees.example"})}, "same_person"),
        ({"said_no": frozenset({"rae@referees.example"})}, "said_no"),
        ({"asks_the_applicant": frozenset({"rae@referees.example"})}, "mutual"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_who_is_tied_to_the_application_does_not_vouch_for_it(
    around: dict[str, frozenset[str]], code: str, kind: str
) -> None:
    person = ("R.ae+x@referees.example", "referees.example")
    assert may_name(kind, *person, FREE).allowed
    decision = may_name(kind, *person, replace(FREE, **around))
    assert (decision.code, bool(decision.change)) == (code, True)


@pytest.mark.parametrize(
    ("mail", "domain", "code"),
    [
        ("otto@institute.example", "institute.example", "free"),
        ("otto@legal.institute.example", "institute.example", "free"),
        ("otto@institute.example", "https.institute.example", "other_domain"),
        ("otto@evil-institute.example", "institute.example", "other_domain"),
        ("otto@institute.example.evil.example", "institute.example", "other_domain"),
        ("otto@institute.example", "INSTITUTE.example.", "free"),
        ("otto@gmail.com", "gmail.com", "public_mail"),
        ("otto@gmail.com", "institute.example", "public_mail"),
        ("otto@institute.example", "gmail.com", "public_mail"),
        ("otto@x.ac.uk", "ac.uk", "no_domain"),
        ("otto@x.edu", "edu", "no_domain"),
        ("otto@institute.example", "", "no_domain"),
        ("otto@institute.example", "a..b", "no_domain"),
    ],
)
def test_an_officer_signs_from_the_domain_of_the_institution(mail: str, domain: str, code: str) -> None:
    assert may_name(INSTITUTION, mail, domain, FREE).code == code
    assert may_name(REFEREE, mail, "", FREE).allowed, "a referee may write from anywhere"


def test_a_domain_in_other_letters_is_another_domain() -> None:
    assert domain_of("otto@institutе.example").startswith("xn--"), "the last e is not Latin"
    assert not belongs_to("otto@institutе.example", "institute.example")


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 101, "Rae\nBcc: all", "see https://x.example", "www.x.example", "a@b"]
)
def test_a_name_that_would_carry_a_message_to_a_stranger_is_refused(name: str) -> None:
    assert unreadable_name(name)
    assert not unreadable_name("Rae O'Referee-Łódź, PhD")


# --- What counts -----------------------------------------------------------------------------------------------------


def test_a_confirmation_counts_while_it_lives_and_says_what_the_application_says() -> None:
    assert enough("approve", REFEREES, [HOLDS], AT).allowed
    for changed in (
        replace(HOLDS, is_current=False),
        replace(HOLDS, valid_until=AT),
        replace(HOLDS, valid_until=None),
        replace(HOLDS, kind=INSTITUTION),
    ):
        decision = enough("approve", REFEREES, [changed], AT)
        assert (decision.code, decision.refusal) == ("attestation_missing", Refusal.NOT_NOW)


@pytest.mark.parametrize("state", [state for state in STATES if state != CONFIRMED])
def test_T41_no_other_state_counts_and_each_says_what_would_change_it(state: str) -> None:
    found = replace(HOLDS, state=state, expires_at=AT + DAY)
    decision = enough("approve", REFEREES, [found], AT)
    assert not decision.allowed
    assert decision.reason.startswith("A referee is needed. ")
    assert decision.change
    assert ("02 March 2026" in decision.change) == (state in LIVE)


def test_nobody_is_missing_where_nobody_is_needed() -> None:
    assert enough("approve", (), [], AT).allowed
    assert not enough("approve", REFEREES, [], AT).allowed


# --- Limits and the clock --------------------------------------------------------------------------------------------


def test_another_person_is_named_twice_and_not_a_third_time() -> None:
    assert [may_swap(used).allowed for used in range(4)] == [True, True, False, False]
    assert may_swap(2).change


def test_the_link_is_mailed_again_three_times_a_day_apart() -> None:
    assert may_resend(0, AT, AT + DAY).allowed
    early = may_resend(0, AT, AT + DAY - timedelta(seconds=1))
    assert (early.refusal, early.retry_at) == (Refusal.TOO_MUCH, AT + DAY)
    assert may_resend(3, AT, AT + 9 * DAY).refusal == Refusal.NOT_NOW


@pytest.mark.parametrize(
    ("days", "reminded", "due"), [(6, 0, 0), (7, 0, 7), (13, 7, 0), (14, 7, 14), (14, 0, 14), (20, 14, 0), (15, 14, 0)]
)
def test_reminders_are_due_after_7_and_14_days_and_after_an_outage_only_the_latest(
    days: int, reminded: int, due: int
) -> None:
    assert reminder_due(AT, reminded, AT + days * DAY) == due


# --- The table -------------------------------------------------------------------------------------------------------


def test_T3_only_the_holder_of_the_link_answers_and_only_the_system_ends() -> None:
    by = {one.name: one.by for one in ATTESTATION.commands}
    for name in ("open", "confirm", "decline", "dispute"):
        assert by[name] == {"link_holder"}
    for name in ("remind", "expire", "end", "forget"):
        assert by[name] == {"system"}
    assert not ATTESTATION.decide("confirm", "opened", {"applicant", "system", "access_lead"})
    assert not ATTESTATION.decide("confirm", "requested", {"link_holder"}), "first: this is me"


def test_T3_nothing_leads_out_of_an_answer_and_only_a_confirmation_leads_to_confirmed() -> None:
    assert [one.name for one in ATTESTATION.commands if one.target == CONFIRMED] == ["confirm"]
    for state in set(STATES) - PENDING:
        moves = {one.target for one in ATTESTATION.available(state, {"applicant", "link_holder", "system"})}
        assert moves <= {None}


# --- What is confirmed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", ["applicant", "size", "affiliation", "purpose_label", "purpose", "intended_use"])
def test_the_digest_names_everything_that_others_vouch_for(kind: str, field: str) -> None:
    same, other = (digest_of(statement(kind, one)) for one in (ASKED, replace(ASKED, **{field: "Other"})))
    assert same == digest_of(statement(kind, replace(ASKED)))
    if not (kind == INSTITUTION and field == "affiliation"):
        assert same != other
    more = replace(ASKED, functions=("generate", "weights"))
    assert digest_of(statement(kind, more)) != same


def test_the_order_of_functions_is_no_change() -> None:
    one, other = (replace(ASKED, functions=order) for order in (("a", "b"), ("b", "a")))
    assert statement(REFEREE, one) == statement(REFEREE, other)


def good(kind: str = REFEREE) -> Reply:
    relation = next(iter(rules.RELATIONS[kind]))
    return Reply(relation, "2019", tuple(one.code for one in sentences(kind, ASKED)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_is_complete_with_relation_year_and_every_sentence(kind: str) -> None:
    assert reply_problems(kind, ASKED, good(kind), AT) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"relation": ""}, "relation"),
        ({"relation": "legal"}, "relation"),
        ({"since": ""}, "since"),
        ({"since": "19"}, "since"),
        ({"since": "2027"}, "since"),
        ({"since": "²⁰¹⁹"}, "since"),
        ({"confirmed": ()}, "confirmed"),
        ({"confirmed": ("knows", "affiliation")}, "confirmed"),
        ({"words": "x" * 2001}, "words"),
        ({"words": "a\x00"}, "words"),
    ],
)
def test_what_a_reply_lacks_is_named_at_its_field(changes: dict[str, object], field: str) -> None:
    problems = reply_problems(REFEREE, ASKED, replace(good(), **changes), AT)  # type: ignore[arg-type]
    assert [name for name, _ in problems] == [field]


# --- Signals ---------------------------------------------------------------------------------------------------------

PLAIN = Facts(REFEREE, "requested", "rae@referees.example", "finn@lab.example")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "disputed"}, INTEGRITY),
        ({"mail": "rae@gmail.com"}, "public_mail"),
        ({"mail": "rae@lab.example"}, "same_domain"),
        ({"kind": INSTITUTION}, "other_domain"),
        ({"mail": "rae@rеferees.example"}, "spelling"),
        ({"said_by_applicant": "teacher", "said_by_attester": "colleague"}, "relation_differs"),
        ({"state": "confirmed", "is_current": False}, "changed"),
        ({"state": "confirmed", "is_reused": True}, "reused"),
        ({"is_undelivered": True}, "undelivered"),
    ],
)
def test_each_signal_is_raised_by_its_fact_alone(changes: dict[str, object], code: str) -> None:
    assert signals(PLAIN) == ()
    found = signals(replace(PLAIN, **changes))  # type: ignore[arg-type]
    assert [one.code for one in found] == [code]


def test_an_officer_of_the_applicants_own_institution_raises_no_signal() -> None:
    officer = replace(PLAIN, kind=INSTITUTION, mail="otto@office.lab.example")
    assert signals(officer) == ()
