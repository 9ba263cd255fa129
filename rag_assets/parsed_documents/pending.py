"""What has to be done for each document of the manifest. Cheap: no text is read, nothing is parsed.

Every row of the manifest gets one ``action``:

- ``keep``: its row stays as it is;
- ``retitle``: nothing new but the title from the front matter or sidecar;
- ``reuse``: the same content was parsed under another id, or is served already;
- ``problem``: the manifest says that it could not be read;
- ``parse``: it goes to a parser (``retry`` says whether it has failed before).
"""

import re
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import polars as pl

from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.settings import ParsingSettings

from .formats import claimed_format
from .kreuzberg_parser import ocr_language, parser_name

# an underscore, or a hyphen after a letter: a date keeps its hyphens
_BETWEEN_WORDS = re.compile(r"_+|([^\W\d_])-+")
STAGE_VERSION = 2  # raise it when the same bytes give another text
SECRET_PROBLEMS = ("bad_metadata", "path_escapes_root")  # the ACL is not known: nothing may serve


def parser_fingerprint(settings: ParsingSettings, redaction: str = "") -> str:
    """The fingerprint of everything but the file that decides a text.

    Args:
        settings: of the stage.
        redaction: how personal data is replaced (``redaction_fingerprint``); empty: it stays.

    Returns:
        64 hexadecimal digits. Rows carry it followed by ``/`` and the format of the file.
    """
    shape: dict[str, object] = {
        "stage": STAGE_VERSION,
        "parser": parser_name(),
        "ocr": ocr_language(),
        "max_text_mb": settings.max_text_mb,
    }
    return fingerprint(shape | ({"redaction": redaction} if redaction else {}))


def parse_pending(
    previous: pl.DataFrame,
    raw: pl.DataFrame,
    settings: ParsingSettings,
    now: datetime,
    redaction: str = "",
) -> int:
    """How many documents would be sent to a parser.

    Args:
        previous: the last ``PARSED_DOCUMENTS`` table.
        raw: the ``RAW_DOCUMENTS`` manifest.
        settings: of the stage.
        now: the time that decides which failures are due again.
        redaction: see ``parser_fingerprint``.
    """
    planned = plan(previous, raw, settings, now, redaction=redaction)
    return planned.filter(pl.col("action") == "parse").height


def plan(
    previous: pl.DataFrame,
    raw: pl.DataFrame,
    settings: ParsingSettings,
    now: datetime,
    full: bool = False,
    redaction: str = "",
) -> pl.DataFrame:
    """Decide the action for every document of the manifest.

    Returns:
        The manifest's columns ``document_id``, ``content_sha256``, ``media_type``, ``title``,
        ``size_bytes``, ``problem_kind``, ``problem`` with ``row_fingerprint``, ``action``,
        ``retry`` and ``reuse_id`` (the document whose row is reused), one row per document.
    """
    wanted = raw.select(
        "document_id",
        "content_sha256",
        "media_type",
        "title",
        "size_bytes",
        "problem_kind",
        "problem",
    )
    stage = parser_fingerprint(settings, redaction)
    wanted = _with_row_fingerprint(wanted, stage)
    # ``previous`` may be wide with text: take only what decides
    before = previous.select(
        "document_id",
        pl.lit(True).alias("known"),
        pl.col("content_sha256").alias("old_sha256"),
        pl.col("parser_fingerprint").alias("old_fingerprint"),
        pl.col("status").alias("old_status"),
        pl.col("title").alias("old_title"),
        "parser_title",
        pl.col("error_kind").alias("old_kind"),
        pl.col("error").alias("old_error"),
        "attempts",
        "attempted_at",
        pl.col("text").is_not_null().alias("has_text"),
    )
    good = _good_versions(previous)
    joined = wanted.join(before, on="document_id", how="left").join(
        good, on=["content_sha256", "row_fingerprint"], how="left"
    )
    retry = _is_due(settings, now)
    action = (
        pl.when(pl.col("problem_kind").is_not_null())
        .then(
            pl.when(_same_problem() & ~_unredacted(stage, redaction))
            .then(pl.lit("keep"))
            .otherwise(pl.lit("problem"))
        )
        .when(pl.lit(full))
        .then(pl.lit("parse"))
        .when(_same_version() & (pl.col("old_status") == "quarantined"))
        .then(pl.when(retry).then(pl.lit("parse")).otherwise(pl.lit("keep")))
        .when(_same_version())
        .then(pl.when(_same_title()).then(pl.lit("keep")).otherwise(pl.lit("retitle")))
        .when(pl.col("reuse_id").is_not_null())
        .then(pl.lit("reuse"))
        .otherwise(pl.lit("parse"))
    )
    is_retry = _same_version() & (pl.col("old_status") == "quarantined") & pl.lit(not full)
    return joined.select(
        *wanted.columns,
        action.alias("action"),
        is_retry.fill_null(False).alias("retry"),
        "reuse_id",
    )


