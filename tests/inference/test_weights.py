"""The worker loads exactly the files that a weights digest names, or nothing."""

from __future__ import annotations

import json
import shutil

import pytest

from inference.backends.loader import FolderLoader, StoreLoader
from inference.backends.weights import WeightsStore
from inference.contract import manifest_bytes, weights_digest
from inference.engine.backend import LoadError


@pytest.fixture
def own_store(store, tmp_path):
    """A copy that a test may damage: root, digest of the GPT-2, its manifest."""
    shutil.copytree(store[0], tmp_path / "store")
    digest = store[1]["gpt2"]
    files = json.loads((tmp_path / "store" / "manifests" / f"{digest}.json").read_bytes())["files"]
    return tmp_path / "store", digest, files


def test_what_the_digest_names_is_loaded(own_store):
    root, digest, files = own_store
    loader = StoreLoader(WeightsStore(root))
    assert loader.weigh(digest) == sum(entry["size"] for entry in files.values())
    assert loader.load(digest).encode("The lab")


def test_a_folder_of_links_is_gone_after_loading(own_store):
    root, digest, files = own_store
    with WeightsStore(root).folder(digest) as folder:
        assert {path.name for path in folder.iterdir()} == set(files)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_that_was_changed_is_refused(own_store, name):
    root, digest, files = own_store
    with (root / "blobs" / files[name]["sha256"]).open("ab") as blob:
        blob.write(b" ")
    with pytest.raises(LoadError, match=f"{name} is not what the manifest says"):
        StoreLoader(WeightsStore(root)).load(digest)


def test_a_file_that_is_gone_is_refused(own_store):
    root, digest, files = own_store
    (root / "blobs" / files["config.json"]["sha256"]).unlink()
    with pytest.raises(LoadError, match="not in the store"):
        StoreLoader(WeightsStore(root)).load(digest)


def test_a_manifest_under_another_digest_is_refused(own_store, store):
    root, digest, _ = own_store
    shutil.copy(root / "manifests" / f"{store[1]['opt']}.json", root / "manifests" / f"{digest}.json")
    with pytest.raises(LoadError, match="not what its digest says"):
        StoreLoader(WeightsStore(root)).load(digest)


@pytest.mark.parametrize("digest", ["", "../blobs/x", "0" * 64, "A" * 64])
def test_a_digest_without_a_manifest_is_refused(own_store, digest):
    with pytest.raises(LoadError):
        StoreLoader(WeightsStore(own_store[0])).load(digest)


@pytest.mark.parametrize("name", ["../escape", "/absolute", "folder/file", ".hidden"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(own_store, name):
    root, _, files = own_store
    files[name] = files.pop("config.json")
    digest = weights_digest(files)
    (root / "manifests" / f"{digest}.json").write_bytes(manifest_bytes(files))
    with pytest.raises(LoadError, match="no place"):
        StoreLoader(WeightsStore(root)).load(digest)


def test_files_that_are_no_model_are_refused_with_the_kind_of_error_only(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LoadError, match="cannot be loaded"):
        FolderLoader(tmp_path).load("")
