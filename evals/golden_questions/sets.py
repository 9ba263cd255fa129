"""Every question set of a deployment in one table."""

from pathlib import Path

import polars as pl

from rag_assets.platform.settings import QuestionSetSettings, Settings, config_path

from .questions import QuestionSetError, load_questions
from .schema import GOLDEN_QUESTIONS, KNOWN_ITEMS

DEFAULT_FILE = "golden_questions.jsonl"
DEFAULT_SET = "golden"
ASKED_QUESTIONS = pl.Schema(
    {"dataset": pl.String(), "gate": pl.Boolean(), **GOLDEN_QUESTIONS},
)


def question_sets(settings: Settings, config: Path | None = None) -> dict[str, QuestionSetSettings]:
    """The sets of a deployment by name.

    Where none is configured, a file ``golden_questions.jsonl`` beside ``ragline.toml`` is the set
    ``golden``.

    Args:
        settings: the deployment's.
        config: its configuration file; default ``config_path()``.
    """
    if settings.evaluation.sets:
        return dict(settings.evaluation.sets)
    beside = (config or config_path()).parent / DEFAULT_FILE
    return {DEFAULT_SET: QuestionSetSettings(path=str(beside))} if beside.is_file() else {}


def set_to_extend(settings: Settings, wanted: str = "", config: Path | None = None) -> Path:
    """The file that a new question is added to, unless told otherwise one that the gates read.

    Args:
        settings: the deployment's.
        wanted: the name of a configured set, or the path of a file; empty: the only set in JSON Lines,
            or ``golden_questions.jsonl`` beside ``ragline.toml`` where no set is configured.
        config: its configuration file; default ``config_path()``.

    Raises:
        QuestionSetError: there is no such set to choose, or several.
    """
    sets = {name: Path(item.path).expanduser() for name, item in settings.evaluation.sets.items()}
    if wanted:
        return sets.get(wanted, Path(wanted).expanduser()).absolute()
    if not sets:
        return (config or config_path()).parent / DEFAULT_FILE
    names = sorted(name for name, path in sets.items() if path.suffix == ".jsonl")
    if len(names) != 1:
        which = ", ".join(names) or "none of them a .jsonl file"
        raise QuestionSetError(
            f"[evaluation.sets] has no single set to add to: {which}.",
            "Name a set or a .jsonl file with --set.",
        )
    return sets[names[0]].absolute()


def is_read(settings: Settings, path: Path, config: Path | None = None) -> bool:
    """Whether a file is one of the deployment's question sets, or will be once it is there."""
    beside = (config or config_path()).parent / DEFAULT_FILE
    sets = [Path(item.path) for item in settings.evaluation.sets.values()] or [beside]
    return path.resolve() in {item.expanduser().resolve() for item in sets}


def read_sets(sets: dict[str, QuestionSetSettings], sources: list[str]) -> pl.DataFrame:
    """The questions of every set.

    Synthetic questions never gate, whatever their set says.

    Args:
        sets: by name.
        sources: names of the deployment's sources; the only one is meant where a set names none.

    Returns:
        dataset, gate, and ``GOLDEN_QUESTIONS``; sets by name, questions in the order of their files.

    Raises:
        QuestionSetError: a set cannot be read; it is named.
    """
    frames = [_read_set(name, sets[name], sources) for name in sorted(sets)]
    return pl.concat([ASKED_QUESTIONS.to_frame(), *frames])


def _read_set(name: str, wanted: QuestionSetSettings, sources: list[str]) -> pl.DataFrame:
    if name == KNOWN_ITEMS:
        raise QuestionSetError(
            f"A question set cannot be called '{KNOWN_ITEMS}': those are made from the documents.",
            f"Give [evaluation.sets.{name}] another name.",
        )
    source = wanted.source or (sources[0] if len(sources) == 1 else "")
    try:
        questions = load_questions(Path(wanted.path).expanduser(), source, wanted.split or None)
    except QuestionSetError as error:
        raise QuestionSetError(
            f"The question set '{name}' cannot be used: {error.message}",
            f"{error.hint} It is configured as [evaluation.sets.{name}].".strip(),
        ) from error
    return questions.select(
        pl.lit(name).alias("dataset"),
        ((pl.col("origin") != "synthetic") & wanted.gate).alias("gate"),
        *GOLDEN_QUESTIONS.names(),
    )
