"""Turns a GGUF file or a Hub-style folder into the one form that is stored and served: a Hub folder in fp32.

The portal never imports torch; it runs this file as `python -m inference.convert SOURCE TARGET` and reads its lines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.contract import weights_digest

CONVERTER = 1  # raised when the same source would give other files; part of the finished marker
MARKER = ".conversion.json"  # hidden, so that the store does not take it for a file of the model
MEGABYTE = 1_000_000

Progress = Callable[[str], None]


class ConversionError(ValueError):
    """A source that cannot become a model folder; the message names the file and the way out."""


@dataclass(frozen=True)
class Origin:
    """What is known of a source before its tensors are read."""

    path: Path
    digest: str  # sha256 of the file; for a folder the weights digest of its files
    title: str
    licence: str = ""
    base_model: str = ""
    pre_tokenizer: str = ""  # the GGUF's own name for how text is cut before merges are applied
    precisions: str = ""  # e.g. "61 F32, 210 Q4_1"

    @property
    def is_gguf(self) -> bool:
        """Whether the source is one GGUF file."""
        return self.path.is_file()


def convert(source: Path, target: Path, progress: Progress) -> None:
    """Write the model of a source into target, whole or not at all; does nothing when that is already done.

    Args:
        source: GGUF file or Hub-style folder with safetensors.
        target: folder to make; an older conversion in it is replaced.
        progress: receives one line per step.

    Raises:
        ConversionError: the source is missing, truncated or not a model that can be read.
        OSError: the target cannot be written.
    """
    check_source(source)
    digest = source_digest(source)
    if is_converted(target, digest):
        progress(f"{target.name} is already converted from this source")
        return
    partial = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)  # what an interrupted conversion left behind
    partial.mkdir(parents=True)
    with _quiet_libraries():
        _write_model(source, digest, partial, progress)
    _write_marker(partial, digest)
    _replace(target, partial)
    progress(f"converted {source.name}: {sum(_sizes(target).values()) / MEGABYTE:.1f} MB in {target.name}")


def check_source(source: Path) -> None:
    """Refuse what is clearly not a source.

    Raises:
        ConversionError: names what is missing or wrong.
    """
    if source.is_file():
        with source.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ConversionError(f"{source.name} is not a GGUF file; give a GGUF file or a Hub-style folder")
    elif source.is_dir():
        _check_folder(source)
    else:
        raise ConversionError(f"{source} does not exist")


def _check_folder(folder: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ConversionError(f"{folder.name} has no {name}; a Hub-style folder needs one")
    if not list(folder.glob("*.safetensors")):
        # Pickles run code when they are read, so none is ever opened, whatever it holds.
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        found = f"only {', '.join(pickles)}, which can run code when read" if pickles else "no weights"
        raise ConversionError(f"{folder.name} holds {found}; it needs model.safetensors")


def source_digest(source: Path) -> str:
    """Return the sha256 of a file, or the weights digest of a folder's visible files."""
    if source.is_file():
        return _sha256(source)
    files = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()}
    visible = {name: path for name, path in files.items() if not re.search(r"(^|/)\.", name)}
    return weights_digest(
        {name: {"sha256": _sha256(path), "size": path.stat().st_size} for name, path in visible.items()}
    )


def is_converted(target: Path, digest: str) -> bool:
    """Whether target holds a finished conversion of the source with this digest, every file at its full size."""
    try:
        marker = json.loads((target / MARKER).read_text())
        return bool(marker == {"source": digest, "converter": CONVERTER, "files": _sizes(target)})
    except (OSError, ValueError):
        return False