def _with_row_fingerprint(raw: pl.DataFrame, stage: str) -> pl.DataFrame:
    """Add the row's fingerprint: the stage's, and the format, which decides how bytes are read."""
    extension = pl.col("document_id").str.extract(r"\.([^./]*)$").fill_null("")
    frame = raw.with_columns(extension.alias("extension"))
    kinds = frame.select("media_type", "extension").unique()
    names = [
        f"{stage}/{claimed_format(media_type or '', f'file.{suffix}')}"
        for media_type, suffix in kinds.iter_rows()
    ]
    kinds = kinds.with_columns(pl.Series("row_fingerprint", names, dtype=pl.String))
    return frame.join(kinds, on=["media_type", "extension"], how="left", nulls_equal=True).drop(
        "extension"
    )


def _good_versions(previous: pl.DataFrame) -> pl.DataFrame:
    """The contents whose text is known, each with one document that has it.

    A stale row counts when its own newest version could not even be read: then its fingerprint is
    still that of the text it serves.
    """
    good = pl.col("status").is_in(["parsed", "empty"]) | (
        pl.col("stale") & pl.col("content_sha256").is_null()
    )
    return (
        previous.filter(
            good
            & pl.col("served_sha256").is_not_null()
            & pl.col("parser_fingerprint").is_not_null()
        )
        .group_by(
            pl.col("served_sha256").alias("content_sha256"),
            pl.col("parser_fingerprint").alias("row_fingerprint"),
        )
        .agg(pl.col("document_id").min().alias("reuse_id"))
    )


def _same_version() -> pl.Expr:
    same = (pl.col("content_sha256") == pl.col("old_sha256")) & (
        pl.col("row_fingerprint") == pl.col("old_fingerprint")
    )
    return same.fill_null(False)


def _same_title() -> pl.Expr:
    return pl.col("old_title") == effective_title()


def effective_title() -> pl.Expr:
    """What readers see: the source's title, else the parser's, else the words of the file's name."""
    named = pl.col("document_id").map_elements(name_in_words, return_dtype=pl.String)
    return pl.coalesce(pl.col("title"), pl.col("parser_title"), named)


def name_in_words(document_id: str) -> str:
    """A document's file name as a title: ``travel-policy_2026.pdf`` is "travel policy 2026"."""
    stem = PurePosixPath(document_id.rpartition("/")[2]).stem
    return _BETWEEN_WORDS.sub(r"\1 ", stem).strip() or stem


def _same_problem() -> pl.Expr:
    same = (
        (pl.col("old_status") == "quarantined")
        & (pl.col("old_kind") == pl.col("problem_kind"))
        & pl.col("old_error").eq_missing(pl.col("problem"))
        & pl.col("old_sha256").eq_missing(pl.col("content_sha256"))
        & ~(pl.col("problem_kind").is_in(SECRET_PROBLEMS) & pl.col("has_text"))
        & _same_title()
    )
    return same.fill_null(False)


def _unredacted(stage: str, redaction: str) -> pl.Expr:
    """Whether an older text still serves that was read before personal data was to be replaced."""
    same = pl.col("old_fingerprint").str.starts_with(f"{stage}/").fill_null(False)
    return pl.lit(bool(redaction)) & pl.col("has_text").fill_null(False) & ~same


def _is_due(settings: ParsingSettings, now: datetime) -> pl.Expr:
    """Whether a failed version is to be tried again: attempts left and the wait is over."""
    # a wait of more than a century would overflow
    retries = min(settings.max_attempts - 1, 64)
    seconds = [min(settings.retry_seconds * 2.0**tried, 3.2e9) for tried in range(retries)]
    due = pl.lit(False)
    for attempts, wait in enumerate(seconds, start=1):
        latest = now - timedelta(seconds=wait)
        due = due | ((pl.col("attempts") == attempts) & (pl.col("attempted_at") <= latest))
    return due.fill_null(False)
