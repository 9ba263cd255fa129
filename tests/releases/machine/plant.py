"""Damage that a verification must find, each with the name that it must be given."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.schema import releases
from rag_assets.vector_index.retention import move_tag


def dataset(platform: Platform, release: Release, version: int | str | None = None) -> Any:
    lance = importlib.import_module("lance")
    return lance.dataset(f"{platform.lancedb_uri}/{release.table_name}.lance", version=version)


def missing_tag(platform: Platform, release: Release) -> None:
    dataset(platform, release).tags.delete(release.tag)


def truncated_table(platform: Platform, stage: str) -> None:
    path = Path(platform.settings.home_location, "tables", stage, "docs.parquet")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edited_row(platform: Platform, release: Release) -> None:
    """Another text in one row of a release's version."""
    _change(platform, release, {"text": "'nobody has written this'"})


def altered_vector(platform: Platform, release: Release) -> None:
    """The vector of another text, of unit length."""
    turned = np.roll(_first(platform, release)["vector"], 1)
    _change(platform, release, {"vector": f"arrow_cast([{', '.join(map(str, turned))}], "
                                          f"'FixedSizeList({len(turned)}, Float32)')"})  # fmt: skip


def deleted_fragment(platform: Platform, release: Release) -> None:
    """A data file of the version is gone."""
    found = dataset(platform, release, release.tag)
    name = found.get_fragments()[0].data_files()[0].path
    Path(f"{platform.lancedb_uri}/{release.table_name}.lance/data", name).unlink()


def _first(platform: Platform, release: Release) -> dict[str, Any]:
    return dict(dataset(platform, release, release.tag).head(1).to_pylist()[0])


def _change(platform: Platform, release: Release, values: dict[str, str]) -> None:
    """Change one row of the head, which is what the release holds, and let the release be that."""
    chunk = _first(platform, release)["chunk_id"]
    head = dataset(platform, release)
    head.update(values, where=f"chunk_id = '{chunk}'")
    version = dataset(platform, release).version
    move_tag(platform.lancedb_uri, release.table_name, release.tag, version)
    with platform.database.begin() as connection:
        connection.execute(
            sa.update(releases).where(releases.c.id == release.id).values(lance_version=version)
        )
    assert Registry(platform.database).get(release.id).lance_version == version  # type: ignore[union-attr]


ON_A_RELEASE: dict[str, Callable[[Platform, Release], None]] = {
    "missing_tag": missing_tag,
    "edited_rows": edited_row,
    "wrong_vectors": altered_vector,
    "lost_fragment": deleted_fragment,
}
