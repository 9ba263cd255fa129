"""The new table of parsed documents from the old one, the manifest and the contents.

Pure but for the worker processes that read the files: nothing is written here.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from rag_assets.platform.fingerprint import fingerprint, frame_digest
from rag_assets.platform.settings import ParsingSettings

from .outcome import Extracted, Outcome
from .pending import SECRET_PROBLEMS, name_in_words, parse_pending, parser_fingerprint, plan
from .personal_data import PersonalData
from .schema import PARSED_DOCUMENTS
from .workers import EXTRACTOR, Job, Limits, run_jobs

__all__ = [
    "ParseUpdate",
    "parse_documents",
    "parse_pending",
    "parsed_digest",
    "parser_fingerprint",
]

Progress = Callable[[int], None]
_SERVED = ("text", "text_sha256", "served_sha256", "page_starts", "parser_title")


class ContentStore(Protocol):
    """Where contents are kept by their hash (``rag_assets.raw_documents.blobs.Blobs``)."""

    def get(self, sha256: str) -> bytes: ...
    def path(self, sha256: str) -> Path | None: ...


@dataclass(frozen=True)
class ParseUpdate:
    """A new table and what it took to make it.

    Attributes:
        frame: ``PARSED_DOCUMENTS``, sorted by ``document_id``.
        parsed: files sent to a parser, whatever came of it.
        reused: documents whose text stayed.
        renamed_reused: documents that took the text of another id with the same content.
        retried: files sent to a parser that had failed before.
        dropped: documents that are no longer in the manifest.
        empty: documents of the new table without text.
        quarantined: documents of the new table in quarantine.
        stale: quarantined documents of which an older version still serves.
        characters: of all texts in the new table.
        seconds: of this update.
        errors_by_kind: quarantined documents of the new table by ``error_kind``.
    """

    frame: pl.DataFrame
    parsed: int
    reused: int
    renamed_reused: int
    retried: int
    dropped: int
    empty: int
    quarantined: int
    stale: int
    characters: int
    seconds: float
    errors_by_kind: dict[str, int]


def parse_documents(
    previous: pl.DataFrame,
    raw: pl.DataFrame,
    blobs: ContentStore,
    settings: ParsingSettings,
    *,
    run_id: str,
    now: datetime,
    full: bool = False,
    progress: Progress | None = None,
    extractor: str = EXTRACTOR,
    personal_data: PersonalData | None = None,
) -> ParseUpdate:
    """Bring the table of parsed documents up to date with the manifest.

    Args:
        previous: the last ``PARSED_DOCUMENTS`` table.
        raw: the ``RAW_DOCUMENTS`` manifest.
        blobs: the contents.
        settings: of the stage.
        run_id: written to the rows that change.
        now: time of the attempts (UTC).
        full: parse everything again, failures included, as if for the first time.
        progress: called with 1 after each file.
        extractor: ``module:function`` that reads a file in a worker.
        personal_data: replaces it in what a parser gave; None: it stays.

    Raises:
        ConfigurationError: the workers cannot start.
    """
    started = time.perf_counter()
    redaction = personal_data.fingerprint if personal_data else ""
    steps = plan(previous, raw, settings, now, full, redaction)
    old_rows = _rows_by_id(previous, steps)
    only = parser_fingerprint(settings, redaction) if redaction else ""
    make = _RowMaker(old_rows, run_id, now, only)
    rows = [
        make.without_parser(step)
        for step in _select(steps, "retitle", "reuse", "problem").iter_rows(named=True)
    ]
    to_parse = _select(steps, "parse").to_dicts()
    for index, outcome in _read(to_parse, blobs, settings, extractor):
        clean = personal_data.replaced(outcome) if personal_data else outcome
        rows.append(make.parsed(to_parse[index], clean))
        if progress:
            progress(1)
    kept = previous.join(_select(steps, "keep"), on="document_id", how="semi")
    frame = pl.concat([kept.select(PARSED_DOCUMENTS.names()), pl.DataFrame(rows, PARSED_DOCUMENTS)])
    return _summary(frame.sort("document_id"), previous, steps, time.perf_counter() - started)


def parsed_digest(frame: pl.DataFrame) -> str:
    """The fingerprint of what later stages depend on in a ``PARSED_DOCUMENTS`` table."""
    columns = [
        "document_id",
        "status",
        "text_sha256",
        "served_sha256",
        "title",
        "stale",
        "content_sha256",
    ]
    return frame_digest(frame, columns, ["document_id"])


def _select(steps: pl.DataFrame, *actions: str) -> pl.DataFrame:
    return steps.filter(pl.col("action").is_in(actions))


def _rows_by_id(previous: pl.DataFrame, steps: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The old rows that new rows are made from."""
    changing = steps.filter(pl.col("action") != "keep")
    ids = pl.concat([changing["document_id"], changing["reuse_id"].drop_nulls()]).unique()
    rows = previous.filter(pl.col("document_id").is_in(ids.implode()))
    return {row["document_id"]: row for row in rows.iter_rows(named=True)}


