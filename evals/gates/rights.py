"""Who may read what: the manifest against the rows of an index, by exact comparison."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.query.access import PUBLIC
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.releases.registry import Release
from rag_assets.vector_index.rows import readers
from rag_assets.vector_index.schema import NO_ACL

EVERYONE = "everyone"
RIGHTS = pl.Schema(
    {"document_id": pl.String(), "partition": pl.String(), "acl": pl.List(pl.String())}
)
INDEX_RIGHTS = pl.Schema({**RIGHTS, "readers": pl.List(pl.String())})


class Problem(NamedTuple):
    """A document and what is wrong with its rights, in words that name groups and no text."""

    document_id: str
    what: str


def read_manifest(platform: Platform, partitions: list[str]) -> pl.DataFrame:
    """``RIGHTS`` of every document that some shards list."""
    frames = [
        platform.tables.read("raw_documents", name, RAW_DOCUMENTS).select(
            "document_id", pl.lit(name).alias("partition"), "acl"
        )
        for name in sorted(partitions)
    ]
    return pl.concat([RIGHTS.to_frame(), *frames])


def read_index_rights(platform: Platform, release: Release) -> pl.DataFrame:
    """``INDEX_RIGHTS`` of every row of a release's version of the index.

    Raises:
        IndexUnavailable: it cannot be read.
    """
    import lance

    uri = f"{platform.lancedb_uri}/{release.table_name}.lance"
    try:
        dataset = lance.dataset(
            uri, version=release.lance_version, storage_options=platform.storage_options or None
        )
        found = pl.from_arrow(dataset.to_table(columns=INDEX_RIGHTS.names()))
    except (OSError, ValueError, RuntimeError) as error:
        raise IndexUnavailable(
            f"The index of release {release.id} cannot be read: {error}.",
            "Check RAG_HOME; 'ragline ingest --full' builds the index again.",
        ) from error
    assert isinstance(found, pl.DataFrame)
    return found.cast(INDEX_RIGHTS)


def wrong_rows(manifest: pl.DataFrame, rows: pl.DataFrame) -> list[Problem]:
    """Documents with a row in the index that has other readers than the manifest says.

    Args:
        manifest: ``RIGHTS``.
        rows: ``INDEX_RIGHTS``.

    Returns:
        one problem for each document and kind of difference, sorted.
    """
    wanted = manifest.select(
        "document_id", "partition", listed=pl.lit(True), wanted=_sorted(readers())
    )
    has = rows.select(
        "document_id", "partition", has=_sorted(pl.col("readers")), says=_sorted(readers())
    ).unique()
    both = has.join(wanted, on=["document_id", "partition"], how="left")
    problems = set()
    for row in both.iter_rows(named=True):
        problems |= {Problem(row["document_id"], what) for what in _differences(row)}
    return sorted(problems)


def _differences(row: dict[str, list[str]]) -> Iterator[str]:
    if row["listed"] is None:
        yield "is in the index and not in the manifest of its shard"
        return
    has, wanted = set(row["has"]), set(row["wanted"])
    if has - wanted:
        yield f"can be read by {named(has - wanted)}, which the manifest does not allow"
    if wanted - has:
        yield f"cannot be read by {named(wanted - has)}, whom the manifest allows"
    if set(row["says"]) != wanted and has == wanted:
        yield "has another ACL in the index than in the manifest"


def _sorted(expression: pl.Expr) -> pl.Expr:
    return expression.fill_null([]).list.unique().list.sort()


def widened(then: pl.DataFrame, manifest: pl.DataFrame, *, authenticated: bool) -> list[Problem]:
    """Documents that more people may read than before.

    Args:
        then: columns document_id and acl, of the live release.
        manifest: ``RIGHTS``, now.
        authenticated: whether a document without an ACL is for nobody, instead of for everyone.
    """
    before = dict(then.select("document_id", "acl").rows())
    found = []
    for document, acl in manifest.select("document_id", "acl").rows():
        if document not in before:
            continue
        old = _audience(before[document], authenticated)
        new = _audience(acl, authenticated)
        more = new - old
        if more and EVERYONE not in old:
            names = EVERYONE if EVERYONE in more else named(more)
            found.append(Problem(document, f"can now be read by {names}"))
    return sorted(found)


def _audience(acl: list[str] | None, authenticated: bool) -> set[str]:
    if not acl:
        return set() if authenticated else {EVERYONE}
    return {EVERYONE} if PUBLIC in acl else set(acl) - {NO_ACL}


def named(groups: set[str]) -> str:
    """Groups, as people read them."""
    shown = ["(no ACL)" if name == NO_ACL else f"'{name}'" for name in sorted(groups)]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
