"""Who is next among those that wait with one priority: fair over shares, first come first served within a share."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from itertools import count

from inference.engine.request import Sequence

TURN_OF_AGE = 8  # each eighth to be taken is the one that has waited longest, whatever its share has had


class Share:
    """One share's sequences, and how many tokens it was served while it had any.

    Args:
        served: where its count begins.
    """

    def __init__(self, served: int) -> None:
        self.served = served
        self.waiting: OrderedDict[Sequence, None] = OrderedDict()
        self.running = 0
        self.is_listed = False  # whether the heap of those that wait holds it


class FairQueue:
    """Gives every share the same number of tokens while it wants them.

    Next is the share that was served least. A newcomer begins at the least of those that have something here, so that
    nobody saves up by staying away. Newcomers without end could pass an old share for ever; therefore each eighth to
    be taken is the one that has waited longest: whoever finds k others waiting is taken after at most 8 (k + 1).
    Nothing here walks over those that wait: there may be ten thousand.
    """

    def __init__(self) -> None:
        self._shares: dict[str, Share] = {}
        self._at_work: set[Share] = set()  # shares that run something: no more than there are slots
        self._by_age: OrderedDict[Sequence, None] = OrderedDict()
        self._least: list[tuple[int, int, Share]] = []  # heap; a count that has grown since is put right when met
        self._numbers = count()
        self._taken = 0

    def __len__(self) -> int:
        return len(self._by_age)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._by_age)

    def __contains__(self, sequence: Sequence) -> bool:
        return sequence in self._by_age

    def waiting_of(self, name: str) -> int:
        """How many sequences of a share wait."""
        share = self._shares.get(name)
        return len(share.waiting) if share else 0

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait behind the others of its share."""
        share = self._shares.setdefault(_name(sequence), Share(self._floor()))
        self._by_age[sequence] = share.waiting[sequence] = None
        self._list(share)

    def peek(self) -> Sequence | None:
        """The next one, None when nobody waits."""
        if not self._by_age:
            return None
        if self._taken % TURN_OF_AGE == TURN_OF_AGE - 1:
            return next(iter(self._by_age))
        least = self._least_share()
        return next(iter(least.waiting)) if least else None

    def take(self, sequence: Sequence) -> None:
        """Let a waiting sequence run."""
        share = self._shares[_name(sequence)]
        del self._by_age[sequence], share.waiting[sequence]
        share.running += 1
        self._at_work.add(share)
        self._taken += 1

    def put_back(self, sequence: Sequence) -> None:
        """Let a running sequence wait again, before all others."""
        share = self._shares[_name(sequence)]
        self._by_age[sequence] = share.waiting[sequence] = None
        self._by_age.move_to_end(sequence, last=False)
        share.waiting.move_to_end(sequence, last=False)
        self._stop(share)
        self._list(share)

    def serve(self, sequence: Sequence, tokens: int) -> None:
        """Count tokens of a running sequence against its share."""
        self._shares[_name(sequence)].served += tokens

    def drop(self, sequence: Sequence) -> None:
        """Forget a sequence, whether it waits or runs; a share that has nothing left is forgotten with it."""
        share = self._shares[_name(sequence)]
        if sequence in share.waiting:
            del self._by_age[sequence], share.waiting[sequence]
        else:
            self._stop(share)
        if not share.waiting and not share.running:
            del self._shares[_name(sequence)]

    def _stop(self, share: Share) -> None:
        share.running -= 1
        if not share.running:
            self._at_work.discard(share)

    def _floor(self) -> int:
        """The least count of those that wait or run."""
        least = self._least_share()
        return min([share.served for share in self._at_work] + ([least.served] if least else []), default=0)

    def _least_share(self) -> Share | None:
        """The share that was served least among those that wait; of equals the one that was put there first."""
        while self._least:
            noted, _, share = self._least[0]
            if share.waiting and noted == share.served:
                return share
            heapq.heappop(self._least)
            share.is_listed = False
            if share.waiting:
                self._list(share)
        return None

    def _list(self, share: Share) -> None:
        if not share.is_listed:
            share.is_listed = True
            heapq.heappush(self._least, (share.served, next(self._numbers), share))


def _name(sequence: Sequence) -> str:
    return sequence.request.order.share
