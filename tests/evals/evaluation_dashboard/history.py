"""Two months of a deployment's life, generated: releases, evaluations, days of real use.

Release 12 is a candidate that regressed and was rejected; one day has no data; the judge was out of
order for three days. The same arguments give the same history.
"""

import random
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from evals.answer_evaluation.schema import SCORES
from evals.evaluations import Evaluation, Evaluations, write_rows
from evals.live import store
from evals.live.costs import costs_of_day
from evals.live.query_log import summarize_day
from evals.live.schema import LIVE_JUDGEMENTS
from evals.retrieval_evaluation.baseline import Baseline
from evals.retrieval_evaluation.metrics import KINDS
from evals.retrieval_evaluation.report import by_label
from evals.retrieval_evaluation.schema import RETRIEVAL_RESULTS
from evals.retrieval_evaluation.summary import summarize
from evals.statistics import mean_interval
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.log import AnswerRecord
from rag_assets.releases.schema import releases
from rag_assets.service_records.feedback import Feedback, FeedbackStore

NOW = datetime(2026, 9, 30, 9, 30, tzinfo=UTC)
DAYS = 60
FIRST_DAY = NOW.date() - timedelta(days=DAYS - 1)
RELEASES = 12
LIVE, REJECTED = 11, 12
EMPTY_DAY = FIRST_DAY + timedelta(days=33)
OUTAGE = [FIRST_DAY + timedelta(days=n) for n in (46, 47, 48)]
K = 10
SETS = {"handbook": 48, "known_items": 60, "support_tickets": 36}
TAGS = ["leave", "travel", "security", "tables", "multi-hop"]
PLANTED = {
    "handbook-003": "What is the nightly limit for a hotel in London?",
    "handbook-008": "How many days of parental leave does a second parent get?",
    "handbook-013": "Who approves a flight in business class?",
    "handbook-018": "Which receipts does the per-diem table leave out?",
    "handbook-023": "From which day of illness on is a certificate needed?",
}
TOPICS = ["hotels", "parental leave", "laptops", "expenses", "visitors", "passwords", "overtime"]
HOSTILE = "</script><script>window.broken = true</script><img src=x onerror='window.broken=true'>"
JUDGE = "judge-32b@llm.internal:8000/v1"
MODELS = [("llm", "writer-70b"), ("extractive", "")]


def write_history(home: Path, *, hostile: bool = False) -> Platform:
    """Write the history into a fresh deployment.

    Args:
        home: its folder.
        hostile: let some texts try to be a part of the page.
    """
    platform = Platform(Settings(home=str(home)))
    _write_releases(platform)
    rows: dict[str, pl.DataFrame] = {}
    for release in range(1, RELEASES + 1):
        for name in SETS:
            found = _results(release, name, rows.get(name), hostile)
            _record_retrieval(platform, release, name, found)
            if release != REJECTED:
                rows[name] = found
        if release % 2 == 0 and release != REJECTED:
            _record_answers(platform, release)
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        if day != EMPTY_DAY:
            _write_day(platform, number, day)
    _write_feedback(platform)
    return platform


def _write_feedback(platform: Platform) -> None:
    """What readers said every third day; their answers have left the query log."""
    kept = FeedbackStore(platform.database)
    for number in range(0, DAYS, 3):
        at = datetime.combine(FIRST_DAY + timedelta(days=number), time(12), UTC)
        for reader in range(6):
            kept.add(Feedback(f"a{number}", f"user:{reader}", 1 if reader < 4 else -1, at=at))


def released_at(release: int) -> datetime:
    """When a release became live; every five days."""
    return datetime.combine(FIRST_DAY, time(6), UTC) + timedelta(days=5 * (release - 1))


def _write_releases(platform: Platform) -> None:
    with platform.database.begin() as connection:
        for release in range(1, RELEASES + 1):
            rejected, live = release == REJECTED, release == LIVE
            status = "rejected" if rejected else "live" if live else "retired"
            why = "retrieval_quality: handbook: nDCG@10 fell beyond chance" if rejected else ""
            connection.execute(
                sa.insert(releases).values(
                    id=release,
                    created_at=released_at(release) - timedelta(minutes=4),
                    promoted_at=None if rejected else released_at(release),
                    retired_at=released_at(release + 1) if status == "retired" else None,
                    status=status,
                    reason=why if rejected else "" if live else "replaced",
                    table_name="chunks",
                    lance_version=release,
                    fingerprints={},
                    partitions={},
                    documents=1180 + 14 * release,
                    chunks=20400 + 310 * release,
                    manifest_sha256=f"{release:064x}",
                    metrics={},
                    run_id="",
                )
            )


