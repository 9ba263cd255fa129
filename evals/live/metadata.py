"""What the Dagster UI shows of a day: numbers it can plot, a table, and what to know about them."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from rag_assets.platform.dagster_bridge import preview_table
from rag_assets.platform.settings import JudgeSettings, Settings
from rag_assets.platform.wording import counted

from .costs import JUDGE
from .faithfulness import SUPPORT, JudgedDay

NO_JUDGE_NOTE = "no judge is configured (judge.base_url): only the support of sentences is known"


def day_metadata(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of ``query_log`` from ``summarize_day``."""
    counts = pl.DataFrame(
        [
            {"what": what, "name": name, "queries": queries}
            for what, names in summary["counts"].items()
            for name, queries in names.items()
        ],
        schema={"what": pl.String, "name": pl.String, "queries": pl.Int64},
    )
    return {
        **_known({name: value for name, value in summary.items() if name != "counts"}),
        "counts": preview_table(counts),
        **_note(_log_note(summary["log"], summary["queries"])),
    }


def faithfulness_metadata(
    judged: JudgedDay, scores: pl.DataFrame, settings: Settings
) -> dict[str, Any]:
    """Metadata of ``live_faithfulness``: means, coverage, cost, and why something is missing."""
    means = {_plot_name(row["metric"]): row["mean"] for row in scores.to_dicts()}
    llm = scores.filter(pl.col("metric") != SUPPORT)
    coverage = {f"{_plot_name(row['metric'])}_coverage": row["coverage"] for row in llm.to_dicts()}
    reasons = [
        f"{counted(count, 'answer')}: {reason}"
        for reason, count in sorted(judged.unreadable.items())
    ]
    if judged.without_texts:
        reasons.append(f"{counted(judged.without_texts, 'answer')}: the query log keeps no texts")
    if not settings.judge.base_url:
        reasons.append(NO_JUDGE_NOTE)
    return {
        "dagster/row_count": judged.rows.height,
        "sampled": judged.sampled,
        "cached": judged.cached,
        "unreadable": sum(judged.unreadable.values()),
        "judge_calls": int(scores["calls"].sum()),
        "judge_cost_usd": float(scores["cost_usd"].sum()),
        **_known({**means, **coverage}),
        "scores": preview_table(scores),
        **_note(_log_note(settings.query.log, judged.sampled)),
        **({"missing": "; ".join(reasons)} if reasons else {}),
    }


def coverage_check(
    scores: pl.DataFrame, judged: JudgedDay, judge: JudgeSettings
) -> dg.AssetCheckResult:
    """Whether enough was judged; a warning, since the judge's trouble is not the answers'."""
    llm = scores.filter(pl.col("metric") != SUPPORT, pl.col("applicable") > 0)
    low = llm.filter(pl.col("coverage") < judge.min_coverage)
    if not judge.base_url:
        text = NO_JUDGE_NOTE
    elif llm.is_empty():
        text = "nothing to judge: no answer of this day could be sampled"
    elif low.is_empty():
        text = f"every metric was judged for at least {judge.min_coverage:.0%} of the answers"
    else:
        named = [
            f"{row['metric']} {row['judged']} of {row['applicable']}" for row in low.to_dicts()
        ]
        text = f"judged for less than {judge.min_coverage:.0%}: {', '.join(named)}"
        reasons = sorted(judged.unreadable)
        text += f" ({'; '.join(reasons)})" if reasons else ""
    return dg.AssetCheckResult(
        check_name="coverage",
        passed=low.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={
            "min_coverage": judge.min_coverage,
            "metrics": llm.height,
            "metrics_below": low.height,
            **_known({"lowest_coverage": llm["coverage"].min()}),
        },
    )


def costs_metadata(costs: pl.DataFrame, settings: Settings) -> dict[str, Any]:
    """Metadata of ``query_costs`` from ``costs_of_day``."""
    answers = costs.filter(pl.col("answerer") != JUDGE)
    judges = costs.filter(pl.col("answerer") == JUDGE)
    return {
        "dagster/row_count": costs.height,
        "queries": int(answers["queries"].sum()),
        "prompt_tokens": int(answers["prompt_tokens"].sum()),
        "completion_tokens": int(answers["completion_tokens"].sum()),
        "answers_cost_usd": float(answers["cost_usd"].sum()),
        "judge_cost_usd": float(judges["cost_usd"].sum()),
        "cost_usd": float(costs["cost_usd"].sum()),
        "costs": preview_table(costs),
        **_note(_log_note(settings.query.log, int(answers["queries"].sum()))),
    }


def _log_note(log: str, queries: int) -> str:
    if log == "off":
        return "query.log is off: questions are not recorded, so that nothing is known of them"
    return "" if queries else "nothing was asked on this day"


def _note(text: str) -> dict[str, Any]:
    return {"note": text} if text else {}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: a plot has no place for it."""
    return {name: value for name, value in values.items() if value is not None}


def _plot_name(metric: str) -> str:
    return metric.replace(".", "_")
