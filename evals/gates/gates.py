"""What the release asks of evaluations: the gates of this room, judged from what is stored."""

import hashlib
from pathlib import Path

import polars as pl

from evals.answer_evaluation.results import read_answers, read_judgements
from evals.evaluations import Evaluations
from evals.golden_questions.collect import read_golden_questions
from evals.golden_questions.sets import question_sets
from evals.retrieval_evaluation.results import read_results
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import GateSettings, Settings
from rag_assets.releases.gates import FurtherGates, Gate
from rag_assets.releases.registry import Candidate

from .acl_leak import acl_leak
from .answer_quality import Answered, answer_quality
from .replay import replay_gate
from .retrieval_quality import Evaluated, retrieval_quality

DEPS = ("retrieval_evaluation", "answer_evaluation", "replay")


def evaluation_gates(settings: Settings) -> FurtherGates:
    """The gates that need evaluations, for the asset ``release``.

    Args:
        settings: the deployment's.
    """
    return FurtherGates(_described(settings.gates), DEPS, judge_evaluations, judged_by)


def judged_by(platform: Platform) -> str:
    """The fingerprint of what verdicts depend on besides the index: questions, and how many."""
    asked = platform.settings.evaluation
    sets = question_sets(platform.settings)
    return fingerprint(
        [
            asked.model_dump(mode="json", include={"known_items", "k", "max_questions", "learn"}),
            {name: wanted.model_dump(mode="json") for name, wanted in sets.items()},
            {name: _content(Path(wanted.path).expanduser()) for name, wanted in sets.items()},
        ]
    )


def _content(path: Path) -> str:
    """The hash of a question file, or of every file of a BEIR folder but the documents."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file() and file.name != "corpus.jsonl":
            digest.update(file.relative_to(path.parent).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _described(settings: GateSettings) -> dict[str, str]:
    """What each gate says, with the margins that the deployment has."""
    retrieval = f"Golden questions lose at most {settings.retrieval_margin:g}, or within chance."
    answers = f"Answers lose at most {settings.answer_margin:g}, or within chance."
    replay = (
        f"Real questions find what they found: mean overlap at least {settings.replay_overlap:g}."
    )
    effect = {"warn": " It only warns.", "off": " Off."}
    return {
        "retrieval_quality": retrieval,
        "acl_leak": "Nothing reaches anybody who may not read it.",
        "answer_quality": answers if settings.answers else f"{answers} Off: it only warns.",
        "replay": replay + effect.get(settings.replay, ""),
    }


def judge_evaluations(platform: Platform, candidate: Candidate) -> list[Gate]:
    """Every gate's verdict on a candidate, in the order in which they are described."""
    questions = read_golden_questions(platform)
    return [
        _retrieval(platform, candidate, questions),
        acl_leak(platform, candidate, questions),
        _answers(platform, candidate, questions),
        replay_gate(platform, candidate),
    ]


def _retrieval(platform: Platform, candidate: Candidate, questions: pl.DataFrame) -> Gate:
    # what a person asked from the command line is compared with nothing, and has no run
    mine = {
        item.dataset: item
        for item in Evaluations(platform.database).all("retrieval")
        if item.release_id == candidate.release.id and item.run_id
    }
    settings = platform.settings
    return retrieval_quality(
        [Evaluated(item, read_results(platform, item)) for item in mine.values()],
        questions,
        live=candidate.live.id if candidate.live else None,
        settings=settings.gates,
        k=settings.evaluation.k,
    )


def _answers(platform: Platform, candidate: Candidate, questions: pl.DataFrame) -> Gate:
    live = candidate.live.id if candidate.live else None
    return answer_quality(
        _answered(platform, candidate.release.id),
        _answered(platform, live) if live is not None else [],
        questions,
        live=live,
        settings=platform.settings.gates,
        min_coverage=platform.settings.judge.min_coverage,
    )


def _answered(platform: Platform, release_id: int) -> list[Answered]:
    return [
        Answered(Evaluated(item, read_answers(platform, item)), read_judgements(platform, item))
        for item in Evaluations(platform.database).of_release(release_id, "answer")
    ]
