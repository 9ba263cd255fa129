"""What ``ragline evaluate`` shows to people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from rag_app.output import print_table
from rag_assets.platform.wording import counted

if TYPE_CHECKING:
    from evals.gates.thresholds import Verdict

SHOWN_UNRESOLVED = 5


def show_evaluation(
    summary: dict[str, Any], verdicts: "list[Verdict]", *, learn: bool, stored: bool
) -> None:
    """Print the table of the methods, then what it has no room for, then the thresholds."""
    half = " (the half not learned from)" if learn else ""
    title = (
        f"{summary['dataset']}, release {summary['release']['id']}: "
        f"{counted(summary['queries'], 'question')}"
    )
    names = list(summary["metrics"])
    rows = [
        [method, *(f"{values[name]:.4f}" for name in names)]
        for method, values in summary["methods"].items()
    ]
    rows.append(["95%", *(f"{low:.2f}–{high:.2f}" for low, high in summary["confidence"].values())])
    print_table(title + half, ["", *names], rows)
    for line in _lines(summary, learn=learn, stored=stored):
        typer.echo(line)
    for verdict in verdicts:
        value = "not measured" if verdict.value is None else f"{verdict.value:.4f}"
        word = "passed" if verdict.passed else "FAILED"
        typer.echo(f"{word}: {verdict.name} is {value}, at least {verdict.least} is wanted")


def _lines(summary: dict[str, Any], *, learn: bool, stored: bool) -> Iterator[str]:
    """What the table has no room for."""
    gain, parameters = summary["gain"], summary["parameters"]
    low, high = gain["confidence"]
    yield (
        f"{summary['method']}: {gain['metric']} {gain['mean']:+.4f} ({low:+.4f} to {high:+.4f}) "
        f"against {gain['over']} alone"
    )
    yield f"fusion: {parameters['fusion']}, weight of the dense leg {parameters['fusion_weight']:.2f}"
    yield from _reranking_lines(summary)
    if evidence := summary["evidence"]:
        name = next(iter(evidence))
        asked = counted(evidence["queries"], "question")
        yield f"evidence {name}: {evidence[name]:.4f} ({asked} with quotes)"
    if abstention := summary["abstention"]:
        yield (
            f"abstention: AUROC {abstention['auroc']:.3f}, wrongly refused "
            f"{abstention['wrongly_refused']:.1%} of {abstention['answerable']}, wrongly answered "
            f"{abstention['wrongly_answered']:.1%} of {abstention['unanswerable']}"
        )
    if citations := summary["citations"]:
        shares = ", ".join(f"{n}: {citations[f'gold_page@{n}']:.1%}" for n in (1, 3, 5))
        asked = counted(citations["questions"], "question")
        yield f"gold page among the first citations: {shares} ({asked})"
    latency = summary["latency_ms"]
    yield f"search: p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms"
    unresolved = summary["unresolved"]
    if unresolved["count"]:
        asked = counted(unresolved["count"], "question")
        yield f"evidence not in the release (counted as missed): {asked}"
        for question_id in list(unresolved["questions"])[:SHOWN_UNRESOLVED]:
            yield f"  {question_id}: {'; '.join(unresolved['questions'][question_id])}"
    if summary["unjudged"]:
        yield f"left out because nobody judged them: {counted(summary['unjudged'], 'question')}"
    if answers := summary.get("answers"):
        yield from _answer_lines(answers)
    if learn:
        yield "stored with the release" if stored else "nothing was stored (--dry-run)"


def _reranking_lines(summary: dict[str, Any]) -> Iterator[str]:
    """Which reranker is on, what it gives, and what was tried."""
    parameters = summary["parameters"]
    if gain := summary["reranking_gain"]:
        low, high = gain["confidence"]
        yield (
            f"reranker: {parameters['reranker']}, weight {parameters['rerank_weight']:.2f}: "
            f"{gain['metric']} {gain['mean']:+.4f} ({low:+.4f} to {high:+.4f}) against none"
        )
    reranking = parameters["learned_from"].get("reranking", {})
    for trial in reranking.get("tried", []):
        yield (
            f"  tried {trial['reranker']} {trial['weight']:.2f}: {trial['gain']:+.4f} on the other "
            f"half, standard error {trial['standard_error']:.4f}"
        )


def _answer_lines(answers: dict[str, Any]) -> Iterator[str]:
    """The mean of every score of the answers, and what was judged."""
    yield f"answers: {counted(answers['queries'], 'question')} answered"
    for name, score in answers["metrics"].items():
        if score["mean"] is not None:
            yield f"  {name}: {score['mean']:.4f} ({counted(score['n'], 'answer')})"
    if not answers.get("judge"):
        yield "  no judge is configured"
    for name, score in (answers.get("judge") or {}).items():
        mean = "–" if score["mean"] is None else f"{score['mean']:.4f}"
        yield f"  {name}: {mean}, {score['coverage']:.0%} of {score['applicable']} judged"
