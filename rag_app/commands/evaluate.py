"""``ragline evaluate``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, Groups, print_json, print_table

if TYPE_CHECKING:
    from evals.gates.thresholds import Verdict
    from evals.retrieval_evaluation.evaluate import Evaluation
    from rag_assets.platform.platform import Platform
    from rag_assets.platform.settings import QuerySettings

GOLDEN_QUESTIONS = "golden_questions.jsonl"
BELOW_THRESHOLD = 3  # exit code
SHOWN_UNRESOLVED = 5


def evaluate(
    dataset: Annotated[
        str,
        typer.Option(
            help="A golden set (.jsonl) or a BEIR folder; default golden_questions.jsonl beside "
            "ragline.toml."
        ),
    ] = "",
    source: Annotated[
        str, typer.Option(help="Source whose documents a BEIR folder means; default the only one.")
    ] = "",
    split: Annotated[
        str, typer.Option(help="Judgements of a BEIR folder; default the only ones, or test.")
    ] = "",
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Cutoff of the metrics.")] = 10,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn",
            help="Learn fusion and abstention from one half of the questions, report the other, and "
            "store what was learned with the release.",
        ),
    ] = False,
    try_rerankers: Annotated[
        list[str] | None,
        typer.Option(
            "--try-reranker",
            help="With --learn: take this reranker if it helps, e.g. late_interaction; of several "
            "the best; repeatable. Up to 0.2 s a question.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --learn: store nothing.")
    ] = False,
    balance: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="With --learn: most answerable questions that may be refused, as a share.",
        ),
    ] = 0.1,
    groups: Groups = "",
    release: Annotated[
        int, typer.Option("--release", help="Evaluate this release; default the live one.")
    ] = 0,
    least: Annotated[
        list[str] | None,
        typer.Option("--min", help="Exit with code 3 below this, e.g. ndcg@10=0.7; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well the released index answers a set of questions."""
    from evals.gates.thresholds import judge_thresholds, parse_thresholds
    from evals.golden_questions.questions import load_questions
    from evals.retrieval_evaluation.evaluate import evaluate as run
    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.pinned import pinned_engine

    thresholds = parse_thresholds(least or [], k)
    platform = Platform.load()
    rerankers = _tried(try_rerankers or [], platform.settings.query, learn=learn)
    path = _dataset(dataset)
    questions = load_questions(path, source or _only_source(platform), split or None)
    engine = pinned_engine(platform, release or None)
    caller = Caller.of(groups.split(","), authenticated=platform.settings.auth.enabled)
    with _progress(enabled=not as_json) as progress:
        evaluation = run(
            engine,
            questions,
            caller,
            settings=platform.settings.query,
            dataset=path.stem,
            k=k,
            learn=learn,
            try_rerankers=rerankers,
            balance=balance,
            progress=progress,
        )
    stored = learn and not dry_run
    if stored:
        _store(platform, evaluation)
    verdicts = judge_thresholds(thresholds, evaluation.summary)
    if as_json:
        gates = [{**verdict._asdict(), "passed": verdict.passed} for verdict in verdicts]
        print_json({**evaluation.summary, "stored": stored, "gates": gates})
    else:
        _show(evaluation.summary, verdicts, learn=learn, stored=stored)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(BELOW_THRESHOLD)


def _dataset(dataset: str) -> Path:
    """The question set that is meant."""
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.settings import config_path

    if dataset:
        return Path(dataset).expanduser().absolute()
    beside = config_path().parent / GOLDEN_QUESTIONS
    if not beside.is_file():
        raise ConfigurationError(
            f"There is no question set: {beside} does not exist.",
            "Write one, or name another with --dataset.",
        )
    return beside


def _tried(names: list[str], query: "QuerySettings", *, learn: bool) -> list[str]:
    """The rerankers to try, checked before anything is searched."""
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.query.rerankers.registry import RERANKERS

    known = [name for name in RERANKERS if name != "none"]
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"There is no reranker '{name}' to try.", f"Name one of {', '.join(known)}."
            )
    if names and not learn:
        raise ConfigurationError(
            "--try-reranker learns from questions.", "Add --learn, or leave it out."
        )
    decided = [name for name in ("fusion", "reranker") if getattr(query, name) != "learned"]
    if names and decided:
        raise ConfigurationError(
            f"query.{decided[0]} is set to '{getattr(query, decided[0])}', so that a reranker that is "
            "learned would not be used as it was measured.",
            f"Set query.{decided[0]} to 'learned', or leave --try-reranker out.",
        )
    return names


def _only_source(platform: "Platform") -> str:
    names = list(platform.settings.sources)
    return names[0] if len(names) == 1 else ""


def _store(platform: "Platform", evaluation: "Evaluation") -> None:
    from rag_assets.releases.registry import Registry

    release_id = int(evaluation.summary["release"]["id"])
    Registry(platform.database).set_parameters(release_id, evaluation.parameters.to_dict())


@contextmanager
def _progress(*, enabled: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows one bar for each thing that is done."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield lambda doing, done, total: None
        return
    tasks: dict[str, TaskID] = {}
    with Progress(console=console, transient=True) as bars:

        def show(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bars.add_task(doing, total=total)
            bars.update(tasks[doing], completed=done)

        yield show


def _show(summary: dict[str, Any], verdicts: "list[Verdict]", *, learn: bool, stored: bool) -> None:
    half = " (the half not learned from)" if learn else ""
    title = (
        f"{summary['dataset']}, release {summary['release']['id']}: {summary['queries']} questions"
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
        yield f"evidence {name}: {evidence[name]:.4f} ({evidence['queries']} questions with quotes)"
    if abstention := summary["abstention"]:
        yield (
            f"abstention: AUROC {abstention['auroc']:.3f}, wrongly refused "
            f"{abstention['wrongly_refused']:.1%} of {abstention['answerable']}, wrongly answered "
            f"{abstention['wrongly_answered']:.1%} of {abstention['unanswerable']}"
        )
    if citations := summary["citations"]:
        shares = ", ".join(f"{n}: {citations[f'gold_page@{n}']:.1%}" for n in (1, 3, 5))
        yield f"gold page among the first citations: {shares} ({citations['questions']} questions)"
    latency = summary["latency_ms"]
    yield f"search: p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms"
    unresolved = summary["unresolved"]
    if unresolved["count"]:
        yield f"evidence not in the release (counted as missed): {unresolved['count']} questions"
        for question_id in list(unresolved["questions"])[:SHOWN_UNRESOLVED]:
            yield f"  {question_id}: {'; '.join(unresolved['questions'][question_id])}"
    if summary["unjudged"]:
        yield f"left out because nobody judged them: {summary['unjudged']} questions"
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
