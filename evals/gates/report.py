"""What people read when they ask why a gate spoke as it did: Markdown for the asset check.

Dagster keeps it for as long as it keeps events, and a document must be able to be forgotten. So it
says where things are, never what a document says: known items, which are made of a document's own
words, are named by their documents, and answers, which quote, by their lengths and citations.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import polars as pl

from evals.retrieval_evaluation.compare import DIFFERENCE
from rag_assets.platform.wording import counted

from .margins import MarginTest
from .markdown import escaped, table

WORSE_SHOWN = 20
BETTER_SHOWN = 10


def numbers_table(tests: Sequence[MarginTest]) -> str:
    """Every set and metric with its interval."""
    return table(
        ["set", "metric", "questions", "before", "now", "difference", "interval", "verdict"],
        [
            [
                escaped(test.dataset),
                test.label,
                str(test.comparison.n),
                f"{test.comparison.baseline:.3f}",
                f"{test.comparison.candidate:.3f}",
                f"{test.comparison.difference.mean:+.3f}",
                f"{test.comparison.difference.low:+.3f} to {test.comparison.difference.high:+.3f}",
                _verdict(test),
            ]
            for test in tests
        ],
    )


def measured_table(values: Mapping[tuple[str, str], tuple[float, int]]) -> str:
    """Set and metric → mean and questions, where there is nothing to compare with."""
    return table(
        ["set", "metric", "questions", "mean"],
        [
            [escaped(dataset), label, str(questions), f"{mean:.3f}"]
            for (dataset, label), (mean, questions) in values.items()
        ],
    )


def retrieval_report(tests: Sequence[MarginTest], tags: Sequence[MarginTest]) -> str:
    """The numbers, then the questions that got worse with both rankings, then the better ones.

    Args:
        tests: of ``RETRIEVAL_RESULTS``.
        tags: what average hides: tests of the questions with one tag, ``dataset`` names it.
    """
    parts = [numbers_table(tests)]
    fallen = [test for test in tags if test.comparison.difference.mean < -test.margin]
    if fallen:
        parts += ["### Tags that fell by more than the margin (shown, not gated)"]
        parts += [numbers_table(fallen)]
    return "\n\n".join([*parts, *_worse(tests, _rankings), *_better(tests)])


def answer_report(tests: Sequence[MarginTest], notes: Sequence[str] = ()) -> str:
    """The same for ``ANSWER_RESULTS``: how both releases answered instead of rankings."""
    parts = [numbers_table(tests), *(escaped(note) for note in notes)]
    return "\n\n".join([*parts, *_worse(tests, _answers), *_better(tests)])


def _verdict(test: MarginTest) -> str:
    if test.failed:
        return "**worse**"
    return "holds" if test.gated else "too few questions to gate on"


def _changes(tests: Sequence[MarginTest], kind: str) -> list[tuple[MarginTest, dict[str, Any]]]:
    """Questions and what they lost or won, the greatest change first; each question once."""
    changes = [
        (test, row)
        for test in tests
        for row in getattr(test.comparison, kind).iter_rows(named=True)
    ]
    changes.sort(
        key=lambda item: (-abs(item[1][DIFFERENCE]), item[0].dataset, item[1]["question_id"])
    )
    once: dict[tuple[str, str], tuple[MarginTest, dict[str, Any]]] = {}
    for test, row in changes:
        once.setdefault((test.dataset, row["question_id"]), (test, row))
    return list(once.values())


def _worse(tests: Sequence[MarginTest], details: Any) -> list[str]:
    changes = _changes(tests, "worse")
    if not changes:
        return ["No question got worse."]
    shown = changes[:WORSE_SHOWN]
    rest = f", the worst {len(shown)} of them here" if len(shown) < len(changes) else ""
    parts = [f"### {counted(len(changes), 'question')} got worse{rest}"]
    for number, (test, row) in enumerate(shown, start=1):
        parts += [
            f"**{number}. {_asked(row)}**",
            _change(test, row) + _evidence(row),
            details(row),
        ]
    return parts


def _better(tests: Sequence[MarginTest]) -> list[str]:
    changes = _changes(tests, "better")
    if not changes:
        return []
    lines = [f"- {_asked(row)}: {_change(test, row)}" for test, row in changes[:BETTER_SHOWN]]
    if len(changes) > BETTER_SHOWN:
        lines.append(f"- and {len(changes) - BETTER_SHOWN} more")
    return [f"### {counted(len(changes), 'question')} got better", "\n".join(lines)]


def _change(test: MarginTest, row: Mapping[str, Any]) -> str:
    metric = test.comparison.metric
    before, now = row[f"baseline_{metric}"], row[metric]
    where = f"{escaped(test.dataset)}, {escaped(row['question_id'])}"
    return f"{test.label} {float(before):.3f} → {float(now):.3f} ({where})"


def _asked(row: Mapping[str, Any]) -> str:
    """A person's question as it was asked; a known item by the documents it is made of."""
    if row["origin"] == "known_item":
        return f"known item of {_documents(row)}" if _documents(row) else "known item"
    return escaped(row["question"])


def _evidence(row: Mapping[str, Any]) -> str:
    """The state of the evidence, without what was looked for."""
    state = escaped(row["evidence"] or "")
    changed = state not in ("", "current", "none")
    return f"; evidence {state}" + (f" in {_documents(row)}" if changed and _documents(row) else "")


def _documents(row: Mapping[str, Any]) -> str:
    return ", ".join(map(escaped, row.get("relevant") or []))


def _rankings(row: Mapping[str, Any]) -> str:
    relevant = set(row["relevant"] or [])
    before, now = row["baseline_ranking"] or [], row["ranking"] or []
    if not before and not now:
        return "Neither release found anything."
    rows = [
        [str(rank), _document(old, relevant), _document(new, relevant)]
        for rank, (old, new) in enumerate(zip_longest(before, now, fillvalue=""), start=1)
    ]
    ranked = table(["rank", "before", "now"], rows)
    missing = sorted(relevant - set(now))
    if not missing:
        return ranked
    return f"{ranked}\n\nRelevant and not found now: {', '.join(map(escaped, missing))}"


def _document(document: str, relevant: set[str]) -> str:
    return f"✓ **{escaped(document)}**" if document in relevant else escaped(document)


def _answers(row: Mapping[str, Any]) -> str:
    rows = [
        [side, _answer(row, prefix), ", ".join(map(escaped, row[f"{prefix}cited"] or []))]
        for side, prefix in (("before", "baseline_"), ("now", ""))
    ]
    return table(["", "answer", "cited"], rows)


def _answer(row: Mapping[str, Any], prefix: str) -> str:
    """That there is an answer, and how long it is."""
    words = len((row[f"{prefix}answer"] or "").split())
    if row[f"{prefix}abstained"]:
        return "(abstained)"
    return counted(words, "word")


def tags_of(rows: pl.DataFrame) -> list[str]:
    """The tags of some questions, sorted."""
    return sorted(rows["tags"].explode().drop_nulls().unique().to_list())
