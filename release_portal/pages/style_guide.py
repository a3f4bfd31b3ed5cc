"""Sample data for the style guide: every component once, with words as the product uses them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator

STAGES = [
    ("registered", "Registered"),
    ("disclosed", "Disclosed"),
    ("partner", "Partner"),
    ("research_hosted", "Research hosted"),
    ("public_hosted", "Public hosted"),
    ("research_weights", "Research weights"),
    ("open_weights", "Open weights"),
    ("open_science", "Open science"),
]


class SampleForm(forms.Form):
    purpose = forms.CharField(
        label="What will you find out?",
        help_text="Two reviewers read this. It is not published.",
        widget=forms.Textarea(attrs={"rows": 4, "data-keep": "style-guide"}),
    )
    size = forms.ChoiceField(label="Model size", choices=[("", "Choose a size"), ("124m", "GPT-2 124M")])
    basis = forms.ChoiceField(
        label="How long do you need access?",
        choices=[("90", "90 days"), ("180", "180 days")],
        widget=forms.RadioSelect,
        help_text="You can renew before it ends.",
    )
    uses = forms.MultipleChoiceField(
        label="What do you need?",
        required=False,
        choices=[("web", "Generate on the web"), ("api", "Generate by API")],
        widget=forms.CheckboxSelectMultiple,
    )
    end = forms.DateField(
        label="Ends on", help_text="For example 2026-11-30", widget=forms.DateInput(attrs={"type": "date"})
    )
    affiliation = forms.CharField(label="Affiliation", required=False)
    terms = forms.BooleanField(label="I have read the terms, version 3", help_text="The signature binds to this text.")


class ConfirmForm(forms.Form):
    confirm = forms.CharField(label="Type openai/gpt2-1558m to confirm", help_text="Exactly as it is written here.")


def sample_context(at: datetime) -> dict[str, Any]:
    """Return what `pages/style_guide.html` shows, as if it were `at`."""
    stages = [{"slug": slug, "label": label, "ordinal": n} for n, (slug, label) in enumerate(STAGES)]
    held = {"slug": "held", "label": "Held"}
    frozen = {"slug": "frozen", "label": "Frozen"}
    restricted = {"slug": "restricted", "label": "Restricted R2"}
    refused = {
        "allowed": False,
        "code": "no_grant",
        "refusal": "may_not",
        "rule": "stage research_hosted x generate",
        "reason": "At this stage only people with an active grant generate with GPT-2 774M.",
        "change": "Apply for access. Reviewers answer within 5 working days.",
    }
    not_now = {
        "allowed": False,
        "code": "size_held",
        "refusal": "not_now",
        "rule": "hold blocks widening",
        "reason": "A hold from 12 November blocks every wider stage of this size.",
        "change": "The duty officer lifts the hold, or misuse case 14 is closed.",
    }
    allowed = {"allowed": True, "code": "grant", "rule": "grant active x generate", "reason": "Your grant is active."}
    form = SampleForm({"purpose": "", "size": "", "basis": "", "end": "tomorrow"})
    form.is_valid()
    excuses = [
        ("C13", "Days since the previous size opened", "not_run", "31 days", "77 days", "release manager", 46),
        ("C12", "Detector finds texts of this size", "pass", "0.93 [0.91, 0.95]", "0.90", "safety reviewer", None),
        ("C16", "Memorised text in the raw samples", "fail", "0.8 %", "0.5 % at most", "safety reviewer", None),
        ("C11", "Bias probes", "inconclusive", "n = 40", "n = 200", "external reviewer", 9),
        ("C07", "Evaluation on exactly these weights", "stale", "118 days old", "60 days at most", "operator", 0),
        ("C14", "Consultation", "waived", "none", "3 answers", "board", 21),
    ]
    names = ("id", "title", "outcome", "have", "need", "owner", "days")
    return {
        "at": at,
        "stages": stages,
        "marks": [held, frozen, restricted],
        "stage": stages[3],
        "ladder_rows": [
            {"name": "GPT-2 124M", "stage": stages[7], "url": "#", "note": "also 117M, gpt2"},
            {"name": "GPT-2 355M", "stage": stages[6], "url": "#", "note": "also 345M, gpt2-medium"},
            {"name": "GPT-2 774M", "stage": stages[3], "url": "#", "marks": [held], "note": "also 762M, gpt2-large"},
            {"name": "GPT-2 1.5B", "stage": stages[0], "url": "#", "note": "also 1542M, gpt2-xl"},
        ],
        "outcomes": ["pass", "fail", "inconclusive", "stale", "waived", "not_run"],
        "refused": refused,
        "not_now": not_now,
        "too_much": {
            **refused,
            "refusal": "too_much",
            "reason": "200,000 tokens are used up for today.",
            "change": "Wait until midnight UTC, or ask for a larger quota.",
            "rule": "grant quota tokens_per_day",
            "retry_at": at + timedelta(hours=7),
        },
        "allowed": allowed,
        "may": [
            {"label": "Generate in the playground", "url": "#", "decision": allowed},
            {"label": "Download the weights", "decision": refused},
        ],
        "form": form,
        "confirm_form": ConfirmForm(),
        "effects": ["Everyone can download the weights.", "Copies cannot be recalled.", "Grants for this size end."],
        "told": ["412 people with a grant", "The board", "Subscribers of this family"],
        "facts": [
            ("Parameters", "774,030,080"),
            ("Context", "1,024 tokens"),
            ("Layers, width, heads", "36, 1,280, 20"),
            ("Licence", "Modified MIT", "since 3 January 2020"),
        ],
        "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "timeline": [
            {
                "at": at - timedelta(hours=3),
                "title": "Advanced to Research hosted",
                "body": "Detector and memorisation criteria pass on these weights.",
                "actor": "ada",
                "stage": "research_hosted",
            },
            {"at": at - timedelta(days=9), "title": "Hold lifted", "actor": "ben"},
            {
                "at": at - timedelta(days=2288),
                "title": "Paper and first card published",
                "stage": "disclosed",
                "verified": True,
                "source": "git f35fa1d",
            },
            {
                "at": at - timedelta(days=2400),
                "title": "Shared with four partners",
                "stage": "partner",
                "verified": False,
            },
        ],
        "excuses": [dict(zip(names, row, strict=True)) for row in excuses],
        "page_obj": Paginator(range(1840), 20).page(4),
        "stream": {"url": "", "stop_url": "#", "samples": [0, 1], "max_tokens": 256},
        "measured_at": at - timedelta(days=12),
        "rail_items": [
            {"label": "Overview", "url": "#", "current": True},
            {"label": "Model card", "url": "#"},
            {"label": "Artefacts", "url": "#", "count": 6},
            {"label": "Timeline", "url": "#"},
            {"label": "Why not further", "url": "#", "count": 3},
        ],
        "steps": [("About you", True), ("Purpose", True), ("Safeguards", False), ("Signature", False)],
    }
