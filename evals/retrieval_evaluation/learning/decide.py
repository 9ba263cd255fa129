"""Which parameters a candidate is searched with: its own, those of the live release, or new ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from evals.golden_questions.schema import KNOWN_ITEMS
from rag_assets.platform.settings import Settings
from rag_assets.platform.wording import counted
from rag_assets.releases.registry import LEARNED_FOR, Candidate

from .parameters import MIN_TO_LEARN

COMMAND = "command"
EVALUATION = "evaluation"
Choice = Literal["own", "live", "learn", "default"]


@dataclass(frozen=True)
class Teaching:
    """The questions that parameters can be learned from.

    Attributes:
        questions: ``RESOLVED_QUESTIONS``, train half only; empty where there are too few.
        datasets: the sets they are of.
        version: hash of the questions; "" without any.
        why: what they are, or why there are none, for people.
    """

    questions: pl.DataFrame
    datasets: tuple[str, ...]
    version: str
    why: str


@dataclass(frozen=True)
class Decision:
    """Where a candidate's parameters come from.

    Attributes:
        choice: own (it has some that hold), live (those of the live release), learn, default.
        parameters: ``QueryParameters.to_dict()`` of ``own`` and ``live``; else None.
        why: for people.
    """

    choice: Choice
    parameters: dict[str, Any] | None
    why: str


def find_teaching(questions: pl.DataFrame, version_of: Callable[[pl.DataFrame], str]) -> Teaching:
    """What to learn from: the golden sets that gate, if they are enough.

    Known items teach nothing: a text's own words favour the full-text leg, whatever is left out of
    them (figures in docs/evaluation.md).

    Args:
        questions: ``RESOLVED_QUESTIONS`` of all sets.
        version_of: the hash of some questions.
    """
    train = questions.filter(
        pl.col("half") == "train",
        pl.col("gate"),
        pl.col("answerable").is_not_null(),
        ~pl.col("origin").is_in(["synthetic", "known_item"]),
    )
    usable = train.filter(pl.col("answerable"), pl.col("evidence") == "current").height
    if usable < MIN_TO_LEARN:
        why = f"{counted(usable, 'golden question')} to learn from, {MIN_TO_LEARN} are needed"
        return Teaching(train.clear(), (), "", why)
    datasets = tuple(sorted(train["dataset"].unique()))
    why = f"learned from {counted(usable, 'golden question')} ({', '.join(datasets)})"
    return Teaching(train, datasets, version_of(train), why)


def decide(candidate: Candidate, teaching: Teaching, settings: Settings) -> Decision:
    """Decide where the parameters of a candidate come from.

    What a person learned holds as long as chunker and encoder are the same; what an evaluation
    learned, as long as the questions that it learned from are the same too.
    """
    release, live = candidate.release, candidate.live
    if candidate.unchanged:
        return Decision("own", release.parameters, "the release has been live with them")
    if release.parameters and _holds(release.parameters, teaching, settings):
        return Decision("own", release.parameters, "the candidate has them already")
    same = live is not None and all(
        release.fingerprints.get(name) == live.fingerprints.get(name) for name in LEARNED_FOR
    )
    inherited = live.parameters if same and live is not None and live.parameters else None
    if live is not None and inherited and _holds(inherited, teaching, settings):
        return Decision("live", inherited, f"taken over from release {live.id}")
    why = _reason(settings) or teaching.why
    if teaching.datasets and not _reason(settings):
        return Decision("learn", None, why)
    if live is not None and inherited:
        return Decision("live", inherited, f"taken over from release {live.id}: {why}")
    return Decision("default", None, f"defaults: {why}")


def taught_by(parameters: Mapping[str, Any] | None, questions: pl.DataFrame) -> set[str]:
    """The sets of which one half must not be reported, since parameters were learned from it.

    A person may have named a file that is a set of another name: then it may be any golden one.
    """
    source = (parameters or {}).get("learned_from") or {}
    if not source:
        return set()
    if source.get("by") == EVALUATION:
        return set(source.get("datasets", ()))
    datasets = set(questions["dataset"].unique())
    named = str(source.get("dataset"))
    return {named} if named in datasets else datasets - {KNOWN_ITEMS}


def _holds(parameters: Mapping[str, Any], teaching: Teaching, settings: Settings) -> bool:
    source = parameters.get("learned_from") or {}
    if source.get("by", COMMAND) == COMMAND or _reason(settings):
        return True
    return bool(source.get("questions_version") == teaching.version)


def _reason(settings: Settings) -> str:
    """Why the settings want nothing to be learned; "" where they do."""
    if not settings.evaluation.learn:
        return "evaluation.learn is off"
    if settings.query.fusion != "learned":
        return f"query.fusion is '{settings.query.fusion}'"
    return ""
