"""What two versions of the index hold, document by document: pure functions of their rows."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from rag_assets.vector_index.rows import readers

# what is compared of a document that both versions serve
FACTS = {
    "content_sha256": pl.String(),
    "uri": pl.String(),
    "title": pl.String(),
    "acl": pl.List(pl.String()),
    "attributes": pl.String(),
}
# what has to be read of every row of a version
SERVED = pl.Schema(
    {
        "chunk_id": pl.String(),
        "document_id": pl.String(),
        "parser": pl.String(),
        "char_start": pl.Int64(),
        "char_end": pl.Int64(),
        **FACTS,
    }
)
# in the order in which people want to read them
CHANGES = (
    "removed",
    "added",
    "permissions",  # other readers
    "content",  # other bytes
    "renamed",  # another id for the same bytes
    "moved",  # another uri under the same id
    "metadata",  # another title or other attributes
    "passages",  # the same bytes, divided otherwise
)
DOCUMENT_CHANGES = pl.Schema(
    {
        "document_id": pl.String(),  # of the later version; of the earlier one where it was removed
        "former_id": pl.String(),  # where it was renamed
        "changes": pl.List(pl.String()),  # of CHANGES, in their order
        **{f"before_{name}": kind for name, kind in FACTS.items()},
        **{f"after_{name}": kind for name, kind in FACTS.items()},
        "before_chunks": pl.Int64(),
        "after_chunks": pl.Int64(),
        "chunks_kept": pl.Int64(),
    }
)
SIDES = {"before": "after", "after": "before"}
_OPPOSITE = {"added": "removed", "removed": "added"}


@dataclass(frozen=True)
class ContentDiff:
    """The difference of what two versions hold.

    Attributes:
        changes: ``DOCUMENT_CHANGES``, a row for every document that is not the same, by document_id.
        documents_before, documents_after: how many each serves.
        chunks_before, chunks_after: how many each holds.
        chunks_kept: how many are in both.
    """

    changes: pl.DataFrame
    documents_before: int
    documents_after: int
    chunks_before: int
    chunks_after: int
    chunks_kept: int

    @property
    def empty(self) -> bool:
        """Whether the two hold the same."""
        return self.changes.is_empty()

    @property
    def unchanged(self) -> int:
        """Documents that are the same in both."""
        removed = self.changes.filter(pl.col("changes").list.contains("removed")).height
        added = self.changes.filter(pl.col("changes").list.contains("added")).height
        return self.documents_before - removed - (self.changes.height - removed - added)

    @property
    def chunks_added(self) -> int:
        """Chunks that only the later version holds."""
        return self.chunks_after - self.chunks_kept

    @property
    def chunks_removed(self) -> int:
        """Chunks that only the earlier version holds."""
        return self.chunks_before - self.chunks_kept

    def counts(self) -> dict[str, int]:
        """Kind of change → documents; a document may have changed in several ways."""
        listed = self.changes["changes"].explode(empty_as_null=True)
        found = dict(listed.drop_nulls().value_counts().rows())
        return {name: found.get(name, 0) for name in CHANGES}

    def mirrored(self) -> "ContentDiff":
        """The difference seen from the other side."""
        swapped = {
            name: f"{SIDES[side]}_{rest}"
            for name in DOCUMENT_CHANGES
            for side, _, rest in [name.partition("_")]
            if side in SIDES
        }
        changes = self.changes.rename(swapped).with_columns(
            pl.coalesce("former_id", "document_id").alias("document_id"),
            pl.when(pl.col("former_id").is_not_null()).then("document_id").alias("former_id"),
            pl.col("changes").list.eval(pl.element().replace(_OPPOSITE)),
        )
        return ContentDiff(
            changes.select(DOCUMENT_CHANGES.names()).sort("document_id"),
            self.documents_after,
            self.documents_before,
            self.chunks_after,
            self.chunks_before,
            self.chunks_kept,
        )

    def to_dict(self, limit: int | None = None) -> dict[str, Any]:
        """Totals, and the documents that changed, at most ``limit``, those that matter most first."""
        return {
            "documents": {
                "before": self.documents_before,
                "after": self.documents_after,
                "unchanged": self.unchanged,
                **self.counts(),
            },
            "chunks": {
                "before": self.chunks_before,
                "after": self.chunks_after,
                "added": self.chunks_added,
                "removed": self.chunks_removed,
                "kept": self.chunks_kept,
            },
            "changes": [
                {
                    **row,
                    "chunks_added": (row["after_chunks"] or 0) - row["chunks_kept"],
                    "chunks_removed": (row["before_chunks"] or 0) - row["chunks_kept"],
                }
                for row in self.most_important(limit).iter_rows(named=True)
            ],
        }

    def most_important(self, limit: int | None = None) -> pl.DataFrame:
        """``changes`` by their first kind in the order of ``CHANGES``, then by document_id."""
        kinds = {name: place for place, name in enumerate(CHANGES)}
        place = pl.col("changes").list.first().replace_strict(kinds, return_dtype=pl.Int64)
        ordered = self.changes.sort(place, "document_id")
        return ordered if limit is None else ordered.head(limit)


def content_diff(before: pl.DataFrame, after: pl.DataFrame) -> ContentDiff:
    """Compare the rows of two versions, of the same table or of two.

    A document that is gone and one that is new with the same bytes are one document that was renamed;
    where several could be paired, they are in the order of their ids.

    Args:
        before, after: ``SERVED``, a row for every chunk.
    """
    old, new = _documents(before), _documents(after)
    pairs = _pairs(old, new)
    kept = _kept(before, after, pairs)
    compared = (
        pairs.join(_side(old, "before"), on="before_id", how="left")
        .join(_side(new, "after"), on="after_id", how="left")
        .join(kept, on=["before_id", "after_id"], how="left")
        .with_columns(pl.col("chunks_kept").fill_null(0))
        .with_columns(
            document_id=pl.coalesce("after_id", "before_id"),
            former_id=pl.when(_renamed()).then("before_id"),
            changes=_changes(),
        )
    )
    changed = compared.filter(pl.col("changes").list.len() > 0)
    return ContentDiff(
        changed.select(DOCUMENT_CHANGES.names()).cast(DOCUMENT_CHANGES).sort("document_id"),
        old.height,
        new.height,
        before.height,
        after.height,
        int(kept["chunks_kept"].sum()),
    )


def _documents(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for every document; all of its chunks say the same of it."""
    counted = rows.group_by("document_id").agg(chunks=pl.len())
    facts = rows.select("document_id", *FACTS).unique("document_id", keep="first")
    return facts.join(counted, on="document_id")


