"""A released deployment to damage, and ways to damage it as disks, bugs and people do."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lance
import numpy as np
import polars as pl
import sqlalchemy as sa

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, Settings, SourceSettings
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.schema import releases
from rag_assets.vector_index.sql import quoted
from rag_assets.verification.base import Verification
from tests.jobs.harness import run_stages
from tests.query.restricted import write_documents

SHARDS = ("docs--1of2", "docs--2of2")


def platform_of(home: Path, documents: Path, shards: int = 2) -> Platform:
    source = SourceSettings(path=str(documents), shards=shards)
    chunking = ChunkingSettings(max_tokens=60)
    return Platform(Settings(home=str(home), sources={"docs": source}, chunking=chunking))


def released(folder: Path, models: Path, shards: int = 2) -> Platform:
    """Write and release the documents in a folder of their own."""
    home, documents = folder / "home", folder / "documents"
    home.mkdir(parents=True)
    documents.mkdir()
    models.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(models, target_is_directory=True)
    write_documents(documents)
    platform = platform_of(home, documents, shards)
    run_stages(platform)
    return platform


def copied(template: Platform, folder: Path) -> Platform:
    """The same state in another folder, with the same source."""
    home = folder / "home"
    shutil.copytree(template.settings.home_location, home, symlinks=True)
    return platform_of(home, Path(template.settings.sources["docs"].path))


def live(platform: Platform) -> Release:
    release = Registry(platform.database).live()
    assert release is not None
    return release


def dataset(platform: Platform, version: int | str | None = None) -> Any:
    uri = f"{platform.lancedb_uri}/{live(platform).table_name}.lance"
    return lance.dataset(uri, version=version)


def table_folder(platform: Platform) -> Path:
    return Path(platform.lancedb_uri) / f"{live(platform).table_name}.lance"


def set_registry(platform: Platform, release: int, **values: Any) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.update(releases).where(releases.c.id == release).values(**values))


def smuggle(platform: Platform, edit: Callable[[Any], None]) -> None:
    """Change rows of the live version through Lance, so that every file stays valid."""
    edit(dataset(platform))
    release, newest = live(platform), dataset(platform)
    newest.tags.update(release.tag, newest.version)
    set_registry(platform, release.id, lance_version=newest.version)


def rows(platform: Platform) -> pl.DataFrame:
    """Every row of the live version, sorted."""
    frame = pl.from_arrow(dataset(platform, live(platform).tag).to_table())
    assert isinstance(frame, pl.DataFrame)
    return frame.sort("chunk_id")


def a_chunk(platform: Platform, document: str = "zqsalariesxv") -> str:
    found = rows(platform).filter(pl.col("document_id").str.contains(document))
    return str(found.sort("ordinal")["chunk_id"][1])


def rewritten(platform: Platform, chunk: str, **values: Any) -> Callable[[Any], None]:
    """An edit that gives one row other values."""

    def edit(target: Any) -> None:
        found = target.to_table(filter=f"chunk_id = {quoted(chunk)}")
        for name, value in values.items():
            field = found.schema.field(name)
            import pyarrow as pa

            column = pa.array([value], type=field.type)
            found = found.set_column(found.schema.get_field_index(name), field, column)
        target.merge_insert("chunk_id").when_matched_update_all().execute(found)

    return edit


def another_vector(platform: Platform, chunk: str) -> Any:
    """The vector of a chunk, turned half-way round: still finite and of unit length."""
    vector = rows(platform).filter(pl.col("chunk_id") == chunk)["vector"].to_numpy()[0]
    turned = np.roll(vector, 7)
    return (turned / np.linalg.norm(turned)).astype(np.float32)


def edit_table(
    platform: Platform,
    asset: str,
    partition: str,
    edit: Callable[[pl.DataFrame], pl.DataFrame],
    digest: Callable[[pl.DataFrame], str] | None = None,
) -> None:
    """Change rows of a stage table; with ``digest`` its stamp is forged to fit them."""
    tables = platform.tables
    stamp = tables.stamp(asset, partition)
    assert stamp is not None
    frame = edit(pl.read_parquet(tables_path(platform, asset, partition)))
    if digest is not None:
        stamp = replace(stamp, digest=digest(frame))
    tables.write(asset, partition, frame, stamp)


def tables_path(platform: Platform, asset: str, partition: str) -> Path:
    path = platform.storage.path(platform.tables.key(asset, partition))
    assert path is not None
    return path


def files(platform: Platform) -> dict[str, tuple[int, int]]:
    """Every table, blob and data file: its inode and time of change.

    A blob that is put again only looks younger: what counts is whether it is another file.
    """
    home = Path(platform.settings.home_location)
    found = [*home.glob("tables/*/*"), *home.glob("blobs/*/*"), *home.glob("lancedb/*/data/*")]
    stats = {str(path.relative_to(home)): path.stat() for path in found}
    return {
        name: (stat.st_ino, 0 if name.startswith("blobs/") else stat.st_mtime_ns)
        for name, stat in stats.items()
    }


def kinds(verification: Verification) -> list[str]:
    return [item.kind for item in verification.disagreements]
