"""Sizes in memory: loaded on demand within a budget, put away when idle, never while they are used."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from inference.engine.backend import LoadError
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Lane, Shelf
from tests.inference.conftest import wait_until
from tests.inference.fakes import FakeBackend, FakeLoader


class SizedLoader(FakeLoader):
    """Sizes of different weight: the number in a digest says how much."""

    def weigh(self, digest: str) -> int:
        return int(digest[1:])

    def load(self, digest: str) -> FakeBackend:
        backend = super().load(digest)
        backend.memory_bytes = self.weigh(digest)
        return backend


def make_shelf(budget: int = 100, patience: float = 0.0) -> tuple[Shelf, SizedLoader]:
    loader = SizedLoader()
    return Shelf(loader, lambda tokens: Scheduler(4, 16, cache_tokens=tokens), budget, patience), loader


def use(shelf: Shelf, digest: str) -> None:
    shelf.give_back(shelf.borrow(digest))


def test_a_size_is_loaded_when_it_is_first_asked_for_and_kept():
    shelf, loader = make_shelf()
    assert shelf.loaded == ()
    use(shelf, "a40")
    use(shelf, "a40")
    use(shelf, "b60")
    assert (shelf.loaded, loader.loaded) == (("a40", "b60"), ["a40", "b60"])


def test_the_size_that_was_used_least_recently_makes_room_and_no_more_go_than_must():
    shelf, loader = make_shelf()
    for digest in ("a30", "b30", "c30", "a30"):
        use(shelf, digest)
    use(shelf, "d30")
    assert shelf.loaded == ("c30", "a30", "d30"), "b was used least recently"
    use(shelf, "e60")
    assert shelf.loaded == ("d30", "e60")
    use(shelf, "b30")
    assert loader.loaded.count("b30") == 2


def test_the_cache_of_what_runs_leaves_less_room_for_another_size():
    shelf, loader = make_shelf()
    busy = shelf.borrow("a40")
    loader.backends["a40"].memory_bytes += 30  # as its cache grows
    with pytest.raises(LoadError, match="in use"):
        shelf.borrow("b40")
    loader.backends["a40"].memory_bytes -= 30  # what ran has left
    shelf.give_back(shelf.borrow("b40"))
    shelf.give_back(busy)
    assert shelf.loaded == ("a40", "b40")


def test_a_size_in_use_is_never_put_away_however_old_its_use_is():
    shelf, _ = make_shelf()
    lane = shelf.borrow("a60")
    use(shelf, "b40")
    use(shelf, "c40")
    assert shelf.loaded == ("a60", "c40")
    with pytest.raises(LoadError, match="in use"):
        shelf.borrow("d50")
    assert shelf.loaded == ("a60",), "what was idle went, and it was not enough"
    shelf.give_back(lane)
    use(shelf, "d50")
    assert shelf.loaded == ("d50",)


def test_a_load_that_waits_gets_its_room_when_a_borrower_gives_back():
    shelf, loader = make_shelf(patience=20)
    first, second = shelf.borrow("a60"), shelf.borrow("a60")
    got: list[Lane] = []
    waiting = threading.Thread(target=lambda: got.append(shelf.borrow("b60")))
    waiting.start()
    wait_until(shelf._loading.locked)
    shelf.give_back(first)
    assert waiting.is_alive()
    assert shelf.loaded == ("a60",), "one of two borrowers is left"
    shelf.give_back(second)
    waiting.join(20)
    assert [lane.digest for lane in got] == ["b60"]
    assert (shelf.loaded, loader.loaded) == (("b60",), ["a60", "b60"])


def test_while_a_load_waits_sizes_in_memory_are_lent_as_before():
    shelf, _ = make_shelf(patience=20)
    lane = shelf.borrow("a60")
    waiting = threading.Thread(target=lambda: use(shelf, "b60"))
    waiting.start()
    wait_until(shelf._loading.locked)
    use(shelf, "a60")
    shelf.give_back(lane)
    waiting.join(20)
    assert shelf.loaded == ("b60",)


def test_a_size_beyond_the_budget_is_refused_with_figures_and_nothing_is_put_away_for_it():
    shelf, loader = make_shelf()
    use(shelf, "a60")
    with pytest.raises(LoadError, match="needs 101 bytes of memory, the worker keeps at most 100"):
        shelf.borrow("b101")
    assert (shelf.loaded, loader.loaded) == (("a60",), ["a60"])


@pytest.mark.parametrize("fail", [LoadError("not what the manifest says"), MemoryError()])
def test_a_load_that_fails_leaves_the_budget_and_the_next_load_as_they_were(fail):
    shelf, loader = make_shelf()
    load: Callable[[str], FakeBackend] = loader.load

    def fail_once(digest: str) -> FakeBackend:
        loader.load = load
        raise fail

    loader.load = fail_once
    with pytest.raises(type(fail)):
        shelf.borrow("a60")
    assert not shelf._loading.locked()
    use(shelf, "a60")
    assert shelf.loaded == ("a60",)


def test_a_size_that_many_ask_for_at_once_is_loaded_once():
    shelf, loader = make_shelf(patience=20)
    go = threading.Barrier(8)

    def ask() -> None:
        go.wait(20)
        use(shelf, "a60")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert loader.loaded == ["a60"]
    assert shelf._lanes["a60"].borrowers == 0


def test_caches_are_told_beside_the_weights_and_have_a_bound_of_their_own():
    """The budget is of weights; each size's cache is bounded by its backend, and the heartbeat tells both sums."""
    shelf, _ = make_shelf()
    use(shelf, "a40")
    use(shelf, "b60")
    assert shelf.capacity().cache_total == 2 * FakeBackend.cache_tokens
    use(shelf, "c60")
    assert shelf.capacity().cache_total == FakeBackend.cache_tokens


def test_the_thread_that_loads_a_size_ends_with_it(monkeypatch):
    shelf, loader = make_shelf()
    threads, load = [], loader.load
    monkeypatch.setattr(loader, "load", lambda digest: threads.append(threading.current_thread()) or load(digest))
    use(shelf, "a40")
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive(), "its helping threads would stay beside those of the engine"
