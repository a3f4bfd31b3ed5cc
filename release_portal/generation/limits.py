"""Read sampling settings from what people or clients send, with an error per field (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.contract import SamplingSettings
from release_portal.access.sampler_rules import FRACTIONS, WIDEST, Bounds, nearest
from release_portal.core.errors import InvalidInput

MOST_STOPS, LONGEST_STOP = 4, 200
MOST_BIASED, STRONGEST_BIAS = 1_024, 100
MOST_PROMPTS = 64  # in one request; a grant's concurrent requests bound them further


@dataclass(frozen=True)
class Range:
    """A number's limits.

    Args:
        least, most: both allowed.
        default: used when nothing is given.
        is_whole: whether only whole numbers are allowed.
    """

    least: float
    most: float
    default: float
    is_whole: bool = False

    def read(self, name: str, value: Any) -> float:
        """Return the number; raise InvalidInput naming the field otherwise."""
        if value is None or value == "":
            return self.default
        number = self._number(name, value)
        if not self.least <= number <= self.most:
            raise _wrong(name, f"{name} is {_shown(value)}; it must lie between {self._span()}.")
        return number

    def _number(self, name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _wrong(name, f"{name} must be a number.")
        try:
            return int(value) if self.is_whole and not isinstance(value, float) else _exact(value, self.is_whole)
        except (ValueError, OverflowError) as error:  # OverflowError: infinity, or a whole number beyond any float
            kind = "whole number" if self.is_whole else "number"
            raise _wrong(name, f"{name} is {_shown(value)}; write a {kind} between {self._span()}.") from error

    def _span(self) -> str:
        return f"{self.least:g} and {self.most:g}" if self.most < 10**9 else f"{self.least:g} and 2^63 - 1"


def _shown(value: float | str) -> str:
    """Return the value as an error quotes it: whole numbers beyond some size have no text in Python."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    return repr(value[:40]) if isinstance(value, str) else f"{value}"


def _exact(value: float | str, is_whole: bool) -> float:
    number = float(value)
    if is_whole:
        if number != int(number):
            raise ValueError("not whole")
        return int(number)
    return number


def _within(name: str, default: float) -> Range:
    """A setting that a grant can bound goes as far as the rule of bounds says."""
    widest = WIDEST[name]
    assert widest.least is not None
    assert widest.most is not None
    return Range(widest.least, widest.most, default, is_whole=name not in FRACTIONS)


RANGES: dict[str, Range] = {
    "max_tokens": _within("max_tokens", 64),
    "temperature": _within("temperature", 1.0),
    "top_k": _within("top_k", 0),
    "top_p": _within("top_p", 1.0),
    "seed": Range(0, 2**63 - 1, 0, is_whole=True),
    "samples": _within("samples", 1),
    "repetition_penalty": Range(0.1, 10, 1.0),
    "presence_penalty": Range(-2, 2, 0.0),
    "frequency_penalty": Range(-2, 2, 0.0),
}
# How many of the likeliest tokens may be named beside each chosen one.
LOGPROBS = Range(0, 20, 0, is_whole=True)


