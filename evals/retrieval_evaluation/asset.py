"""The Dagster node ``retrieval_evaluation``."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import polars as pl

from evals.evaluations import Evaluation
from rag_assets.platform.dagster_bridge import OWNERS, code_version, explained
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.wording import counted
from rag_assets.query.engine import QueryEngine
from rag_assets.query.resource import RagQuery
from rag_assets.releases.candidate import open_candidate

VERSION = 1
PLOTTED = ("ndcg", "recall", "mrr", "evidence_recall")


def retrieval_evaluation_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        deps=["golden_questions", "vector_index"],
        group_name="evaluation",
        kinds={"lancedb"},
        owners=OWNERS,
        code_version=code_version(
            VERSION, settings.evaluation.model_dump(), settings.query.model_dump()
        ),
    )
    def retrieval_evaluation(
        context: dg.AssetExecutionContext,
        platform: dg.ResourceParam[Platform],
        rag_query: RagQuery,
    ) -> dg.MaterializeResult:
        """How well the candidate index finds what the questions ask for, beside the live release.

        Where it is due, the candidate's fusion weight, reranker and abstention are learned here, from
        one half of the questions. Promotion is gated on what is recorded here.
        """
        with explained(platform):
            found, why = evaluate_and_record(platform, rag_query.pinned, context.run_id)
        return described(found, why)

    return retrieval_evaluation


def evaluate_and_record(
    platform: Platform, open_engine: Callable[[int], QueryEngine], run_id: str
) -> tuple[list[Evaluation], str]:
    """Evaluate the candidate and store what came out.

    Returns:
        the evaluations, and in words what was done.

    Raises:
        IndexUnavailable: a shard has not been built with the present configuration.
    """
    from evals.golden_questions.collect import read_golden_questions

    from .candidate import evaluate_candidate
    from .results import store

    candidate = open_candidate(platform, run_id)
    questions = read_golden_questions(platform)
    found = evaluate_candidate(
        platform, candidate, questions, run_id=run_id, open_engine=open_engine
    )
    store(platform, found)
    return [evaluation for evaluation, _ in found], _why(candidate.unchanged, questions, found)


def _why(unchanged: bool, questions: pl.DataFrame, found: Sequence[Any]) -> str:
    if found:
        return "evaluated"
    if questions.is_empty():
        return "there are no questions: configure evaluation.sets or evaluation.known_items"
    if unchanged:
        return "unchanged: the live release was evaluated with these questions before"
    return "no set has a judged question to report on"


def described(found: Sequence[Evaluation], why: str) -> dg.MaterializeResult:
    """Numbers worth plotting, set by set, and a table of them for people."""
    metadata: dict[str, Any] = {"outcome": why, "sets": len(found)}
    for evaluation in found:
        metadata |= _numbers(evaluation.dataset, evaluation.summary)
    if found:
        metadata["results"] = dg.MetadataValue.md(_table(found))
    # the same questions and the same release have the same version; times differ at every run
    version = fingerprint(
        [[item.dataset, item.release_id, item.questions_version] for item in found]
    )
    return dg.MaterializeResult(data_version=dg.DataVersion(version[:32]), metadata=metadata)


def _numbers(dataset: str, summary: dict[str, Any]) -> dict[str, Any]:
    """Metadata of one set; what was not measured is left out, since it cannot be plotted."""
    k, gains = summary["k"], summary["gains"]
    values: dict[str, Any] = {
        "questions": summary["queries"],
        "latency_p50_ms": summary["latency_ms"]["p50"],
        "latency_p99_ms": summary["latency_ms"]["p99"],
        "fusion_weight": summary["parameters"]["fusion_weight"],
        "evidence_missing": summary["unresolved"]["count"],
    }
    for kind in PLOTTED:
        name = f"{kind}@{k}"
        values[kind] = summary["metrics"].get(name)
        values[f"{kind}_difference"] = gains[name]["mean"] if name in gains else None
    return {f"{dataset}/{name}": value for name, value in values.items() if value is not None}


def _table(found: Sequence[Evaluation]) -> str:
    k = found[0].summary["k"]
    lines = [
        f"| set | questions | nDCG@{k} | against live | worse, better | recall@{k} | MRR@{k} | p50, p99 ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(item.dataset, item.summary, k) for item in found]
    first = found[0].summary
    lines += ["", f"Parameters: {first['parameters_why']}. Live: {first['baseline']['why']}."]
    return "\n".join(lines)


def _line(dataset: str, summary: dict[str, Any], k: int) -> str:
    metrics, interval = summary["metrics"], summary["confidence"][f"ndcg@{k}"]
    gain, latency = summary["gain"], summary["latency_ms"]
    against, moved = "–", "–"
    if gain:
        low, high = gain["confidence"]
        asked = counted(gain["questions"], "question")
        against = f"{gain['mean']:+.4f} ({low:+.4f} to {high:+.4f}), {asked}"
        moved = f"{gain['worse']}, {gain['better']}"
    ndcg = f"{_figure(metrics[f'ndcg@{k}'])} ({_figure(interval[0])}–{_figure(interval[1])})"
    return (
        f"| {dataset} | {summary['queries']} | {ndcg} | {against} | {moved} "
        f"| {_figure(metrics[f'recall@{k}'])} | {_figure(metrics[f'mrr@{k}'])} "
        f"| {latency['p50']:.1f}, {latency['p99']:.1f} |"
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
