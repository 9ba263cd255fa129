"""Rows as older versions wrote them, for every table of every revision of the platform database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

REVISIONS = ("0001", "0002", "0003", "0004")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def release(number: int, status: str, *, promoted: int | None = None) -> dict[str, Any]:
    """A release; ``promoted``: days after the first day."""
    moment = None if promoted is None else NOON + timedelta(days=promoted)
    return {
        "id": number,
        "created_at": NOON + timedelta(days=number - 1),
        "promoted_at": moment,
        "retired_at": NOON + timedelta(days=number) if status == "retired" else None,
        "status": status,
        "reason": "quality: worse" if status == "rejected" else "",
        "table_name": "chunks_x",
        "lance_version": 10 + number,
        "fingerprints": {"chunker": "c", "encoder": "e", "index": "i"},
        "partitions": {"docs": f"digest {number}"},
        "documents": 2,
        "chunks": 5,
        "manifest_sha256": "m" * 64,
        "metrics": {"quality": {"passed": status != "rejected", "explanation": "so it is"}},
        "run_id": f"run-{number}",
    }


RELEASES = [
    release(1, "retired", promoted=0),
    release(2, "rejected"),
    release(3, "retired", promoted=2),
    release(4, "live", promoted=3),
    release(5, "candidate"),
]
ANSWER = {
    "answer_id": "answer-1",
    "asked_at": NOON,
    "release_id": 3,
    "question": "When does the ferry leave?",
    "question_sha256": "q" * 64,
    "groups": ["staff"],
    "authenticated": True,
    "admin": False,
    "filter": {"source": "docs"},
    "task": "question_answering",
    "answer": "At dawn.",
    "answer_sha256": "a" * 64,
    "abstained": False,
    "confidence": 0.5,
    "citations": [{"document_id": "docs/ferry.md", "quote": "at dawn", "copies": []}],
    "support": [{"sentence": "At dawn.", "score": 0.5}],
    "passages": [{"document_id": "docs/ferry.md", "chunk_id": "c1"}],
    "answerer": "extractive",
    "model": "",
    "prompt_tokens": 1,
    "completion_tokens": 2,
    "cost_usd": 0.25,
    "timings_ms": {"search": 1.5},
    "degraded": [],
    "parameters": {"fusion": "rrf"},
    "error": "",
}
EVALUATION = {
    "evaluation_id": "evaluation-1",
    "kind": "retrieval",
    "dataset": "golden",
    "release_id": 4,
    "baseline_release_id": 3,
    "created_at": NOON,
    "run_id": "run-4",
    "questions_version": "v1",
    "summary": {"ndcg": 0.5},
}
JUDGEMENT = {
    "key": "k" * 64,
    "metric": "ragas.faithfulness",
    "version": "1",
    "judge": "a model",
    "score": 0.75,
    "reason": "most of it is there",
    "verdicts": 4,
    "calls": 2,
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "cost_usd": 0.5,
    "seconds": 1.5,
    "judged_at": NOON,
}
QUERY_COST = {
    "day": "2026-01-02",
    "answerer": "llm",
    "model": "a model",
    "queries": 3,
    "prompt_tokens": 30,
    "completion_tokens": 15,
    "cost_usd": 0.5,
    "computed_at": NOON,
    "run_id": "run-4",
}
LIVE_JUDGEMENT = {
    "day": "2026-01-02",
    "answer_id": "answer-1",
    "metric": "ragas.faithfulness",
    "version": "1",
    "judge": "a model",
    "status": "scored",
    "score": 0.75,
    "reason": "",
    "calls": 2,
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "cost_usd": 0.5,
    "release_id": 3,
    "computed_at": NOON,
}
RELEASE_EVENTS = [
    {
        "at": item["promoted_at"],
        "release_id": item["id"],
        "event": "promoted",
        "actor": "mia",
        "reason": "all gates hold",
        "details": {},
    }
    for item in RELEASES
    if item["promoted_at"]
]
RELEASE_HOLD = {"id": 1, "since": NOON, "actor": "mia", "reason": "holidays"}
ERASURE = {
    "document_id": "docs/gone.md",
    "requested_at": NOON,
    "due_at": NOON + timedelta(days=30),
    "completed_at": NOON + timedelta(days=1),
    "lifted_at": None,
    "actor": "mia",
    "reason": "asked for by letter",
    "receipt": {"complete": True},
}
# in the order in which foreign keys allow them
ROWS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "0001": {"releases": RELEASES},
    "0002": {
        "answers": [ANSWER],
        "answer_documents": [{"answer_id": "answer-1", "document_id": "docs/ferry.md"}],
    },
    "0003": {
        "evaluations": [EVALUATION],
        "judgements": [JUDGEMENT],
        "judgement_documents": [{"key": "k" * 64, "document_id": "docs/ferry.md"}],
        "query_days": [
            {"day": "2026-01-02", "computed_at": NOON, "run_id": "run-4", "summary": {"queries": 3}}
        ],
        "query_costs": [QUERY_COST],
        "live_judgements": [LIVE_JUDGEMENT],
    },
    "0004": {
        "release_events": RELEASE_EVENTS,
        "release_holds": [RELEASE_HOLD],
        "deployment": [{"id": "deployment-1", "created_at": NOON}],
        "erasures": [ERASURE],
    },
}


def rows_of(revision: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table that a revision has."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number in REVISIONS[: REVISIONS.index(revision) + 1]:
        found |= ROWS[number]
    if revision >= "0002":
        found["releases"] = [
            {**row, "parameters": {"fusion": "rrf"} if row["id"] == 4 else None} for row in RELEASES
        ]
    if revision >= "0004":
        found["releases"] = [
            {**row, "configuration": None, "judged_with": "", "removed_at": _removed(row)}
            for row in found["releases"]
        ]
    return found


def _removed(release: dict[str, Any]) -> datetime | None:
    return release["created_at"] if release["status"] == "rejected" else None


def fill(engine: sa.Engine, revision: str) -> None:
    """Write the rows of a revision into a database that is at it; no table may stay empty."""
    known = sa.MetaData()
    known.reflect(engine)
    rows = rows_of(revision)
    missing = set(known.tables) - set(rows) - {"alembic_version"}
    assert not missing, f"no rows for {missing}"
    with engine.begin() as connection:
        for name, values in rows.items():
            connection.execute(sa.insert(known.tables[name]), values)


def stored(engine: sa.Engine, revision: str) -> dict[str, list[dict[str, Any]]]:
    """What a database of any later revision says in the tables and columns of an earlier one."""
    known = sa.MetaData()
    known.reflect(engine)
    found = {}
    for name, expected in rows_of(revision).items():
        table = known.tables[name]
        columns = [table.c[column] for column in expected[0]]
        query = sa.select(*columns).order_by(columns[0])
        with engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        found[name] = [{key: _aware(value) for key, value in row.items()} for row in rows]
    return found


def _aware(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value
