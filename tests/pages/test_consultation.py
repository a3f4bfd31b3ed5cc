"""The comment window of a proposal through its page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.releases.consultations import open_window
from release_portal.releases.models import Comment, CommentWindow, Proposal
from tests.governance import adopt, propose, small_policy
from tests.world import World

Clients = Callable[[str], Any]
HTML = "<script>alert(1)</script>"


@pytest.fixture
def opened(world: World) -> Proposal:
    adopt(world, small_policy())
    return propose(world, world.size, "public_hosted", at=world.at)


@pytest.fixture
def asked(opened: Proposal, world: World) -> Proposal:
    closes = world.at + timedelta(days=7)
    open_window(world.actor("jo"), opened.pk, kind="comment", text="What is missing?", closes_at=closes, at=world.at)
    return opened


def url_of(proposal: Proposal) -> str:
    return reverse("comment-window", args=[proposal.pk])


def page(client: Any, proposal: Proposal) -> str:
    return str(client.get(url_of(proposal)).content.decode())


def test_without_a_window_the_page_says_so_and_takes_nothing(opened: Proposal, client_of: Clients) -> None:
    visitor = client_of("anonymous")
    assert "No comment window was opened" in page(visitor, opened)
    sent = visitor.post(url_of(opened), {"name": "A reader", "text": "My own words."})
    assert sent.status_code == 409
    assert "My own words." in sent.content.decode()


def test_visitors_and_members_comment_and_an_objection_waits_for_its_answer(
    asked: Proposal, client_of: Clients
) -> None:
    visitor, cleo, jo = client_of("anonymous"), client_of("cleo"), client_of("jo")
    said = {"name": "A reader", "text": f"Bias. {HTML}", "is_objection": "on"}
    assert visitor.post(url_of(asked), said).status_code == 303
    assert cleo.post(url_of(asked), {"name": "Somebody else", "text": "Good."}).status_code == 303
    shown = page(visitor, asked)
    for text in ("A reader", "without account", "1 objection waits", "cleo", "What is missing?"):
        assert text in shown
    assert HTML not in shown
    assert "Somebody else" not in shown, "who signed in comments under the account"
    one = Comment.objects.get(is_objection=True)
    url = reverse("comment-answer", args=[asked.pk, one.pk])
    assert url in page(jo, asked)
    assert url not in shown
    assert jo.post(url, {"answer": ""}).status_code == 400
    assert jo.post(url, {"answer": "It is measured now."}).status_code == 303
    assert "It is measured now." in page(visitor, asked)
    assert "objection waits" not in page(visitor, asked)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"name": "", "text": "x"}, 400),
        ({"name": "A", "text": " "}, 400),
        ({"name": "A", "text": "x" * 5_001}, 400),
        ({"name": "A" * 151, "text": "x"}, 400),
        ({}, 400),
    ],
)
def test_a_comment_that_lacks_something_is_refused_at_its_field(
    asked: Proposal, client_of: Clients, data: dict[str, str], status: int
) -> None:
    sent = client_of("anonymous").post(url_of(asked), data)
    assert sent.status_code == status
    assert "Please look at this first" in sent.content.decode()
    assert not Comment.objects.exists()


def test_a_closed_window_is_read_and_takes_nothing(asked: Proposal, world: World, client_of: Clients) -> None:
    visitor = client_of("anonymous")
    visitor.post(url_of(asked), {"name": "A reader", "text": "In time."})
    CommentWindow.objects.update(opened_at=world.at - timedelta(days=2), closes_at=world.at - timedelta(days=1))
    shown = page(visitor, asked)
    assert "The window closed" in shown
    assert "In time." in shown
    assert "<textarea" not in shown
    assert visitor.post(url_of(asked), {"name": "A reader", "text": "Too late."}).status_code == 409


def test_a_comment_is_hidden_with_a_reason_in_its_place(asked: Proposal, client_of: Clients) -> None:
    visitor, ben = client_of("anonymous"), client_of("ben")
    visitor.post(url_of(asked), {"name": "A reader", "text": "An address of a person."})
    url = reverse("comment-hide", args=[asked.pk, Comment.objects.get().pk])
    assert client_of("jo").post(url, {"reason": "x"}).status_code == 403
    assert ben.post(url, {"reason": " "}).status_code == 400
    assert ben.post(url, {"reason": "It names a private person."}).status_code == 303
    shown = page(visitor, asked)
    assert "An address of a person." not in shown
    assert "It names a private person." in shown
    assert ben.post(url, {"reason": "Again."}).status_code == 409


def test_answers_to_nothing_are_not_found_and_strangers_sign_in(asked: Proposal, client_of: Clients) -> None:
    for name in ("comment-answer", "comment-hide"):
        url = reverse(name, args=[asked.pk, 10**6])
        assert client_of("jo").get(url).status_code == 303
        sent = client_of("jo").post(url, {"answer": "My own words.", "reason": "My own words."})
        assert sent.status_code == 404
        assert "There is no such comment." in sent.content.decode()
        assert client_of("anonymous").post(url, {}).status_code == 401