def _results(release: int, name: str, before: pl.DataFrame | None, hostile: bool) -> pl.DataFrame:
    """The rows of one set: questions drift a little, and the planted ones fall in the rejected release."""
    chance = random.Random(f"{name}-{release}")
    old = {row["question_id"]: row for row in before.to_dicts()} if before is not None else {}
    rows = []
    for number in range(SETS[name]):
        question_id = f"{name}-{number:03}"
        previous = old.get(question_id)
        place = _place(chance, previous)
        if release == REJECTED and question_id in PLANTED:
            place = 12  # out of the first k
        tags = [TAGS[number % len(TAGS)]] + (["multi-hop"] if number % 7 == 0 else [])
        if question_id in PLANTED:
            tags = ["tables", "travel"]
        topic = TOPICS[number % len(TOPICS)]
        question = PLANTED.get(question_id, f"What does rule {number + 1} say about {topic}?")
        if hostile and question_id == "handbook-003":
            question, tags = HOSTILE, [*tags, f"x' || true || '{HOSTILE}"]
        measured = _measured(chance, name, number, place)
        baseline = {key: previous[key] if previous else None for key in measured}
        rows.append(
            {
                "question_id": question_id,
                "question": question,
                "question_sha256": f"{name}{number}",
                "tags": list(dict.fromkeys(tags)),
                "groups": [],
                "origin": "known_item" if name == "known_items" else "golden",
                "half": "report",
                "answerable": True,
                "relevant": [f"{name}/document-{number:03}.md"],
                "evidence": "current",
                "evidence_note": "",
                **measured,
                **{f"baseline_{key}": value for key, value in baseline.items()},
                "baseline_evidence": "current" if previous else None,
            }
        )
    return pl.DataFrame(rows, schema=RETRIEVAL_RESULTS)


def _place(chance: random.Random, previous: dict[str, Any] | None) -> int:
    """Where the relevant document is ranked, from 1: mostly as before."""
    if previous is not None and chance.random() < 0.9:
        return int(previous["mrr"] and round(1 / previous["mrr"])) or 12
    if previous is not None and chance.random() < 0.5:
        return 1
    return chance.choices([1, 2, 3, 4, 6, 12], [66, 14, 8, 5, 4, 3])[0]


def _measured(chance: random.Random, name: str, number: int, place: int) -> dict[str, Any]:
    ranking = [f"{name}/document-{(number + 3 * step + 5) % 400:03}.md" for step in range(K)]
    if place <= K:
        ranking = [*ranking[: place - 1], f"{name}/document-{number:03}.md", *ranking[place:]]
    found = float(place <= K)
    return {
        "ranking": ranking,
        "ndcg": found / float(np.log2(place + 1)),
        "recall": found,
        "mrr": found / place,
        "precision": found / K,
        "hit_rate": found,
        "evidence_recall": found * chance.choice([1.0, 1.0, 0.6]),
        "confidence": round(0.4 + 0.5 * found * chance.random(), 3),
        "abstained": False,
    }


def _record_retrieval(platform: Platform, release: int, name: str, rows: pl.DataFrame) -> None:
    names = {kind: f"{kind}@{K}" for kind in KINDS}
    renamed = rows.rename(names)
    intervals = {metric: mean_interval(renamed[metric].to_numpy()) for metric in names.values()}
    measured = {
        "queries": rows.height,
        "metrics": {metric: item.mean for metric, item in intervals.items()},
        "confidence": {metric: [item.low, item.high] for metric, item in intervals.items()},
        "gain": None,
        "tags": by_label(renamed, renamed.select("question_id", "tags"), list(names.values())),
        "latency_ms": {"p50": 18.0 + release, "p99": 60.0},
    }
    live = release - 1 or None
    baseline = Baseline(live, "stored" if live else None, "", rows)
    item = Evaluation(
        "retrieval",
        name,
        release,
        summarize(rows, measured, baseline, K, 0.95),
        baseline_release_id=live,
        created_at=released_at(release) - timedelta(minutes=1),
        evaluation_id=f"retrieval-{release}-{name}",
    )
    write_rows(platform, item, rows)
    Evaluations(platform.database).record([item])


