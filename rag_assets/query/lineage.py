"""Where an answer comes from: citations, passages, documents, runs, configuration, release.

Rights are those of the caller who asks for the lineage, not of the one who asked the question: the
passages are fetched from the index under the caller's condition, both as of the answer's release
and as of the live one. What this does not give is withheld and only counted; and because an answer
speaks of all it was made from, nothing of its text is shown while any part is withheld.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rag_assets.platform.errors import IndexUnavailable, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Registry, Release

from .access import PUBLIC, Caller, acl_condition
from .log import CACHED_FROM, AnswerLog, AnswerRecord

# what each stage did, its asset, the column of an index row that names its run, its fingerprint
STAGES = (
    ("listed", "raw_documents", "raw_run_id", ""),
    ("parsed", "parsed_documents", "parse_run_id", "parser"),
    ("chunked", "chunks", "chunk_run_id", "chunker"),
    ("embedded", "embeddings", "embed_run_id", "encoder"),
    ("indexed", "vector_index", "run_id", "index"),
)
DOCUMENT_STAGES = ("listed", "parsed")

Row = dict[str, Any]


class UnknownAnswer(RaglineError):
    """There is no such answer, or nothing of it may be shown to this caller."""


@dataclass(frozen=True)
class StageRun:
    """The run in which a stage made what an answer stands on.

    Attributes:
        stage: listed, parsed, chunked, embedded, indexed or released.
        asset: its Dagster asset key.
        run_id: empty where none was recorded.
        fingerprint: of the stage's configuration and code; empty for stages without one.
        run_url, asset_url: in the Dagster UI; relative without ``dagster_url``.
    """

    stage: str
    asset: str
    run_id: str
    fingerprint: str
    run_url: str
    asset_url: str


@dataclass(frozen=True)
class CitedSpan:
    """A citation of the answer; ``quote`` is None where it is withheld or was never kept."""

    marker: str
    chunk_id: str
    document_id: str
    char_start: int
    char_end: int
    page: int | None
    score: float
    quote: str | None


@dataclass(frozen=True)
class PassageRead:
    """A chunk that was read, with the runs that chunked, embedded and indexed it.

    ``score`` is None for a neighbour of a hit; ``number`` is what a marker points to.
    """

    number: int
    chunk_id: str
    document_id: str
    char_start: int
    char_end: int
    page: int | None
    heading_path: list[str]
    score: float | None
    runs: list[StageRun]


@dataclass(frozen=True)
class DocumentVersion:
    """The version of a document that was read, with the runs that listed and parsed it."""

    document_id: str
    content_sha256: str
    title: str
    uri: str
    source: str
    partition: str
    pages: list[int]
    parser: str
    stale: bool
    runs: list[StageRun]


@dataclass(frozen=True)
class ReleaseUsed:
    """The release that answered, with the fingerprints of its configuration."""

    id: int
    created_at: datetime
    status: str
    manifest_sha256: str
    table_name: str
    lance_version: int
    fingerprints: dict[str, str]
    runs: list[StageRun]


@dataclass(frozen=True)
class Lineage:
    """Everything an answer stands on, as far as the caller may see it.

    Attributes:
        question, answer, filter, error: None while anything is withheld, or where the log keeps
            hashes only.
        groups: of the one who asked; shown to admins only.
        withheld: how many chunks that were read or cited the caller may not read now.
        index_problem: why the index of the release cannot be read; then only what the log has is
            shown, to admins.
        software: the version of this package that shows the lineage.
        cached_from: the answer that this one repeats; shown to admins only.
    """

    answer_id: str
    asked_at: datetime
    question: str | None
    answer: str | None
    abstained: bool
    confidence: float | None
    task: str
    answerer: str
    model: str
    filter: Any
    error: str | None
    degraded: list[str]
    groups: list[str] | None
    withheld: int
    citations: list[CitedSpan]
    passages: list[PassageRead]
    documents: list[DocumentVersion]
    release: ReleaseUsed | None
    index_problem: str
    software: dict[str, str]
    cached_from: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        values = asdict(self)
        values["asked_at"] = self.asked_at.isoformat()
        if self.release is not None:
            values["release"]["created_at"] = self.release.created_at.isoformat()
        return values


def lineage_of(platform: Platform, answer_id: str, caller: Caller) -> Lineage:
    """Follow an answer back to its documents and to the runs that brought them in.

    Args:
        platform: settings, database and the place of the index.
        answer_id: of an answer in the query log.
        caller: whose rights decide what is shown.

    Raises:
        UnknownAnswer: there is no such answer, or the caller may see nothing of it; which of the
            two is not told.
    """
    record = AnswerLog(platform.database).get(answer_id)
    if record is None:
        raise _unknown(answer_id)
    registry = Registry(platform.database)
    release = registry.get(record.release_id)
    problem = ""
    rows: dict[str, Row] = {}
    try:
        rows = _readable_rows(platform, record, release, registry.live(), caller)
    except IndexUnavailable as error:
        if not caller.admin:  # rights that cannot be checked are not given
            raise _unknown(answer_id) from None
        problem = error.message
    if not (caller.admin or rows or _may_see_nothing_read(record, caller)):
        raise _unknown(answer_id)
    return _assemble(record, release, rows, problem, caller, platform.settings.dagster_url)


def _unknown(answer_id: str) -> UnknownAnswer:
    return UnknownAnswer(
        f"There is no answer {answer_id} that you may see.",
        "Check the id and the groups; answers are kept while query.log is on.",
    )


def _may_see_nothing_read(record: AnswerRecord, caller: Caller) -> bool:
    """Whether an answer for which nothing was read may be seen: by all who could have asked it."""
    if record.passages or record.citations or record.admin:
        return False
    return set(record.groups) <= {PUBLIC, *caller.groups}


def _chunk_keys(record: AnswerRecord) -> list[str]:
    """The chunks that were read or cited, each once, in order."""
    items = (*record.passages, *record.citations)
    return list(dict.fromkeys(item["chunk_id"] for item in items))


def _readable_rows(
    platform: Platform,
    record: AnswerRecord,
    release: Release | None,
    live: Release | None,
    caller: Caller,
) -> dict[str, Row]:
    """Index rows by chunk_id that the caller may read, by the release's rights and by today's.

    Raises:
        IndexUnavailable: an index is gone, so that rights cannot be checked.
    """
    if release is None:
        raise IndexUnavailable(f"The release {record.release_id} is not in the registry any more.")
    wanted = _chunk_keys(record)
    condition = acl_condition(caller)
    reader = open_release(platform, release)
    rows = {row["chunk_id"]: row for row in reader.chunks(wanted, condition).to_dicts()}
    if caller.admin or not rows:
        return rows
    if live is None:
        raise IndexUnavailable("No release is live, so that nobody's rights of today are known.")
    if live.id == release.id:
        return rows
    # every document has a first chunk, and its chunks share its rights
    firsts = {row["document_id"]: [0] for row in rows.values()}
    allowed = set(open_release(platform, live).neighbours(firsts, condition)["document_id"])
    return {key: row for key, row in rows.items() if row["document_id"] in allowed}


def _assemble(
    record: AnswerRecord,
    release: Release | None,
    rows: dict[str, Row],
    problem: str,
    caller: Caller,
    base: str,
) -> Lineage:
    withheld = 0 if caller.admin else sum(key not in rows for key in _chunk_keys(record))
    shown = set(_chunk_keys(record)) if caller.admin else set(rows)
    prints = release.fingerprints if release else {}
    return Lineage(
        answer_id=record.answer_id,
        asked_at=record.asked_at,
        question=None if withheld else record.question,
        answer=None if withheld else record.answer,
        abstained=record.abstained,
        confidence=record.confidence,
        task=record.task,
        answerer=record.answerer,
        model=record.model,
        filter=None if withheld else record.filter,
        error=None if withheld else record.error,
        degraded=record.degraded,
        groups=list(record.groups) if caller.admin else None,
        withheld=withheld,
        citations=[
            _citation(item, None if withheld else item.get("quote"))
            for item in record.citations
            if item["chunk_id"] in shown
        ],
        passages=[
            _passage(item, rows.get(item["chunk_id"], {}), prints, base)
            for item in record.passages
            if item["chunk_id"] in shown
        ],
        documents=_documents(record, rows, shown, prints, base),
        release=_release(release, base) if release else None,
        index_problem=problem,
        software={"ragline": _package_version()},
        cached_from=str(record.parameters.get(CACHED_FROM, "")) if caller.admin else "",
    )


def _citation(item: Row, quote: str | None) -> CitedSpan:
    names = ("marker", "chunk_id", "document_id", "char_start", "char_end", "page", "score")
    return CitedSpan(**{name: item[name] for name in names}, quote=quote)


def _passage(item: Row, row: Row, fingerprints: dict[str, str], base: str) -> PassageRead:
    names = ("number", "chunk_id", "document_id", "char_start", "char_end", "page", "score")
    stages = [stage for stage in STAGES if stage[0] not in DOCUMENT_STAGES]
    return PassageRead(
        **{name: item[name] for name in names},
        heading_path=list(row.get("heading_path") or []),
        runs=_runs(row, stages, fingerprints, base),
    )


def _documents(
    record: AnswerRecord,
    rows: dict[str, Row],
    shown: set[str],
    fingerprints: dict[str, str],
    base: str,
) -> list[DocumentVersion]:
    """The document versions that were read or cited, in order of their first appearance."""
    stages = [stage for stage in STAGES if stage[0] in DOCUMENT_STAGES]
    parts: dict[tuple[str, str], list[Row]] = {}
    for item in (*record.passages, *record.citations):
        if item["chunk_id"] in shown:
            row = rows.get(item["chunk_id"], item)
            parts.setdefault((item["document_id"], row["content_sha256"]), []).append(item)
    found = []
    for (document_id, content_sha256), items in parts.items():
        row = next((rows[item["chunk_id"]] for item in items if item["chunk_id"] in rows), {})
        version_of = DocumentVersion(
            document_id=document_id,
            content_sha256=content_sha256,
            title=row.get("title") or "",
            uri=row.get("uri") or "",
            source=row.get("source") or "",
            partition=row.get("partition") or "",
            pages=sorted({item["page"] for item in items if item["page"] is not None}),
            parser=row.get("parser") or "",
            stale=bool(row.get("stale")),
            runs=_runs(row, stages, fingerprints, base),
        )
        found.append(version_of)
    return found


def _runs(
    row: Row, stages: Iterable[Sequence[str]], fingerprints: dict[str, str], base: str
) -> list[StageRun]:
    return [
        stage_run(stage, asset, row.get(column) or "", fingerprints.get(part, ""), base)
        for stage, asset, column, part in stages
        if row
    ]


def _release(release: Release, base: str) -> ReleaseUsed:
    names = ("id", "created_at", "status", "manifest_sha256", "table_name", "lance_version")
    return ReleaseUsed(
        **{name: getattr(release, name) for name in names},
        fingerprints=release.fingerprints,
        runs=[stage_run("released", "release", release.run_id, "", base)],
    )


def stage_run(stage: str, asset: str, run_id: str, fingerprint: str, base: str) -> StageRun:
    """A stage's run with its links into the Dagster UI.

    Args:
        base: address of the Dagster UI; empty for relative links.
    """
    base = base.rstrip("/")
    return StageRun(
        stage=stage,
        asset=asset,
        run_id=run_id,
        fingerprint=fingerprint,
        run_url=f"{base}/runs/{run_id}" if run_id else "",
        asset_url=f"{base}/assets/{asset}",
    )


def _package_version() -> str:
    try:
        return version("ragline")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
