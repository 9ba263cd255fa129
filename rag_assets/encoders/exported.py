"""Keeps exported models under the state folder, one folder per fingerprint, exported once."""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.locks import exclusive
from rag_assets.platform.storage import TEMPORARY_SUFFIX, storage_errors

from .models import ModelFolder

AGREEMENT_FILE = "agreement.json"
MINIMUM_AGREEMENT = 0.999
LOCK_SECONDS = 300.0
EXPORT_SECONDS = 600.0
ABANDONED_SECONDS = 3600.0


def exported_folder(state_path: Path, fingerprint: str) -> Path:
    """Where the exported model with this fingerprint lives."""
    return state_path / "models" / fingerprint


def read_agreement(folder: Path) -> dict[str, Any] | None:
    """What was recorded when the model was exported; ``None`` when it is not there in full."""
    try:
        facts = json.loads((folder / AGREEMENT_FILE).read_text("utf-8"))
        complete = all((folder / name).stat().st_size == n for name, n in facts["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if complete else None


def ensure_exported(model: ModelFolder, source: str, state_path: Path, fingerprint: str) -> Path:
    """Export a model unless that was done before.

    Args:
        model: the model.
        source: the name or path it is found by.
        state_path: the local state folder.
        fingerprint: of the encoder.

    Returns:
        The folder of the exported model.

    Raises:
        EncoderError: the export failed, or its vectors do not agree with the original's.
        AlreadyRunning: another process has been exporting the model for very long.
        StorageFull, StorageError: the state folder cannot be written.
    """
    folder = exported_folder(state_path, fingerprint)
    if read_agreement(folder) is not None:
        return folder
    name = f"model-{fingerprint[:16]}"
    doing = f"exporting the model {model.name}"
    with exclusive(state_path / "locks", name, doing=doing, timeout=LOCK_SECONDS):
        if read_agreement(folder) is None:
            _export_aside(model, source, folder)
    return folder


def adopt_exported(source: Path, state_path: Path) -> list[str]:
    """Copy models that were exported elsewhere, e.g. when an image was made, into the state folder.

    Args:
        source: a folder like ``<state>/models``.
        state_path: the local state folder.

    Returns:
        The fingerprints of the models that were copied; those that are there already stay.

    Raises:
        EncoderError: there is no such folder.
        StorageFull, StorageError: the state folder cannot be written.
    """
    if not source.is_dir():
        raise EncoderError(f"There is no folder {source}.", "Name a folder of exported models.")
    adopted = []
    for model in sorted(source.iterdir()):
        folder = exported_folder(state_path, model.name)
        if read_agreement(model) is None or read_agreement(folder) is not None:
            continue
        aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
        name, doing = f"model-{model.name[:16]}", f"copying the model {model.name}"
        with (
            exclusive(state_path / "locks", name, doing=doing, timeout=LOCK_SECONDS),
            storage_errors(str(folder)),
        ):
            try:
                shutil.copytree(model, aside)
                shutil.rmtree(folder, ignore_errors=True)
                aside.replace(folder)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        adopted.append(model.name)
    return adopted


def _export_aside(model: ModelFolder, source: str, folder: Path) -> None:
    """Export into a folder beside the final one and rename it: never a half-written model."""
    aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    with storage_errors(str(folder)):
        _remove_abandoned(folder.parent)
        aside.mkdir(parents=True)
        try:
            _run(model, source, aside)
            _check(model, aside)
            if folder.exists():  # damaged, or it would have been used
                shutil.rmtree(folder)
            aside.replace(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _run(model: ModelFolder, source: str, folder: Path) -> None:
    command = [sys.executable, "-m", "rag_assets.encoders.export", source, str(folder)]
    # the package is found even where it is not installed but run from its checkout
    search = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search))}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=EXPORT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise EncoderError(
            f"Exporting {model.name} took more than {EXPORT_SECONDS:.0f} s and was stopped.",
            "Try again on a less busy machine, or set encoder.backend to sentence-transformers.",
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise EncoderError(
            f"The model {model.name} cannot be exported: {lines[-1]}.",
            "Set encoder.backend to sentence-transformers, which runs any model.",
        )


def _check(model: ModelFolder, folder: Path) -> None:
    facts = read_agreement(folder)
    if facts is None:
        raise EncoderError(f"The export of {model.name} is not complete.", "Run the command again.")
    if not facts["cosine_mean"] >= MINIMUM_AGREEMENT:  # also true for NaN
        raise EncoderError(
            f"The exported {model.name} does not agree with its original: mean cosine "
            f"{facts['cosine_mean']:.5f}, wanted {MINIMUM_AGREEMENT}.",
            "Set encoder.backend to sentence-transformers for this model.",
        )


def _remove_abandoned(folder: Path) -> None:
    """Remove what an export that was killed left behind; a young one may still be at work."""
    for left in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
