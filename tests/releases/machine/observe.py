"""What a deployment says: releases read back row by row, and time that passes in its registry."""

import re
from collections import defaultdict
from datetime import timedelta

import sqlalchemy as sa

from rag_assets.platform.platform import Platform
from rag_assets.releases.opening import require_readable
from rag_assets.releases.registry import Release
from rag_assets.releases.schema import release_events, releases

from .model import Content

COLUMNS = ["chunk_id", "document_id", "text", "embed_text", "ordinal"]
WORD = re.compile(r"\w+")


def content_of(platform: Platform, release: Release) -> Content:
    """What a release says, document by document, its words in order.

    It is complete in itself: as many rows and documents as the registry says, no chunk twice, none
    missing in the middle, and found by the search for words.
    """
    reader = require_readable(platform, release)
    rows = reader._dataset.to_table(columns=COLUMNS).to_pylist()
    assert len({row["chunk_id"] for row in rows}) == len(rows) == release.chunks
    chunks: dict[str, dict[int, str]] = defaultdict(dict)
    for row in rows:
        assert row["text"] in row["embed_text"]
        assert row["ordinal"] not in chunks[row["document_id"]], "two chunks in one place"
        chunks[row["document_id"]][row["ordinal"]] = row["text"]
    assert len(chunks) == release.documents
    found = {}
    for name, parts in chunks.items():
        assert sorted(parts) == list(range(len(parts))), f"{name} has a gap"
        found[name] = words(" ".join(parts[number] for number in sorted(parts)))
        rarest = found[name].split()[0]
        assert name in reader.full_text(rarest, 50, None).document_id, f"{rarest} finds nothing"
    return found


def words(text: str) -> str:
    """The words of a text, with a blank between them."""
    return " ".join(WORD.findall(text))


def let_time_pass(platform: Platform, days: float) -> None:
    """Move everything that the registry remembers into the past."""
    shift = timedelta(days=days)
    with platform.database.begin() as connection:
        for table, columns in (
            (releases, ("created_at", "promoted_at", "retired_at")),
            (release_events, ("at",)),
        ):
            rows = connection.execute(sa.select(table)).mappings().all()
            for row in rows:
                moved = {name: row[name] - shift for name in columns if row[name] is not None}
                connection.execute(sa.update(table).where(table.c.id == row["id"]).values(**moved))