def _write_model(source: Path, digest: str, folder: Path, progress: Progress) -> None:
    progress(f"reading {source.name} (sha256 {digest})")
    origin = _read_origin(source, digest)
    try:
        tokenizer, model = (_load_gguf if origin.is_gguf else _load_folder)(origin, progress)
    except (ValueError, KeyError, IndexError, RuntimeError, OSError, ImportError) as error:
        # The libraries raise whatever the damage happens to trip over; the reader needs one sentence.
        raise ConversionError(f"{source.name} cannot be read as a language model: {error}") from error
    progress("writing model.safetensors in fp32")
    _save_model(model, folder)
    _save_tokenizer(tokenizer, model.config, folder)
    _save_card(origin, folder)


# --- Reading -------------------------------------------------------------------------------------------------------


def _read_origin(source: Path, digest: str) -> Origin:
    if source.is_dir():
        return Origin(source, digest, title=source.name)
    from gguf import GGUFReader

    try:
        return _describe(GGUFReader(source), source, digest)
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise ConversionError(f"{source.name} is truncated or damaged: {error}") from error


def _describe(reader: Any, source: Path, digest: str) -> Origin:
    # The file is named after the model it was quantised from: "SmolLM2-135M-Instruct.Q4_1.gguf".
    title = re.sub(r"[.-](i?q\d\w*|b?f16|f32)$", "", source.stem, flags=re.IGNORECASE)
    organisation = _metadata(reader, "general.organization")
    kinds = [tensor.tensor_type.name for tensor in reader.tensors]
    return Origin(
        source,
        digest,
        title=title,
        licence=_metadata(reader, "general.license"),
        base_model=f"{organisation}/{title}" if organisation else "",
        pre_tokenizer=_metadata(reader, "tokenizer.ggml.pre"),
        precisions=", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))),
    )


def _metadata(reader: Any, key: str) -> str:
    field = reader.get_field(key)
    return str(field.contents()) if field else ""


def _transformers() -> Any:
    # Loaded late, because it takes seconds that a finished conversion need not wait; Any, because it is half typed.
    import transformers

    return transformers


def _load_gguf(origin: Origin, progress: Progress) -> tuple[Any, Any]:
    place, name = origin.path.parent, origin.path.name
    progress("reading the tokenizer")
    tokenizer = _transformers().AutoTokenizer.from_pretrained(place, gguf_file=name, local_files_only=True)
    _restore_pre_tokenizer(tokenizer.backend_tokenizer, origin.pre_tokenizer, progress)
    progress(f"reading the tensors ({origin.precisions})")
    config = _transformers().AutoConfig.from_pretrained(place, gguf_file=name, local_files_only=True)
    return tokenizer, _fill_model(config, origin.path)


def _fill_model(config: Any, path: Path) -> Any:
    # A model that transformers loads from GGUF keeps a quantization_config and cannot be saved; a fresh one can.
    # Filling it from the reader of transformers gives the same numbers bit by bit, and does without accelerate.
    import torch

    model = _transformers().AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    tensors = _dequantised(path, model)
    report = model.load_state_dict(tensors, strict=False)
    state = model.state_dict()
    filled = {state[name].data_ptr() for name in tensors if name in state}
    # A tied output layer has no tensor of its own in the file: it is filled through the embedding it shares.
    empty = [name for name in report.missing_keys if state[name].data_ptr() not in filled]
    if empty or report.unexpected_keys:
        raise ValueError(f"tensors missing {empty}, unknown {report.unexpected_keys}")
    return model


def _dequantised(path: Path, model: Any) -> dict[str, Any]:
    import torch
    from transformers import modeling_gguf_pytorch_utils

    read: Any = modeling_gguf_pytorch_utils.load_gguf_checkpoint
    tensors: dict[str, Any] = read(str(path), return_tensors=True, model_to_load=model, torch_dtype=torch.float32)[
        "tensors"
    ]
    return tensors


def _restore_pre_tokenizer(tokenizer: Any, name: str, progress: Progress) -> None:
    """Cut digits one by one where the GGUF says so, which transformers leaves out (spaces before digits differ)."""
    from tokenizers import pre_tokenizers

    if name == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, tokenizer.pre_tokenizer])
    elif name not in ("", "default", "gpt-2"):
        progress(f"note: pre-tokenizer {name!r} is taken as transformers reads it; compare token ids with the original")


