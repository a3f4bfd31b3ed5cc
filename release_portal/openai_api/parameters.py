"""Read a request's JSON: every parameter is used, or refused by name; none is ignored (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.contract import Pooling
from release_portal.core.errors import InvalidInput
from release_portal.generation.limits import MOST_PROMPTS

DEFAULT_MAX_TOKENS = 16  # the client's documented default for completions
DEFAULT_CHAT_TOKENS = 256
# Accepted when they ask for nothing; their neutral values.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "echo": (None, False),
    "top_logprobs": (None, 0),
    "suffix": (None, ""),
    "store": (None, False),
    "service_tier": (None, "auto", "default"),
    "response_format": (None, {"type": "text"}),
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "modalities": (None, ["text"]),
}
NUMBERS = (
    "temperature", "top_p", "top_k", "seed", "repetition_penalty", "presence_penalty", "frequency_penalty",
)  # fmt: skip
SAMPLING = {*NUMBERS, "stop", "n", "max_tokens", "max_completion_tokens", "logit_bias", "logprobs"}
# What the two addresses document; the worker itself could name as many for either.
MOST_LOGPROBS, MOST_CHAT_LOGPROBS = 5, 20
LONGEST_NAME = 512  # of whom the client asks for
OWN = {"model", "user", "safety_identifier", "metadata"}  # the client's own, and what its job is for
COMMON = SAMPLING | OWN | {"stream", "stream_options"}


Prompt = str | tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """What a client asks for.

    Args:
        model: catalogue id.
        values: words of the form that `generation` reads.
        usual_tokens: length of an output where the client gives none.
        prompts: texts or token ids, for completions; None for the end-of-text token.
        messages: role and content, for chat.
        is_stream: answer with server-sent events.
        include_usage: one more event with the token counts.
    """

    model: str
    values: dict[str, Any]
    usual_tokens: int
    prompts: tuple[Prompt | None, ...]
    messages: tuple[dict[str, str], ...]
    is_stream: bool
    include_usage: bool


@dataclass(frozen=True)
class EmbeddingCall:
    """What a client asks for of /v1/embeddings.

    Args:
        model: catalogue id.
        texts: texts or token ids.
        is_packed: vectors as base64 of little-endian float32, else as numbers.
        pooling: of the hidden states of a text's tokens.
        dimensions: how many numbers the client expects of a vector.
        purpose: code of a purpose.
        end_user: whom the client asks for.
    """

    model: str
    texts: tuple[Prompt, ...]
    is_packed: bool
    pooling: Pooling
    dimensions: int | None
    purpose: str
    end_user: str


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; raise InvalidInput for anything else."""
    try:
        data = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "The body is not valid UTF-8.", code="invalid_utf8", change="Encode the JSON as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise InvalidInput(
            f"The body is not JSON: {error}.", code="invalid_json", change="Send a JSON object."
        ) from error
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object.", code="invalid_json", change="Send a JSON object.")
    return data


def read_completion(data: Mapping[str, Any]) -> Call:
    """Read the parameters of /v1/completions."""
    _refuse_unknown(data, COMMON | {"prompt", "echo", "best_of"})
    told = {"echo": _boolean(data, "echo"), "logprobs": _at_most(data, "logprobs", MOST_LOGPROBS)}
    _refuse_candidates(data)
    # Null is a prompt; a forgotten one is none.
    is_null = "prompt" in data and data["prompt"] is None
    prompts: tuple[Prompt | None, ...] = (None,) if is_null else _prompts(data.get("prompt"), "prompt")
    return _call(data, DEFAULT_MAX_TOKENS, told, prompts=prompts)


def read_chat(data: Mapping[str, Any]) -> Call:
    """Read the parameters of /v1/chat/completions."""
    _refuse_unknown(data, COMMON | {"messages", "top_logprobs"})
    told = {"logprobs": _chat_logprobs(data)}
    return _call(data, DEFAULT_CHAT_TOKENS, told, messages=_messages(data.get("messages")))


def read_embedding(data: Mapping[str, Any]) -> EmbeddingCall:
    """Read the parameters of /v1/embeddings."""
    _refuse_unknown(data, OWN | {"input", "encoding_format", "dimensions", "pooling"})
    dimensions = _number(data, "dimensions")
    if dimensions is not None and not (dimensions >= 1 and dimensions == int(dimensions)):
        raise _wrong("dimensions", "dimensions must be a whole number of at least 1.")
    return EmbeddingCall(
        model=_model(data),
        texts=_prompts(data.get("input"), "input"),
        is_packed=_one_of(data, "encoding_format", ("float", "base64")) == "base64",
        pooling=Pooling(_one_of(data, "pooling", tuple(Pooling))),
        dimensions=None if dimensions is None else int(dimensions),
        purpose=_purpose(data.get("metadata")),
        end_user=_end_user(data),
    )


def _one_of(data: Mapping[str, Any], name: str, values: tuple[str, ...]) -> str:
    """Return which of the values is asked for, the first where none is."""
    value = data.get(name)
    if value is not None and (not isinstance(value, str) or value not in values):
        raise _wrong(name, f"{name} must be {' or '.join(values)}.")
    return value or values[0]


def _model(data: Mapping[str, Any]) -> str:
    model = data.get("model")
    if not isinstance(model, str) or not model:
        raise _wrong("model", "model must be the id of a model, as /v1/models lists them.")
    return model


