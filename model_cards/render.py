"""Text of people as HTML that cannot do anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it.token import Token

from model_cards.diff import in_words
from model_cards.parse import HTML_TOKENS, MARKDOWN, Card, parse, without_comments

# Only what Markdown makes. Images would be refused by our content policy, so their descriptions stand in their place;
# scripts, forms and styles have no place in a text.
TAGS = {
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
LOWEST = 6  # h6


@dataclass(frozen=True)
class Document:
    """A text with the facts that stand before it."""

    facts: list[tuple[str, str]]
    html: SafeString


def read_document(text: str) -> Document:
    """Return a text in Hub README format: front matter as facts, the rest as sanitised HTML."""
    card = parse(text)
    return Document(_facts(card), render_markdown(card.body))


def render_markdown(text: str) -> SafeString:
    """Return sanitised HTML; headings begin one level lower, because the page has the first, and skip none."""
    tokens = MARKDOWN.parse(text)
    _level_headings(tokens)
    for token in tokens:
        _disarm([token])
        _disarm(token.children or [])
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    clean = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel="nofollow noopener")
    return mark_safe(clean)  # noqa: S308 - sanitised in the line above


def _level_headings(tokens: Sequence[Token]) -> None:
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            above = [*(one for one in above if one < level), level]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(len(above) + 1, LOWEST)}"


def _disarm(tokens: list[Token]) -> None:
    """Show HTML as the text that it is, without comments, and images as their descriptions."""
    for token in tokens:
        if token.type in HTML_TOKENS:
            source = without_comments(token.content).strip("\n")
            is_block = token.type == "html_block" and source.strip()
            token.content = f"<p>{escape(source)}</p>\n" if is_block else escape(source)
        elif token.type == "image":
            token.type, token.tag, token.content, token.children = "text", "", token.content or "", None


def _facts(card: Card) -> list[tuple[str, str]]:
    if card.problems and not card.front:
        return [("Metadata", card.front_source)] if card.front_source else []
    return [(str(name).replace("_", " ").capitalize(), in_words(value)) for name, value in card.front.items()]
