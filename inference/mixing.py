"""Random bits from a counter: the mixing of splitmix64 (Steele, Lea and Flood 2014), the same on every device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BITS = 53  # so many are told: a float64 holds each of the numbers

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15  # constants of splitmix64
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB


def bits(keys: Sequence[int], counters: Tensor) -> Tensor:
    """53 random bits for each key and counter: int64 [keys, n], 0 .. 2**53 - 1.

    Args:
        keys: 0 .. 2**64 - 1 each.
        counters: int64 [keys, n], or [n] for all keys alike.
    """
    column = torch.tensor([[_signed(key)] for key in keys], dtype=torch.int64, device=counters.device)  # [keys, 1]
    # [keys, n], wraps around like unsigned numbers
    return _shift(_mix((counters + 1) * _signed(GOLDEN) + column), 64 - BITS)


def chained(*parts: int) -> int:
    """One key, 0 .. 2**64 - 1, of several numbers in their order."""
    key = 0
    for part in parts:
        key = _mix_number((key + GOLDEN + part) & MASK)
    return key


def _mix_number(number: int) -> int:
    """The mixing of splitmix64 on a Python integer, 0 .. 2**64 - 1."""
    number = ((number ^ (number >> 30)) * MIX_1) & MASK
    number = ((number ^ (number >> 27)) * MIX_2) & MASK
    return number ^ (number >> 31)


def _mix(numbers: Tensor) -> Tensor:
    """The same on int64, whose products wrap around."""
    numbers = numbers.bitwise_xor_(_shift(numbers, 30)).mul_(_signed(MIX_1))
    numbers = numbers.bitwise_xor_(_shift(numbers, 27)).mul_(_signed(MIX_2))
    return numbers.bitwise_xor_(_shift(numbers, 31))


def _shift(numbers: Tensor, by: int) -> Tensor:
    # int64 shifts carry the sign along; the mask makes the shift that of unsigned numbers.
    return (numbers >> by).bitwise_and_((1 << (64 - by)) - 1)


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
