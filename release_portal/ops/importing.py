"""Bring weights into the store from a folder, a GGUF file or a Hub id."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.conf import settings

from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput
from release_portal.registry import store
from release_portal.registry.demo_model import DemoModelError, converted_folder
from release_portal.registry.models import ModelSize, Revision
from release_portal.registry.services import register_revision

Progress = Callable[[str], None]


def import_weights(actor: Actor, slug: str, source: str, *, at: datetime, progress: Progress) -> Revision:
    """Store the weights that a source holds and make them the current revision of a size.

    Args:
        slug: size in the catalogue, lab/size-slug.
        source: folder, GGUF file, or Hub id (lab/name, where a network exists).
        progress: receives one line per step. An interrupted import goes on where it stopped when it is run again.

    Raises:
        InvalidInput: naming what is wrong with the source.
    """
    if not ModelSize.objects.filter(slug=slug).exists():
        raise InvalidInput(f"The catalogue has no size {slug}.", field="id", change="Use an id from the catalogue.")
    try:
        folder, may_link = _folder_of(source, progress)
        digest = store.add_folder(settings.STORE_ROOT, folder, progress, may_link=may_link)
    except (store.StoreError, DemoModelError) as error:
        raise InvalidInput(
            str(error), field="source", change="Correct the source and run the command again."
        ) from error
    progress(f"weights digest {digest}")
    return register_revision(actor, slug, digest, settings.STORE_ROOT, source=source, at=at)


def _folder_of(source: str, progress: Progress) -> tuple[Path, bool]:
    """Return a Hub-style folder for the source, and whether it is our own copy, whose files may be linked."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path, False
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise InvalidInput(f"{path.name} is neither a folder nor a GGUF file.", field="source")
        progress(f"converting {path.name}")
        return converted_folder(path, settings.MODEL_CACHE, progress), True
    if path.is_absolute() or source.count("/") != 1 or source.startswith("."):
        raise InvalidInput(
            f"{source} does not exist.", field="source", change="Give a folder, a GGUF file or a Hub id."
        )
    return _from_hub(source, progress), False


def _from_hub(repo_id: str, progress: Progress) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    progress(f"downloading {repo_id} from the Hub; an interrupted download goes on where it stopped")
    try:
        return Path(snapshot_download(repo_id, ignore_patterns=["*.bin", "*.pt", "*.h5", "*.msgpack", "*.onnx"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise InvalidInput(
            f"{repo_id} could not be downloaded: {error}",
            field="source",
            change="Check the id and the network, or download it elsewhere and give the folder.",
        ) from error