def _record_answers(platform: Platform, release: int) -> None:
    chance = np.random.default_rng(release)
    for name in ("handbook", "support_tickets"):
        base = 0.82 + 0.006 * release - 0.05 * (name == "support_tickets")
        metrics = {score: _mean(chance, base - 0.04 * n) for n, score in enumerate(SCORES)}
        outage = release == 10  # the judge was out of order
        judge = {
            metric: {
                **_mean(chance, base + offset),
                "judged": 23 if outage else 58,
                "applicable": 60,
                "coverage": 0.383 if outage else 0.967,
                "counts": not outage,
                "judge": JUDGE,
                "cost_usd": 0.21,
            }
            for metric, offset in {
                "ragas.faithfulness": 0.03,
                "deepeval.faithfulness": 0.05,
                "ragas.answer_relevancy": -0.02,
            }.items()
        }
        summary = {"queries": 60, "metrics": metrics, "judge": judge, "tags": {}}
        item = Evaluation(
            "answer",
            name,
            release,
            summary,
            created_at=released_at(release) + timedelta(hours=21),
            evaluation_id=f"answer-{release}-{name}",
        )
        Evaluations(platform.database).record([item])


def _mean(chance: np.random.Generator, around: float) -> dict[str, Any]:
    mean = float(np.clip(around + chance.normal(0, 0.012), 0, 1))
    return {"mean": mean, "confidence": [mean - 0.035, min(1.0, mean + 0.03)], "n": 60}


def _write_day(platform: Platform, number: int, day: date) -> None:
    chance = random.Random(number)
    weekend = day.weekday() >= 5
    count = int((30 if weekend else 110) * (1 + number / 120) * chance.uniform(0.85, 1.15))
    records = [_record(chance, day, item) for item in range(count)]
    answered = [item for item in records if not item.abstained and not item.error]
    judged = pl.DataFrame(
        [row for item in answered[:30] for row in _judgements(chance, day, number, item)],
        schema=LIVE_JUDGEMENTS,
    )
    engine = platform.database
    store.replace_query_day(engine, day, summarize_day(records, "full"), "run")
    store.replace_judgements(engine, day, judged)
    store.replace_costs(engine, day, costs_of_day(records, judged), "run")


def _record(chance: random.Random, day: date, number: int) -> AnswerRecord:
    answerer, model = MODELS[chance.random() < 0.12]
    retrieve = chance.lognormvariate(3.2, 0.35)
    written = chance.lognormvariate(6.9, 0.4) if model else 0.0
    prompt, completion = (chance.randint(1500, 3200), chance.randint(60, 320)) if model else (0, 0)
    live = max(n for n in range(1, LIVE + 1) if released_at(n).date() <= day)
    return AnswerRecord(
        answer_id=f"{day}-{number}",
        asked_at=datetime.combine(day, time(8), UTC) + timedelta(minutes=number),
        release_id=live,
        question=f"question {number}",
        answer="An answer.",
        answerer=answerer,
        model=model,
        abstained=chance.random() < 0.07,
        degraded=["llm_timeout"] if chance.random() < 0.025 else [],
        error="LLMError: it broke" if chance.random() < 0.008 else "",
        timings_ms={"total": retrieve + written + 4, "retrieve": retrieve, "answer_llm": written},
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_usd=prompt * 6e-7 + completion * 2.4e-6,
        support=[{"sentence": "An answer.", "markers": ["1"], "score": chance.uniform(0.7, 1)}],
    )


def _judgements(
    chance: random.Random, day: date, number: int, record: AnswerRecord
) -> list[dict[str, Any]]:
    rows = []
    for metric, level in {"ragas.faithfulness": 0.87, "deepeval.faithfulness": 0.9}.items():
        failed = chance.random() < (0.65 if day in OUTAGE else 0.03)
        score = min(1.0, max(0.0, chance.gauss(level + number / 1500, 0.12)))
        rows.append(
            {
                "answer_id": record.answer_id,
                "metric": metric,
                "version": "1",
                "judge": JUDGE,
                "status": "timeout" if failed else "ok",
                "score": None if failed else score,
                "reason": "",
                "calls": 2,
                "prompt_tokens": 1800,
                "completion_tokens": 120,
                "cost_usd": 0.0006,
                "release_id": record.release_id,
            }
        )
    support = {"metric": "ragline.support", "status": "ok", "score": chance.uniform(0.75, 1)}
    none = {"version": "1", "judge": "none", "calls": 0, "prompt_tokens": 0, "cost_usd": 0.0}
    free = {**none, "completion_tokens": 0, "reason": "", "release_id": record.release_id}
    return [*rows, {"answer_id": record.answer_id, **support, **free}]
