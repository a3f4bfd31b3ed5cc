"""What goes into the store comes out byte for byte, and whatever is wrong with it is named by file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from inference.contract import manifest_bytes, weights_digest
from release_portal.registry import store
from release_portal.registry.store import StoreError, add_folder, list_digests, list_files, open_file, path_of, verify


def safetensors(payload: bytes) -> bytes:
    """Return a safetensors file of one tensor of bytes."""
    header = json.dumps({"x": {"dtype": "U8", "shape": [len(payload)], "data_offsets": [0, len(payload)]}}).encode()
    return len(header).to_bytes(8, "little") + header + payload


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The store, not made yet."""
    return tmp_path / "store"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small Hub-style folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(safetensors(b"weights!"))
    return folder


def blobs(root: Path) -> set[str]:
    """Return the names of everything that lies among the blobs."""
    return {path.name for path in (root / "blobs").iterdir()}


def test_a_folder_is_stored_as_the_contract_says(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
        for path in folder.iterdir()
    }
    assert digest == weights_digest(files)
    assert (root / "manifests" / f"{digest}.json").read_bytes() == manifest_bytes(files)
    assert blobs(root) == {entry["sha256"] for entry in files.values()}


def test_the_bytes_come_out_as_they_went_in(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    with open_file(root, digest, "model.safetensors") as file:
        assert file.read() == (folder / "model.safetensors").read_bytes()


def test_revisions_and_their_files_are_listed(root: Path, folder: Path) -> None:
    first = add_folder(root, folder)
    (folder / "README.md").write_text("# Card")
    second = add_folder(root, folder)
    assert list_digests(root) == sorted([first, second])
    assert [file.name for file in list_files(root, second)] == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert len(blobs(root)) == 4


def test_an_empty_store_lists_nothing(root: Path) -> None:
    assert list_digests(root) == []


def test_files_in_subfolders_keep_their_place(root: Path, folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tools.jinja").write_text("{{ x }}")
    digest = add_folder(root, folder)
    assert path_of(root, digest, "additional_chat_templates/tools.jinja").read_text() == "{{ x }}"


def test_hidden_files_are_left_out(root: Path, folder: Path) -> None:
    (folder / ".conversion.json").write_text("{}")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "model.lock").write_text("")
    assert len(list_files(root, add_folder(root, folder))) == 3


def test_a_folder_may_share_its_bytes_with_the_store(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder, may_link=True)
    assert path_of(root, digest, "model.safetensors").samefile(folder / "model.safetensors")


def test_without_being_allowed_the_store_keeps_its_own_bytes(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    assert not path_of(root, digest, "model.safetensors").samefile(folder / "model.safetensors")


def test_where_links_are_impossible_files_are_copied(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert verify(root, add_folder(root, folder, may_link=True)) == []


def test_an_interrupted_add_goes_on_where_it_stopped(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = store.shutil.copyfile

    def interrupt(source: Path, target: Path) -> None:
        copy(source, target)
        if source.name == "model.safetensors":
            target.write_bytes(b"half of")
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.shutil, "copyfile", interrupt)
        with pytest.raises(KeyboardInterrupt):
            add_folder(root, folder)
    assert list_digests(root) == []
    lines: list[str] = []
    digest = add_folder(root, folder, lines.append)
    assert [line.endswith("already stored") for line in lines] == [True, False, False]
    assert verify(root, digest) == []
    assert len(blobs(root)) == 3


def test_adding_again_stores_nothing_new(root: Path, folder: Path) -> None:
    lines: list[str] = []
    assert add_folder(root, folder) == add_folder(root, folder, lines.append)
    assert [line.endswith("already stored") for line in lines] == [True, True, True]


def test_a_sound_revision_has_no_problems(root: Path, folder: Path) -> None:
    assert verify(root, add_folder(root, folder)) == []


def test_a_truncated_blob_is_named(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    blob = path_of(root, digest, "model.safetensors")
    blob.write_bytes(blob.read_bytes()[:-3])
    size = blob.stat().st_size
    assert verify(root, digest) == [f"model.safetensors is truncated: {size} of {size + 3} bytes"]


def test_a_swapped_blob_is_named(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    path_of(root, digest, "tokenizer.json").write_text("[]")
    (problem,) = verify(root, digest)
    assert problem.startswith("tokenizer.json holds other bytes: sha256 ")


def test_a_missing_blob_is_named(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    path_of(root, digest, "config.json").unlink()
    assert verify(root, digest) == ["config.json is missing"]
    with pytest.raises(StoreError, match="config.json of .* is missing from the store"):
        open_file(root, digest, "config.json")


def test_adding_the_folder_again_repairs_a_damaged_blob(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    path_of(root, digest, "tokenizer.json").write_text("[]")
    assert add_folder(root, folder) == digest
    assert verify(root, digest) == []


def test_an_altered_manifest_is_named_and_not_believed(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    manifest = root / "manifests" / f"{digest}.json"
    manifest.write_text(manifest.read_text().replace("config.json", "other.json"))
    assert verify(root, digest) == [f"manifest {digest} was altered: its content has another digest"]
    with pytest.raises(StoreError, match="altered"):
        path_of(root, digest, "other.json")


def test_a_damaged_manifest_is_named(root: Path, folder: Path) -> None:
    digest = add_folder(root, folder)
    (root / "manifests" / f"{digest}.json").write_text("[")
    assert verify(root, digest) == [f"manifest {digest} is damaged"]


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_digest_never_becomes_a_path(root: Path, digest: str) -> None:
    with pytest.raises(StoreError, match="is not a weights digest"):
        list_files(root, digest)


def test_an_unknown_digest_is_refused(root: Path) -> None:
    assert verify(root, "0" * 64) == [f"manifest {'0' * 64} is not in the store"]


@pytest.mark.parametrize("name", ["missing.json", "../manifests", ""])
def test_a_file_that_the_revision_does_not_have_is_refused(root: Path, folder: Path, name: str) -> None:
    digest = add_folder(root, folder)
    with pytest.raises(StoreError, match="is not a file of"):
        path_of(root, digest, name)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_a_needed_file_is_refused_by_name(root: Path, folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(StoreError, match=f"{name} is missing in model"):
        add_folder(root, folder)
    assert not root.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "last.ckpt", "model.PTH"])
def test_pickled_weights_are_refused_by_name(root: Path, folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(StoreError, match=f"{name}: pickled weights can run code"):
        add_folder(root, folder)


def test_pickles_beside_safetensors_are_left_out_and_named(root: Path, folder: Path) -> None:
    (folder / "training_args.bin").write_bytes(b"pickle")
    lines: list[str] = []
    digest = add_folder(root, folder, lines.append)
    assert lines[0] == "training_args.bin left out: pickles are never stored"
    assert len(list_files(root, digest)) == 3


def test_a_link_to_outside_is_refused_by_name(root: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "vocab.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="vocab.txt is a link to outside"):
        add_folder(root, folder)


def test_a_linked_folder_outside_is_refused_by_name(root: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "extra").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="extra is a link to outside"):
        add_folder(root, folder)


def test_a_link_inside_the_folder_is_followed(root: Path, folder: Path) -> None:
    (folder / "vocab.json").symlink_to(folder / "tokenizer.json")
    digest = add_folder(root, folder, may_link=True)
    assert path_of(root, digest, "vocab.json").read_text() == "{}"
    assert not path_of(root, digest, "vocab.json").is_symlink()


@pytest.mark.parametrize("change", [-1, 1])
def test_weights_of_another_length_than_their_header_says_are_refused(root: Path, folder: Path, change: int) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:change] if change < 0 else whole + b"x")
    with pytest.raises(StoreError, match="model.safetensors is truncated or damaged"):
        add_folder(root, folder)


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"not a safetensors file at all", (4).to_bytes(8, "little") + b"[1]x"]
)
def test_a_file_that_only_calls_itself_safetensors_is_refused(root: Path, folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(StoreError, match=r"model\.safetensors is (truncated|not)"):
        add_folder(root, folder)


def test_a_missing_shard_is_named(root: Path, folder: Path) -> None:
    index = {"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(StoreError, match="model-00002-of-00002.safetensors is missing"):
        add_folder(root, folder)


def test_a_damaged_index_of_shards_is_refused(root: Path, folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(StoreError, match="is not an index of shards"):
        add_folder(root, folder)


def test_what_is_no_folder_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a folder"):
        add_folder(root, tmp_path / "nothing")


def test_a_file_that_changes_while_it_is_stored_is_refused_by_name(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.shutil, "copyfile", lambda source, target: target.write_bytes(b"something else"))
    with pytest.raises(StoreError, match="config.json changed while it was being stored"):
        add_folder(root, folder)
    assert blobs(root) == set()
