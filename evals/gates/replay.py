"""The gate of real questions: do people find what they found before?"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from evals.replay.changes import changes, figure
from evals.replay.questions import real_questions
from evals.replay.results import newest_replay, read_rows
from evals.replay.summary import more_abstentions, most_changed, summarize
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import GateSettings
from rag_assets.platform.wording import counted
from rag_assets.releases.gates import Gate, not_judged
from rag_assets.releases.registry import Candidate

from .margins import FEWEST, ROUNDING
from .markdown import escaped, table

NAME = "replay"
SHOWN = 20
DOCUMENTS_SHOWN = 3


def replay_gate(platform: Platform, candidate: Candidate) -> Gate:
    """The verdict on a candidate, from its newest replay beside the live release.

    A replay that is missing although there are questions stops nothing while the gate only warns.
    """
    settings, live = platform.settings.gates, candidate.live
    if settings.replay == "off":
        return not_judged(NAME, "gates.replay is off")
    if live is None or candidate.unchanged:
        return not_judged(NAME, "there is no release before it to compare with")
    found = newest_replay(platform, candidate.release.id, live.id)
    if found is not None:
        return judge_replay(read_rows(platform, found), settings, live=live.id)
    asked = real_questions(platform, days=settings.replay_days, limit=1)
    if asked.why:
        return not_judged(NAME, asked.why)
    missing = f"no replay beside release {live.id}: materialize replay first"
    return Gate(NAME, False, missing) if settings.replay == "block" else not_judged(NAME, missing)


def judge_replay(rows: pl.DataFrame, settings: GateSettings, *, live: int) -> Gate:
    """Judge what became of real questions.

    It fails when what is found overlaps less than ``gates.replay_overlap`` with what was found
    before, in the mean; when more questions find no answer than before, by more than chance at
    ``gates.confidence``; or when more questions fail than before, by the same test. Fewer than ten
    questions are shown, and stop nothing.

    Args:
        rows: ``REPLAYED``.
        settings: least overlap, confidence, and whether a failure warns or blocks.
        live: id of the release that it is compared with.
    """
    summary = summarize(rows, "")
    compared = summary["compared"]
    metadata = _numbers(summary)
    if not compared:
        return not_judged(
            NAME, f"none of {counted(rows.height, 'question')} could be asked of both releases"
        )
    problems = _problems(rows, summary, settings)
    text = _explanation(summary, live)
    if compared < FEWEST:
        return not_judged(NAME, f"too few real questions to judge by; {text}")
    if problems:
        text = f"{'; '.join(problems)}; {text}"
    severity = "error" if settings.replay == "block" else "warn"
    return Gate(NAME, not problems, text, metadata, severity, report=_report(rows))  # type: ignore[arg-type]


def _problems(rows: pl.DataFrame, summary: dict[str, Any], settings: GateSettings) -> list[str]:
    problems = []
    if summary["overlap"] < settings.replay_overlap - ROUNDING:
        problems.append(
            f"real questions find other things than before: the mean overlap {summary['overlap']:.3f} "
            f"is below {settings.replay_overlap:g}"
        )
    chance = more_abstentions(rows)
    if chance < 1 - settings.confidence:
        problems.append(
            f"{counted(summary['newly_abstained'], 'question')} found an answer before and none now, "
            f"{summary['newly_answered']} the other way round (p = {chance:.2g})"
        )
    # errors that both have say nothing of the candidate
    failed = summary["new_errors"]
    if 0.5**failed < 1 - settings.confidence:
        problems.append(f"{counted(failed, 'question')} ended in an error that did not before")
    return problems


def _explanation(summary: dict[str, Any], live: int) -> str:
    low, high = summary["overlap_interval"]
    return (
        f"{counted(summary['compared'], 'question')} asked again: mean overlap with release {live} "
        f"{summary['overlap']:.3f} ({low:.3f} to {high:.3f}), {summary['top_changed']} with another "
        f"first document, {summary['answer_changed']} with another answer, "
        f"{summary['newly_abstained']} no longer answered, {summary['newly_answered']} newly answered"
    )


def _numbers(summary: dict[str, Any]) -> dict[str, float]:
    values = {key: value for key, value in summary.items() if isinstance(value, int | float)}
    if summary["overlap_interval"]:
        values["overlap low"], values["overlap high"] = summary["overlap_interval"]
    return values


def _report(rows: pl.DataFrame) -> str:
    """The questions that changed most; no passage, since everybody reads this who sees Dagster."""
    changed = most_changed(rows, SHOWN)
    if changed.is_empty():
        return "Every question finds what it found before, and is answered as before."
    lines = [
        [
            escaped(row["question"]),
            figure(row["overlap"]),
            "; ".join(changes(row)),
            _documents(row["baseline_documents"]),
            _documents(row["documents"]),
        ]
        for row in changed.iter_rows(named=True)
    ]
    title = f"### {counted(changed.height, 'question')} that changed most"
    return "\n\n".join(
        [title, table(["question", "overlap", "changed", "found before", "found now"], lines)]
    )


def _documents(documents: Sequence[str] | None) -> str:
    shown = ", ".join(map(escaped, (documents or [])[:DOCUMENTS_SHOWN]))
    rest = len(documents or []) - DOCUMENTS_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown or "nothing"