def _read(
    steps: list[dict[str, Any]], blobs: ContentStore, settings: ParsingSettings, extractor: str
) -> Iterator[tuple[int, Outcome]]:
    jobs = [
        Job(
            sha256=step["content_sha256"],
            media_type=step["media_type"] or "",
            file_name=_file_name(step["document_id"]),
            size=step["size_bytes"] or 0,
        )
        for step in steps
    ]
    limits = Limits(
        workers=settings.workers,
        timeout_seconds=settings.timeout_seconds,
        memory_bytes=settings.memory_mb << 20,
        recycle_after=settings.recycle_after,
        max_text_bytes=int(settings.max_text_mb * (1 << 20)),
    )
    return run_jobs(jobs, lambda sha256: blobs.path(sha256) or blobs.get(sha256), limits, extractor)


@dataclass(frozen=True)
class _RowMaker:
    """Makes the rows that change.

    Attributes:
        only: the stage whose texts may go on serving; empty: those of any.
    """

    old_rows: dict[str, dict[str, Any]]
    run_id: str
    now: datetime
    only: str = ""

    def without_parser(self, step: dict[str, Any]) -> dict[str, Any]:
        """A row for ``retitle``, ``reuse`` or ``problem``."""
        if step["action"] == "problem":
            return self._problem(step)
        source = self.old_rows[step["reuse_id"] or step["document_id"]]
        row = source | {
            "document_id": step["document_id"],
            "content_sha256": step["content_sha256"],
            "status": "empty" if source["text"] is None else "parsed",
            "served_sha256": step["content_sha256"],
            "error_kind": None,
            "error": None,
            "stale": False,
            "run_id": self.run_id,
        }
        return _titled(row, step["title"])

    def parsed(self, step: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
        """A row for what a parser gave."""
        old = self.old_rows.get(step["document_id"])
        row = self._blank(step) | {
            "content_sha256": step["content_sha256"],
            "parser": outcome.parser or None,
            "parser_fingerprint": step["row_fingerprint"],
            "attempts": (old["attempts"] if old and step["retry"] else 0) + 1,
        }
        if not isinstance(outcome, Extracted):
            row |= {
                "status": "quarantined",
                "error_kind": str(outcome.kind),
                "error": outcome.message,
            }
            return _titled(row | self._still_served(old), step["title"])
        empty = not outcome.text.strip()
        row |= {
            "status": "empty" if empty else "parsed",
            "parser_title": outcome.title,
            "text": None if empty else outcome.text,
            "page_starts": [] if empty else outcome.page_starts,
            "served_sha256": step["content_sha256"],
        }
        return _titled(row, step["title"])

    def _problem(self, step: dict[str, Any]) -> dict[str, Any]:
        old = self.old_rows.get(step["document_id"])
        served = {} if step["problem_kind"] in SECRET_PROBLEMS else self._still_served(old)
        row = self._blank(step) | {
            "content_sha256": step["content_sha256"],
            "status": "quarantined",
            "error_kind": step["problem_kind"],
            "error": step["problem"],
            "attempts": 1,
        }
        if served and old:
            # what is served was read with this, unless a later version failed in the parser
            known = old["status"] == "parsed" or old["content_sha256"] is None
            served["parser"] = old["parser"]
            served["parser_fingerprint"] = old["parser_fingerprint"] if known else None
        return _titled(row | served, step["title"])

    def _blank(self, step: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = dict.fromkeys(PARSED_DOCUMENTS.names())
        return row | {
            "document_id": step["document_id"],
            "page_starts": [],
            "attempted_at": self.now,
            "stale": False,
            "run_id": self.run_id,
        }

    def _still_served(self, old: dict[str, Any] | None) -> dict[str, Any]:
        """The older good version, if there is one with text that may be shown."""
        if old is None or old["text"] is None:
            return {}
        if not (old["parser_fingerprint"] or "").startswith(self.only):
            return {}  # it still holds personal data
        return {name: old[name] for name in _SERVED} | {"stale": True}


def _titled(row: dict[str, Any], title: str | None) -> dict[str, Any]:
    """Add the title that readers see, and the fingerprint that follows from it."""
    title = title or row["parser_title"] or name_in_words(row["document_id"])
    has_text = row["text"] is not None
    digest = fingerprint([title, row["text"], row["page_starts"]]) if has_text else None
    return row | {"title": title, "text_sha256": digest}


def _file_name(document_id: str) -> str:
    return document_id.rpartition("/")[2]


def _summary(
    frame: pl.DataFrame, previous: pl.DataFrame, steps: pl.DataFrame, seconds: float
) -> ParseUpdate:
    actions: dict[str, int] = dict(steps["action"].value_counts().iter_rows())
    to_parse = _select(steps, "parse")
    errors = frame.filter(pl.col("status") == "quarantined")["error_kind"].value_counts(sort=True)
    own = _select(steps, "reuse").filter(pl.col("reuse_id") == pl.col("document_id")).height
    return ParseUpdate(
        frame=frame,
        parsed=to_parse.height,
        reused=actions.get("keep", 0) + actions.get("retitle", 0) + own,
        renamed_reused=actions.get("reuse", 0) - own,
        retried=int(to_parse["retry"].sum()),
        dropped=previous.join(steps, on="document_id", how="anti").height,
        empty=frame.filter(pl.col("status") == "empty").height,
        quarantined=frame.filter(pl.col("status") == "quarantined").height,
        stale=int(frame["stale"].sum()),
        characters=int(frame["text"].str.len_chars().sum()),
        seconds=seconds,
        errors_by_kind=dict(errors.iter_rows()),
    )