def read_settings(
    values: Mapping[str, Any],
    fresh_seed: Callable[[], int],
    longest: int | None = None,
    *,
    bounds: Bounds | None = None,
    usual_tokens: int | None = None,
) -> SamplingSettings:
    """Return the settings that the values describe; without a seed a fresh one is drawn and shown.

    Args:
        longest: most tokens that an output may have while restriction R2 is in force on the size.
        bounds: of the grant; what nobody asked for is moved into them, what somebody asked for is checked where the
            job is submitted.
        usual_tokens: length of an output where nobody gives one, if the interface has one of its own.

    Raises:
        InvalidInput: naming the first field that is wrong.
    """
    numbers = {name: limits.read(name, values.get(name)) for name, limits in RANGES.items()}
    for name in numbers:
        if values.get(name) in (None, ""):
            usual = usual_tokens if name == "max_tokens" and usual_tokens else numbers[name]
            numbers[name] = nearest(bounds or {}, name, usual)
    numbers["max_tokens"] = _shortened(numbers["max_tokens"], values.get("max_tokens"), longest)
    seed = values.get("seed")
    return SamplingSettings(
        max_tokens=int(numbers["max_tokens"]),
        temperature=float(numbers["temperature"]),
        top_k=int(numbers["top_k"]),
        top_p=float(numbers["top_p"]),
        stop=read_stops(values.get("stop")),
        seed=fresh_seed() if seed is None or seed == "" else int(numbers["seed"]),
        samples=int(numbers["samples"]),
        repetition_penalty=float(numbers["repetition_penalty"]),
        presence_penalty=float(numbers["presence_penalty"]),
        frequency_penalty=float(numbers["frequency_penalty"]),
        logit_bias=read_bias(values.get("logit_bias")),
        logprobs=_read_logprobs(values.get("logprobs")),
        echo=_read_echo(values.get("echo")),
    )


def _shortened(number: float, asked: Any, longest: int | None) -> float:
    """Hold a length against the restriction: what nobody asked for is shortened, what somebody asked for is refused."""
    if longest is None or number <= longest:
        return number
    if asked is None or asked == "":
        return longest
    reason = f"max_tokens is {number:g}; use of this size is restricted (R2): an output has at most {longest} tokens."
    raise InvalidInput(reason, field="max_tokens", rule="restriction R2", change=f"Ask for {longest} tokens or fewer.")


def read_stops(value: Any) -> tuple[str, ...]:
    """Return stop strings from a string, a list of strings, or nothing."""
    stops = [] if value is None or value == "" else [value] if isinstance(value, str) else value
    if not isinstance(stops, list | tuple) or not all(isinstance(stop, str) and stop for stop in stops):
        raise _wrong("stop", "stop must be a text or a list of texts, none of them empty.")
    if len(stops) > MOST_STOPS or any(len(stop) > LONGEST_STOP for stop in stops):
        raise _wrong("stop", f"stop takes at most {MOST_STOPS} texts of at most {LONGEST_STOP} characters.")
    return tuple(stops)


def read_bias(value: Any) -> tuple[tuple[int, float], ...]:
    """Return what is added to the logits of tokens, from an object of token ids and numbers, or nothing."""
    if value is None or value == "":
        return ()
    if not isinstance(value, Mapping):
        raise _wrong("logit_bias", "logit_bias must be an object of token ids and numbers.")
    if len(value) > MOST_BIASED:
        raise _wrong("logit_bias", f"logit_bias takes at most {MOST_BIASED:,} tokens.")
    span = Range(-STRONGEST_BIAS, STRONGEST_BIAS, 0.0)
    return tuple(sorted((_token_id(token), span.read("logit_bias", bias)) for token, bias in value.items()))


def _token_id(text: Any) -> int:
    """Read a token id as JSON writes it: one spelling, so that no token is named twice."""
    if isinstance(text, str) and len(text) < 10 and text.isdecimal() and str(int(text)) == text:
        return int(text)
    raise _wrong("logit_bias", "logit_bias names tokens by their ids: whole numbers written as text.")


def _read_logprobs(value: Any) -> int | None:
    return None if value is None or value == "" else int(LOGPROBS.read("logprobs", value))


def _read_echo(value: Any) -> bool:
    if value not in (None, "", True, False) or isinstance(value, int | float) and not isinstance(value, bool):
        raise _wrong("echo", "echo must be true or false.")
    return bool(value)


def read_prompt(value: Any) -> str:
    """Return the prompt; raise InvalidInput for what is not text."""
    if not isinstance(value, str):
        raise _wrong("prompt", "prompt must be text.")
    if "\x00" in value:
        raise _wrong("prompt", "prompt holds a NUL character.")
    return value.replace("\r\n", "\n")  # what browsers make of a line end


def _wrong(name: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, field=name, change="Correct this field; nothing was submitted.")
