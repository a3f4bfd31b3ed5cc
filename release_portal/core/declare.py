"""Every view says to whom it is open; one that says nothing fails a test. The declaration is also the guard."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from release_portal.core.actors import Actor
from release_portal.core.errors import NotAllowed, NotAuthenticated

View = TypeVar("View", bound=Callable[..., Any])

PUBLIC, SIGNED_IN, TOKEN = "public", "signed in", "token"  # noqa: S105 - names of audiences


def public(view: View) -> View:
    """Open to everyone; what is protected inside is fetched through a lookup."""
    view.opens_to = PUBLIC  # type: ignore[attr-defined]
    return view


def by_token(view: View) -> View:
    """Open to whoever sends an API token; the interface authenticates it."""
    view.opens_to = TOKEN  # type: ignore[attr-defined]
    return view


def signed_in(view: View) -> View:
    """Open to every signed-in person."""
    return _guarded(view, SIGNED_IN, _require_person)


def roles(*names: str) -> Callable[[View], View]:
    """Open to people who hold one of the roles."""

    def declare(view: View) -> View:
        return _guarded(view, "roles: " + ", ".join(names), lambda actor: _require_role(actor, names))

    return declare


def lets_in(view: Callable[..., Any], actor: Actor) -> bool:
    """Whether a view opens to this actor; asks the guard that the view has, so that a menu and a door agree."""
    check: Callable[[Actor], None] | None = getattr(view, "check", None)
    if check is None:
        return getattr(view, "opens_to", "") == PUBLIC
    try:
        check(actor)
    except (NotAuthenticated, NotAllowed):
        return False
    return True


def _guarded(view: View, audience: str, check: Callable[[Actor], None]) -> View:
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def guarded_async(request: Any, *args: Any, **kwargs: Any) -> Any:
            check(await request.aactor())
            return await view(request, *args, **kwargs)

        guarded: Any = guarded_async
    else:

        @functools.wraps(view)
        def guarded_sync(request: Any, *args: Any, **kwargs: Any) -> Any:
            check(request.actor)
            return view(request, *args, **kwargs)

        guarded = guarded_sync
    guarded.opens_to, guarded.check = audience, check
    return guarded  # type: ignore[no-any-return]


def _require_person(actor: Actor) -> None:
    if not actor.is_person:
        raise NotAuthenticated("You need to sign in for this.", rule="signed in", change="Sign in, then try again.")


def _require_role(actor: Actor, names: tuple[str, ...]) -> None:
    _require_person(actor)
    if not actor.has_role(*names):
        shown = " or ".join(name.replace("_", " ") for name in names)
        raise NotAllowed(f"This page is for: {shown}.", code="role", rule="roles", change="Ask an administrator.")
