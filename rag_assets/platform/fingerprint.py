"""Fingerprints: short, stable names for configurations and table contents.

A fingerprint is the SHA-256 of a canonical JSON text (sorted keys, no white space, UTF-8), so that
the same configuration has the same fingerprint on every machine.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


def canonical_json(value: Any) -> str:
    """Serialise ``value`` to JSON with sorted keys and no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def sha256_text(text: str) -> str:
    """The SHA-256 of ``text`` in UTF-8, as 64 hexadecimal digits.

    Lone surrogates (which some broken files decode to) are kept apart instead of failing.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(value: Any) -> str:
    """The fingerprint of a JSON-like value: 64 hexadecimal digits."""
    return sha256_text(canonical_json(value))


def frame_digest(frame: "pl.DataFrame", columns: Sequence[str], sort_by: Sequence[str]) -> str:
    """The fingerprint of some columns of a table, whatever the order of its rows.

    Args:
        frame: the table.
        columns: the columns that count.
        sort_by: columns that order the rows uniquely.

    Returns:
        64 hexadecimal digits.
    """
    rows = frame.select(columns).sort(list(sort_by)).write_ndjson()
    return sha256_text(rows)
