"""What the Dagster UI shows of answer evaluations: numbers it can plot, tables, the worst answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from evals.evaluations import Evaluation
from rag_assets.platform.settings import JudgeSettings

from .schema import SCORES

WORST = 10
WIDTH = 160
NO_JUDGE = "no judge is configured (judge.base_url): only what needs none was measured"

Summary = Mapping[str, Any]


def evaluation_metadata(
    found: Sequence[Evaluation], rows: Mapping[str, pl.DataFrame]
) -> dict[str, Any]:
    """Numbers worth plotting, set by set, a table of the sets, and the worst answers of all.

    Args:
        found: at least one evaluation, of different sets.
        rows: dataset → ``ANSWER_RESULTS``.
    """
    totals = [item.summary for item in found]
    metadata: dict[str, Any] = {
        "sets": len(found),
        "release": found[0].release_id,
        "dagster/row_count": sum(item["queries"] for item in totals),
        "errors": sum(item["errors"]["count"] for item in totals),
        "failed_judgements": sum(map(failed_judgements, totals)),
        "answers_cost_usd": sum(item["cost_usd"]["answers"] for item in totals),
        "judge_cost_usd": sum(item["cost_usd"]["judge"] for item in totals),
    }
    for evaluation in found:
        metadata |= _numbers(evaluation.dataset, evaluation.summary)
    metadata["results"] = dg.MetadataValue.md(results_table(found))
    metadata["worst_answers"] = dg.MetadataValue.md(worst_answers(rows))
    return metadata


def judge_coverage(found: Sequence[Evaluation], judge: JudgeSettings) -> dg.AssetCheckResult:
    """Whether enough was judged for the scores to count; a warning, the answers may be fine."""
    judged = [
        (f"{item.dataset}: {metric}", summary)
        for item in found
        for metric, summary in item.summary["judge"].items()
        if summary["applicable"]
    ]
    low = [(name, summary) for name, summary in judged if not summary["counts"]]
    if not judge.base_url:
        text = "no judge is configured"
    elif not judged:
        text = "there was nothing to judge"
    elif low:
        named = (f"{name} {item['judged']} of {item['applicable']}" for name, item in low)
        text = f"judged for less than {judge.min_coverage:.0%}: {', '.join(named)}"
    else:
        text = f"every metric was judged for at least {judge.min_coverage:.0%} of the answers"
    lowest = min((item["coverage"] for _, item in judged), default=None)
    return dg.AssetCheckResult(
        check_name="judge_coverage",
        passed=not low,
        severity=dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={
            "min_coverage": judge.min_coverage,
            "metrics": len(judged),
            "metrics_below": len(low),
            **({} if lowest is None else {"lowest_coverage": lowest}),
        },
    )


def failed_judgements(summary: Summary) -> int:
    """How many judgements of a set failed, for whatever reason."""
    return sum(sum(item["failed"].values()) for item in summary["judge"].values())


def results_table(found: Sequence[Evaluation]) -> str:
    """Every set in a line, as Markdown."""
    lines = [
        f"| set | answers | {' | '.join(SCORES)} | judged | p50, p99 ms | errors |",
        f"|---|---|{'---|' * len(SCORES)}---|---|---|",
    ]
    for evaluation in found:
        summary = evaluation.summary
        scores = (_figure(summary["metrics"][name]["mean"]) for name in SCORES)
        judged = ", ".join(
            f"{metric} {_figure(item['mean'])} ({item['judged']}/{item['applicable']})"
            for metric, item in summary["judge"].items()
        )
        latency = summary["latency_ms"]
        lines.append(
            f"| {cell(evaluation.dataset)} | {summary['queries']} of {summary['of']} "
            f"| {' | '.join(scores)} | {judged or '–'} "
            f"| {_figure(latency['p50'], 1)}, {_figure(latency['p99'], 1)} "
            f"| {summary['errors']['count']} |"
        )
    return "\n".join(lines)


def worst_answers(rows: Mapping[str, pl.DataFrame], most: int = WORST) -> str:
    """The questions whose answers have the lowest scores, those that an error ended first, as Markdown.

    No answers and no references: they say what documents say, and Dagster keeps what it is shown.
    """
    named = [frame.with_columns(dataset=pl.lit(name)) for name, frame in rows.items()]
    ranked = (
        pl.concat(named)
        .with_columns(quality=quality())
        .drop_nulls("quality")
        .sort("quality", "dataset", "question_id")
        .head(most)
    )
    lines = ["| set | id | question | cited | why |", "|---|---|---|---|---|"]
    for row in ranked.iter_rows(named=True):
        cited = ", ".join(row["cited"] or [])
        texts = (row["dataset"], row["question_id"], row["question"], cited, _why(row))
        lines.append(f"| {' | '.join(cell(text or '–') for text in texts)} |")
    return "\n".join(lines)


def quality() -> pl.Expr:
    """The mean of the scores that a row has, null without any; -1 where an error ended it."""
    return (
        pl.when(pl.col("error") != "")
        .then(pl.lit(-1.0))
        .otherwise(pl.mean_horizontal(*(pl.col(name) for name in SCORES)))
    )


def cell(text: str) -> str:
    """A text as a cell of a Markdown table: on one line, cut, and nothing in it is markup."""
    line = " ".join(text.split())
    line = line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
    for letter in "\\`*_[]<>|":
        line = line.replace(letter, f"\\{letter}")
    return line


def _why(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return str(row["error"]).partition(":")[0]  # a message may repeat what it failed on
    if row["abstention"] == 0.0:
        return "refused, although there is an answer" if row["abstained"] else "should have refused"
    scores = sorted((row[name], name) for name in SCORES if row[name] is not None)
    return ", ".join(f"{name} {value:.2f}" for value, name in scores[:3])


def _numbers(dataset: str, summary: Summary) -> dict[str, Any]:
    """Metadata of one set; what was not measured is left out, since it cannot be plotted."""
    abstention, costs = summary["abstention"], summary["cost_usd"]
    values: dict[str, Any] = {
        "questions": summary["queries"],
        "latency_p50_ms": summary["latency_ms"]["p50"],
        "latency_p99_ms": summary["latency_ms"]["p99"],
        "wrongly_refused": abstention["wrongly_refused"],
        "wrongly_answered": abstention["wrongly_answered"],
        "cost_per_answer_usd": costs["per_answer"],
        "cost_per_judged_answer_usd": costs["per_judged_answer"],
        **{name: metric["mean"] for name, metric in summary["metrics"].items()},
    }
    for metric, item in summary["judge"].items():
        values[metric] = item["mean"]
        values[f"{metric}_coverage"] = item["coverage"]
    return {f"{dataset}/{name}": value for name, value in values.items() if value is not None}


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