def _load_folder(origin: Origin, progress: Progress) -> tuple[Any, Any]:
    import torch

    progress("reading the tokenizer and the tensors")
    # This class takes tokenizer.json as it stands; a class named after a model may build its own from the vocabulary.
    tokenizer = _transformers().PreTrainedTokenizerFast.from_pretrained(origin.path, local_files_only=True)
    model = _transformers().AutoModelForCausalLM.from_pretrained(
        origin.path, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return tokenizer, model


# --- Writing -------------------------------------------------------------------------------------------------------


def _save_model(model: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # written for its owner only, unlike every other file
    _name_rope_theta(folder / "config.json")
    for name in ("config.json", "generation_config.json"):
        _drop_keys(folder / name, "transformers_version", "_model_name_or_path", "_name_or_path")


def _save_tokenizer(tokenizer: Any, config: Any, folder: Path) -> None:
    tokenizer.model_max_length = getattr(config, "max_position_embeddings", tokenizer.model_max_length)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    _drop_keys(path, "backend", "is_local", "local_files_only")
    # The one class that old and new readers know and that uses tokenizer.json unchanged.
    _write_json(path, {**json.loads(path.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"})


def _name_rope_theta(path: Path) -> None:
    # Readers older than transformers 5 know only the flat key and would fall back to 10,000 in silence.
    config = json.loads(path.read_text())
    theta = config.get("rope_parameters", {}).get("rope_theta")
    _write_json(path, config if theta is None else {**config, "rope_theta": theta})


def _drop_keys(path: Path, *keys: str) -> None:
    # What depends on the library's version or on where the source lay would change the digest.
    if path.is_file():
        _write_json(path, {key: value for key, value in json.loads(path.read_text()).items() if key not in keys})


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _save_card(origin: Origin, folder: Path) -> None:
    for path in sorted(origin.path.glob("LICEN[CS]E*")) if origin.path.is_dir() else []:
        shutil.copyfile(path, folder / path.name)
    own = origin.path / "README.md"
    head = own.read_text(encoding="utf-8").rstrip() if own.is_file() else _card_head(origin)
    (folder / "README.md").write_text(f"{head}\n\n{_card_body(origin)}\n", encoding="utf-8")


def _card_head(origin: Origin) -> str:
    facts = {"license": origin.licence, "base_model": origin.base_model, "library_name": "transformers"}
    lines = [f"{key}: {value}" for key, value in facts.items() if value]
    return "\n".join(["---", *lines, "pipeline_tag: text-generation", "---", "", f"# {origin.title}"])


def _card_body(origin: Origin) -> str:
    kind = "sha256" if origin.is_gguf else "weights digest"
    lines = ["## Conversion", "", f"Converted to fp32 from `{origin.path.name}` ({kind} `{origin.digest}`)."]
    if origin.precisions:
        lines += [f"The source holds these tensors: {origin.precisions}.", "What quantisation lost is not restored."]
    return "\n".join(lines)


def _write_marker(folder: Path, digest: str) -> None:
    _write_json(folder / MARKER, {"source": digest, "converter": CONVERTER, "files": _sizes(folder)})


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file() and path.name != MARKER}


def _replace(target: Path, partial: Path) -> None:
    # A folder cannot be renamed over another one, so the older conversion steps aside first.
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    # Progress is told by lines; bars and advice of the libraries would only blur them. Errors still come through.
    logging = _transformers().utils.logging
    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()


# --- From a shell --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert as told on the command line; returns 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m inference.convert", description=__doc__)
    parser.add_argument("source", type=Path, help="GGUF file or Hub-style folder")
    parser.add_argument("target", type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TQDM_DISABLE", "1")  # the GGUF reader draws its bar past every other switch
    try:
        convert(options.source, options.target, _say)
    except (ConversionError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
