"""The table ``golden_questions``: every question of every set, against the documents as they are now."""

import time
from datetime import UTC, datetime

import polars as pl

from rag_assets.platform.fingerprint import fingerprint, frame_digest
from rag_assets.platform.platform import Platform
from rag_assets.platform.tables import Stamp
from rag_assets.releases.registry import Registry, Release

from .carry_over import carry_over
from .documents import CurrentDocuments, known_documents, live_documents
from .evidence import with_evidence
from .known_items import FORM, known_items
from .schema import GOLDEN_QUESTIONS, KNOWN_ITEMS, RESOLVED_QUESTIONS
from .sets import ASKED_QUESTIONS, question_sets, read_sets

ASSET = "golden_questions"
VERSION = 1
KEY = ["dataset", "question_id"]


def collect_questions(platform: Platform, live: Release | None) -> pl.DataFrame:
    """Read every set, make the known items, and look for their evidence.

    Args:
        platform: settings, and the tables of the documents.
        live: the release that readers use now, if there is one.

    Returns:
        ``RESOLVED_QUESTIONS``: the sets by name, then the known items.

    Raises:
        QuestionSetError: a set cannot be read.
    """
    settings = platform.settings
    asked = read_sets(question_sets(settings), sorted(settings.sources))
    documents = CurrentDocuments(platform)
    previous = read_golden_questions(platform)
    count = settings.evaluation.known_items
    sample = known_items(documents, count, authenticated=settings.auth.enabled)
    before = previous.filter((pl.col("dataset") == KNOWN_ITEMS) & (count > 0))
    served = live_documents(platform, live) if asked.height or before.height else frozenset()
    known = known_documents(
        documents, _named(asked) | _named(sample) | _named(before), served | _once(previous)
    )
    items = carry_over(sample, with_evidence(before, known), served, known.present.keys())
    items = items.select(
        pl.lit(KNOWN_ITEMS).alias("dataset"), pl.lit(True).alias("gate"), *GOLDEN_QUESTIONS.names()
    )
    found = with_evidence(pl.concat([asked, items]).match_to_schema(ASKED_QUESTIONS), known)
    return found.with_columns(question_hashes(found)).match_to_schema(RESOLVED_QUESTIONS)


def refresh_golden_questions(platform: Platform, run_id: str) -> pl.DataFrame:
    """Collect the questions and replace the table; returns it.

    Raises:
        QuestionSetError: a set cannot be read; the table stays as it was.
    """
    started = time.perf_counter()
    frame = collect_questions(platform, Registry(platform.database).live())
    stamp = Stamp(
        digest=frame_digest(frame, frame.columns, KEY),
        upstream=_upstream(platform),
        fingerprint=fingerprint([VERSION, FORM, platform.settings.evaluation.known_items]),
        run_id=run_id,
        written_at=datetime.now(UTC).isoformat(),
        facts={
            "questions": frame.height,
            "version": questions_version(frame),
            "seconds": round(time.perf_counter() - started, 3),
        },
    )
    platform.tables.write(ASSET, "", frame, stamp)
    return frame


def read_golden_questions(platform: Platform) -> pl.DataFrame:
    """The table as it was last written, ``RESOLVED_QUESTIONS``; empty before that."""
    return platform.tables.read(ASSET, "", RESOLVED_QUESTIONS)


def questions_version(questions: pl.DataFrame) -> str:
    """The hash of what is asked and what is right, whatever became of the evidence.

    Args:
        questions: ``RESOLVED_QUESTIONS``, or some of its rows.

    Returns:
        64 hexadecimal digits.
    """
    return frame_digest(questions, [*KEY, "question_sha256", "gate"], KEY)


def _named(questions: pl.DataFrame) -> set[str]:
    """The documents that questions rest on."""
    return set(_documents(questions))


def _once(previous: pl.DataFrame) -> frozenset[str]:
    """The documents that the table before knew."""
    return frozenset(_documents(previous.filter(pl.col("evidence") != "unknown")))


def _documents(questions: pl.DataFrame) -> pl.Series:
    items = questions["relevant"].explode().drop_nulls()
    return items.struct.field("document_id")


def question_hashes(questions: pl.DataFrame) -> pl.Series:
    """What tells a changed question from the one before: all that is asked and all that is right."""
    rows = questions.select(
        "question", "relevant", "answer", "answerable", "groups", "forbidden"
    ).iter_rows(named=True)
    values = [
        fingerprint(
            {
                **row,
                "groups": sorted(row["groups"] or []),
                "forbidden": sorted(row["forbidden"] or []),
            }
        )
        for row in rows
    ]
    return pl.Series("question_sha256", values, pl.String())


def _upstream(platform: Platform) -> str:
    """The digests of the tables that the questions are resolved against."""
    tables = platform.tables
    stamps = {
        f"{asset}/{partition}": tables.stamp(asset, partition)
        for asset in ("raw_documents", "parsed_documents")
        for partition in sorted(tables.partitions(asset))
    }
    return fingerprint({key: stamp.digest for key, stamp in stamps.items() if stamp})
