"""Text of people as HTML that cannot do anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_cards.render import TAGS, read_document, render_markdown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <script>alert(1)</script> b",
        "<img src=x onerror=alert(1)>",
        "x <img src=x onerror=alert(1)> y",
        "![x](https://example.org/a.png)",
        "![x](javascript:alert(1))",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#x73;cript:alert(1))",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](data:image/png;base64,AAAA)",
        "[x](vbscript:x)",
        "[x](ftp://example.org)",
        "[x](tel:+1)",
        "[x][1]\n\n[1]: javascript:alert(1)",
        '[x](https://example.org "a\\" onmouseover=alert(1)")',
        "<div onclick=alert(1)>x</div>",
        "<details open ontoggle=alert(1)>x</details>",
        "<iframe src=//example.org></iframe>",
        "<form action=//example.org><button>x</button></form>",
        "<style>body{display:none}</style>",
        "<svg><script>alert(1)</script></svg>",
        "<!-- a --><script>alert(1)</script>",
        "<!-- a\n--><img src=x onerror=alert(1)>",
        "<!--> <img src=x onerror=alert(1)>",
        "```html\n<script>alert(1)</script>\n```",
        "`<script>`",
        "| a |\n|---|\n| <script>alert(1)</script> |",
        "# <b onload=alert(1)>x",
    ],
)
def test_nothing_that_could_act_survives(text: str) -> None:
    html = str(render_markdown(text))
    assert set(re.findall(r"<\s*/?\s*([a-zA-Z0-9!]+)", html)) <= TAGS
    for tag in re.findall(r"<[^>]*>", html):
        assert not re.search(r"\son\w+\s*=|style\s*=|src\s*=", re.sub(r'"[^"]*"', '""', tag))
        assert not re.search(r'href="(?!https?:|mailto:|/|#)', tag)


def test_html_is_shown_as_the_text_that_it_is() -> None:
    assert render_markdown("a <b>c</b>") == "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"
    assert "&lt;div&gt;" in render_markdown("<div>\nx\n</div>")


def test_comments_are_left_out_and_what_follows_them_is_not() -> None:
    html = render_markdown("<!-- hint -->\n\ntext <!-- more --> end")
    assert "hint" not in html
    assert "more" not in html
    assert "text  end" in html
    assert "kept" in render_markdown("<!-- hint --> kept")


def test_an_image_is_its_description() -> None:
    assert render_markdown("![a curve](https://example.org/a.png)") == "<p>a curve</p>\n"


def test_links_lead_out_without_a_recommendation() -> None:
    html = render_markdown("[x](https://example.org) [y](/report/) <mailto:a@example.org>")
    assert html.count('rel="nofollow noopener"') == 3
    assert 'href="/report/"' in html


def test_tables_lists_and_code_are_kept() -> None:
    html = render_markdown("| a | b |\n|---|--:|\n| 1 | 2 |\n\n- x\n\n~~y~~\n\n```\nz\n```")
    for tag in ("table", "th", "td", "ul", "li", "s", "pre", "code"):
        assert f"<{tag}" in html
    assert "style" not in html


def test_headings_begin_below_that_of_the_page_and_skip_no_level() -> None:
    html = render_markdown("# A\n\n### B\n\n###### C\n\n## D\n\n# E")
    assert re.findall(r"<(h\d)>", html) == ["h2", "h3", "h4", "h3", "h2"]
    assert re.findall(r"</(h\d)>", html) == ["h2", "h3", "h4", "h3", "h2"]


def test_front_matter_comes_as_facts() -> None:
    document = read_document("---\nlicense: mit\nlicense_name: a\ntags: [x, y]\n---\n\n# T\n")
    assert document.facts == [("License", "mit"), ("License name", "a"), ("Tags", "x, y")]
    assert document.html == "<h2>T</h2>\n"


def test_front_matter_that_cannot_be_read_is_shown_as_it_is() -> None:
    assert read_document("---\nlicense: [mit\n---\n\nx").facts == [("Metadata", "license: [mit")]


@given(st.text(alphabet="<>\"'=/!-[](){}#`*_~|\\\n &;:abonscriptjv1", max_size=120))
def test_no_text_makes_a_tag_that_is_not_allowed(text: str) -> None:
    html = str(render_markdown(text))
    assert set(re.findall(r"<\s*/?\s*([a-zA-Z0-9!]+)", html)) <= TAGS
