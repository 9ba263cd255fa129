"""Deployments with a history of releases: built once, copied for every test that changes one."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import QuerySettings, Settings, SourceSettings
from tests.jobs.harness import run_stages

Documents = Mapping[str, str]


def settings_in(folder: Path, shards: int = 1) -> Settings:
    """The settings of a deployment that lives in a folder; engines look for news at every query."""
    source = SourceSettings(path=str(folder / "documents"), acl=["public"], shards=shards)
    return Settings(
        home=str(folder / "home"),
        sources={"docs": source},
        query=QuerySettings(refresh_seconds=0.0),
    )


def with_history(
    folder: Path,
    models: Path,
    history: Sequence[Documents],
    shards: int = 1,
    run: Callable[[Platform], object] = run_stages,
) -> Platform:
    """A deployment with one release for each state of its documents.

    Args:
        folder: of the deployment.
        models: where exported encoders are kept.
        history: file names and texts.
        shards: of its one source, ``docs``.
        run: what is done after each change.
    """
    models.mkdir(parents=True, exist_ok=True)
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "models").symlink_to(models, target_is_directory=True)
    documents = folder / "documents"
    documents.mkdir()
    platform = Platform(settings_in(folder, shards))
    for state in history:
        for path in documents.iterdir():
            if path.name not in state:
                path.unlink()
        for name, text in state.items():
            path = documents / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        run(platform)
    return platform


def copied(platform: Platform, folder: Path) -> Platform:
    """A copy of a deployment in another folder."""
    shutil.copytree(platform.state_path.parent, folder, symlinks=True)
    return Platform(settings_in(folder, platform.settings.sources["docs"].shards))