def _chat_logprobs(data: Mapping[str, Any]) -> int | None:
    """Return how many likeliest tokens a chat names beside each chosen one; None when it asks for none of it."""
    is_asked, most = _boolean(data, "logprobs"), _at_most(data, "top_logprobs", MOST_CHAT_LOGPROBS)
    if most is not None and not is_asked:
        raise _wrong("top_logprobs", "top_logprobs needs logprobs: true.")
    return (most or 0) if is_asked else None


def _at_most(data: Mapping[str, Any], name: str, most: int) -> Any:
    value = _number(data, name)
    if value is not None and not (0 <= value <= most and value == int(value)):
        raise _wrong(name, f"{name} must be a whole number between 0 and {most}.")
    return value


def _call(
    data: Mapping[str, Any],
    default_tokens: int,
    told: Mapping[str, Any],
    *,
    prompts: tuple[Prompt | None, ...] = (),
    messages: tuple[dict[str, str], ...] = (),
) -> Call:
    model = _model(data)
    most = data.get("max_completion_tokens")
    most = data.get("max_tokens") if most is None else most
    values = {name: _number(data, name) for name in NUMBERS}
    values |= {"samples": _number(data, "n"), "stop": data.get("stop"), "logit_bias": data.get("logit_bias"), **told}
    values["max_tokens"] = None if most is None else _number({"max_tokens": most}, "max_tokens")
    values["purpose"] = _purpose(data.get("metadata"))
    values["end_user"] = _end_user(data)
    return Call(
        model=model,
        values=values,
        usual_tokens=default_tokens,
        prompts=prompts,
        messages=messages,
        is_stream=_boolean(data, "stream"),
        include_usage=_includes_usage(data),
    )


def _includes_usage(data: Mapping[str, Any]) -> bool:
    """Read the options of a stream, of which nothing is ignored either."""
    options = data.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise _wrong("stream_options", "stream_options must be an object.")
    if not data.get("stream"):
        raise _wrong("stream_options", "stream_options needs stream: true.")
    for name in options.keys() - {"include_usage", "include_obfuscation"}:
        raise _wrong("stream_options", f"stream_options.{name} is not an option of this address.", "unknown_parameter")
    if _boolean(options, "include_obfuscation"):
        raise _wrong("stream_options", "stream_options.include_obfuscation is not supported.", "unsupported_parameter")
    return _boolean(options, "include_usage")


def _refuse_candidates(data: Mapping[str, Any]) -> None:
    """Refuse candidates of which only the best are told; as many as are told anyway ask for nothing."""
    best, told = _number(data, "best_of"), data.get("n")
    if best is not None and best != (1 if told is None else told):
        raise _wrong("best_of", "best_of is not supported here, but for the same number as n.", "unsupported_parameter")


def _end_user(data: Mapping[str, Any]) -> str:
    """Return whom the client asks for, by the newer name where it uses both."""
    named = {name: _name(data, name) for name in ("safety_identifier", "user")}
    return named["safety_identifier"] or named["user"]


def _name(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= LONGEST_NAME):
        raise _wrong(name, f"{name} must be a text of at most {LONGEST_NAME} characters.")
    return value or ""


def _purpose(metadata: Any) -> str:
    """Return the purpose that the metadata names; its other keys are the client's own."""
    if metadata is not None and not isinstance(metadata, dict):
        raise _wrong("metadata", "metadata must be an object.")
    purpose = (metadata or {}).get("purpose")
    if purpose is not None and not isinstance(purpose, str):
        raise _wrong("metadata.purpose", "metadata.purpose must be the code of a purpose.")
    return purpose or ""


def _refuse_unknown(data: Mapping[str, Any], known: set[str]) -> None:
    for name, value in data.items():
        if name in known:
            continue
        if name in NEUTRAL:
            if not any(value == neutral and type(value) is type(neutral) for neutral in NEUTRAL[name]):
                raise _wrong(name, f"{name} is not supported here.", "unsupported_parameter")
        else:
            raise _wrong(name, f"{name} is not a parameter of this address.", "unknown_parameter")


def _prompts(value: Any, name: str) -> tuple[Prompt, ...]:
    """Read one prompt or several: texts or lists of token ids."""
    if isinstance(value, list) and value and not _is_token(value[0]):
        if len(value) > MOST_PROMPTS:
            raise _wrong(name, f"{name} takes at most {MOST_PROMPTS} texts.")
        return tuple(_prompt(one, name) for one in value)
    return (_prompt(value, name),)


def _prompt(value: Any, name: str) -> Prompt:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_token(one) for one in value):
        return tuple(value)
    raise _wrong(name, f"{name} must be a text, a list of token ids, or a list of these; none of them missing.")


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _messages(value: Any) -> tuple[dict[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise _wrong("messages", "messages must be a list with at least one message.")
    return tuple(_message(number, message) for number, message in enumerate(value))


def _message(number: int, message: Any) -> dict[str, str]:
    place = f"messages[{number}]"
    if not isinstance(message, dict) or message.get("role") not in ("system", "developer", "user", "assistant"):
        raise _wrong("messages", f"{place} needs a role: system, user or assistant.")
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = (
            "".join(part for part in parts if isinstance(part, str))
            if all(isinstance(part, str) for part in parts)
            else None
        )
    if not isinstance(content, str):
        raise _wrong("messages", f"{place}.content must be text.")
    role = "system" if message["role"] == "developer" else message["role"]
    return {"role": role, "content": content}


def _number(data: Mapping[str, Any], name: str) -> Any:
    value = data.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise _wrong(name, f"{name} must be a number.")
    return value


def _boolean(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, f"{name} must be true or false.")
    return bool(value)


def _wrong(name: str, reason: str, code: str = "invalid_value") -> InvalidInput:
    return InvalidInput(reason, field=name, code=code)
