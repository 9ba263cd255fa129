"""``ragline evaluate``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.commands.query import AsOf, asked_release
from rag_app.output import AsJson, Groups, print_json
from rag_app.progress import counting_bars

if TYPE_CHECKING:
    import polars as pl

    from evals.answer_evaluation.evaluate import AnswerEvaluation
    from evals.retrieval_evaluation.evaluate import Evaluation
    from rag_assets.platform.platform import Platform
    from rag_assets.platform.settings import QuerySettings, QuestionSetSettings
    from rag_assets.query.access import Caller
    from rag_assets.query.engine import QueryEngine

BELOW_THRESHOLD = 3  # exit code


def evaluate(
    dataset: Annotated[
        str,
        typer.Option(
            help="Name of a configured set, a golden set (.jsonl) or a BEIR folder; default the "
            "first configured set, or golden_questions.jsonl beside ragline.toml."
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
    as_of: AsOf = "",
    least: Annotated[
        list[str] | None,
        typer.Option("--min", help="Exit with code 3 below this, e.g. ndcg@10=0.7; repeatable."),
    ] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Answer the questions too, and judge the answers.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the evaluation for the dashboard.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how well the released index answers a set of questions."""
    from evals.gates.thresholds import judge_thresholds, parse_thresholds
    from evals.golden_questions.questions import load_questions
    from evals.retrieval_evaluation.evaluate import evaluate as run
    from evals.retrieval_evaluation.record import require_no_candidate
    from rag_app.commands.evaluation_report import show_evaluation
    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.pinned import pinned_engine

    thresholds = parse_thresholds(least or [], k)
    platform = Platform.load()
    rerankers = _tried(try_rerankers or [], platform.settings.query, learn=learn)
    release_id = asked_release(platform, release, as_of)
    if record and release_id:
        require_no_candidate(platform, release_id)
    name, chosen = _question_set(platform, dataset)
    questions = load_questions(
        Path(chosen.path),
        source or chosen.source or _only_source(platform),
        split or chosen.split or None,
    )
    engine = pinned_engine(platform, release_id)
    caller = Caller.of(groups.split(","), authenticated=platform.settings.auth.enabled)
    with counting_bars(enabled=not as_json) as progress:
        evaluation = run(
            engine,
            questions,
            caller,
            settings=platform.settings.query,
            dataset=name,
            k=k,
            learn=learn,
            try_rerankers=rerankers,
            balance=balance,
            progress=progress,
        )
        answered = _answered(platform, engine, questions, caller, progress) if answers else None
    stored = learn and not dry_run
    if stored:
        _store(platform, evaluation)
    recorded = _record(platform, evaluation, answered) if record else []
    verdicts = judge_thresholds(thresholds, evaluation.summary)
    summary = {**evaluation.summary, "answers": None, "stored": stored, "recorded": recorded}
    if answered is not None:
        summary |= {"answers": answered.summary, "judge": answered.summary["judge"]}
    if as_json:
        gates = [{**verdict._asdict(), "passed": verdict.passed} for verdict in verdicts]
        print_json({**summary, "gates": gates})
    else:
        show_evaluation(summary, verdicts, learn=learn, stored=stored)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(BELOW_THRESHOLD)


def _question_set(platform: "Platform", dataset: str) -> "tuple[str, QuestionSetSettings]":
    """The question set that is meant, with its name."""
    from evals.golden_questions.sets import DEFAULT_FILE, question_sets
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.settings import QuestionSetSettings, config_path

    configured = platform.settings.evaluation.sets
    if dataset in configured:
        return dataset, configured[dataset]
    if dataset:
        path = Path(dataset).expanduser().absolute()
        return path.stem, QuestionSetSettings(path=str(path))
    for name, chosen in question_sets(platform.settings).items():
        return (name if configured else Path(chosen.path).stem), chosen
    raise ConfigurationError(
        f"There is no question set: {config_path().parent / DEFAULT_FILE} does not exist.",
        "Write one, or name another with --dataset.",
    )


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


def _answered(
    platform: "Platform",
    engine: "QueryEngine",
    questions: "pl.DataFrame",
    caller: "Caller",
    progress: Callable[[str, int, int], None],
) -> "AnswerEvaluation":
    from evals.answer_evaluation.evaluate import evaluate_answers

    return evaluate_answers(platform, engine, questions, caller, progress=progress)


def _record(
    platform: "Platform",
    evaluation: "Evaluation",
    answered: "AnswerEvaluation | None",
) -> list[str]:
    """Keep what was measured; the ids of the records."""
    from evals.answer_evaluation.results import store
    from evals.evaluations import Evaluation as Record
    from evals.retrieval_evaluation.record import record_evaluation

    kept = record_evaluation(platform, evaluation)
    if answered is None:
        return [kept.evaluation_id]
    answer = Record(
        kind="answer",
        dataset=kept.dataset,
        release_id=kept.release_id,
        questions_version=kept.questions_version,
        summary=answered.summary,
    )
    store(platform, answer, answered.rows, answered.judgements)
    return [kept.evaluation_id, answer.evaluation_id]