def _side(documents: pl.DataFrame, side: str) -> pl.DataFrame:
    # who may read, comparable: in one order, each once, an absent ACL apart from an empty one
    compared = documents.with_columns(readers=readers().list.unique().list.sort())
    return compared.select(
        pl.col("document_id").alias(f"{side}_id"),
        pl.col(*FACTS, "chunks", "readers").name.prefix(f"{side}_"),
    )


def _pairs(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Columns before_id and after_id: every document of either side once, null where it has none."""
    before, after = (
        pl.col("document_id").alias("before_id"),
        pl.col("document_id").alias("after_id"),
    )
    same = old.join(new, on="document_id", how="semi").select(before, after)
    key = ["content_sha256", "place"]
    gone = _placed(old.join(new, on="document_id", how="anti"))
    came = _placed(new.join(old, on="document_id", how="anti"))
    renamed = gone.join(came, on=key, suffix="_after").select(
        before, after_id=pl.col("document_id_after")
    )
    removed = gone.join(came, on=key, how="anti").select(before)
    added = came.join(gone, on=key, how="anti").select(after)
    return pl.concat([same, renamed, removed, added], how="diagonal")


def _placed(documents: pl.DataFrame) -> pl.DataFrame:
    """With the place of each among those of the same bytes."""
    place = pl.int_range(pl.len()).over("content_sha256")
    return documents.sort("document_id").select("document_id", "content_sha256", place=place)


def _kept(before: pl.DataFrame, after: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Columns before_id, after_id, chunks_kept: the passages that both sides have.

    A chunk_id is made of the document's id and the text. Documents of the same bytes under two ids
    have the same text in the same span, as long as the same parser read them.
    """
    same = before.join(after, on="chunk_id", how="semi").select(
        before_id="document_id", after_id="document_id"
    )
    span = ["parser", "char_start", "char_end"]
    renamed = pairs.filter(_renamed())
    moved = (
        before.join(renamed, left_on="document_id", right_on="before_id")
        .join(after, left_on=["after_id", *span], right_on=["document_id", *span], how="semi")
        .select(before_id="document_id", after_id="after_id")
    )
    found = pl.concat([same, moved])
    return found.group_by("before_id", "after_id").agg(chunks_kept=pl.len().cast(pl.Int64))


def _renamed() -> pl.Expr:
    return pl.col("before_id") != pl.col("after_id")


def _changes() -> pl.Expr:
    """Which of ``CHANGES`` a document saw."""

    def differ(name: str) -> pl.Expr:
        return pl.col(f"before_{name}").ne_missing(pl.col(f"after_{name}"))

    both = pl.col("before_id").is_not_null() & pl.col("after_id").is_not_null()
    divided = (pl.col("chunks_kept") < pl.col("before_chunks")) | (
        pl.col("chunks_kept") < pl.col("after_chunks")
    )
    holds = {
        "removed": pl.col("after_id").is_null(),
        "added": pl.col("before_id").is_null(),
        "permissions": both & differ("readers"),
        "content": both & differ("content_sha256"),
        "renamed": _renamed(),
        "moved": both & ~_renamed() & differ("uri"),
        "metadata": both & (differ("title") | differ("attributes")),
        "passages": both & ~differ("content_sha256") & divided,
    }
    named = [pl.when(holds[name]).then(pl.lit(name)) for name in CHANGES]
    return pl.concat_list(named).list.drop_nulls()
