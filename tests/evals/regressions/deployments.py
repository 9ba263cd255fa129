"""Deployments whose releases are judged as in production: questions, candidate, evaluation, gates."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from evals.gates.gates import evaluation_gates
from evals.golden_questions.collect import read_golden_questions, refresh_golden_questions
from evals.retrieval_evaluation.asset import evaluate_and_record
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import (
    EvaluationSettings,
    QuestionSetSettings,
    Settings,
    SourceSettings,
)
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.candidate import Promotion, release_candidate
from rag_assets.releases.gates import Gate
from rag_assets.releases.registry import Registry, Release
from tests.jobs.harness import build_index

SAMPLE = Path(__file__).parents[3] / "sample"
SOURCE = "handbook"
KNOWN_ITEMS = 40
# what readers ask while candidates come and go: who asks, and what
ASKED = (
    (frozenset[str](), "On which days of the month do approved expenses reach my bank account?"),
    (frozenset[str](), "Wie lange muss nach dem Schweißen jemand aufpassen?"),
    (frozenset({"people-team"}), "How long does a last written warning remain in a file?"),
)


@dataclass(frozen=True)
class Deployment:
    """A folder with documents, questions and the state of a deployment of its own.

    Attributes:
        folder: holds ``documents``, ``questions.jsonl`` and ``home``.
        sections: settings that differ from those of ``settings``.
    """

    folder: Path
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def documents(self) -> Path:
        """The folder of the only source."""
        return self.folder / "documents"

    @property
    def questions(self) -> Path:
        """The golden set; a file that does not exist is no set."""
        return self.folder / "questions.jsonl"

    @cached_property
    def platform(self) -> Platform:
        """The platform with the settings of this deployment."""
        sets = {"handbook": QuestionSetSettings(path=str(self.questions))}
        evaluation = EvaluationSettings(
            sets=sets if self.questions.exists() else {}, known_items=KNOWN_ITEMS
        )
        values = {
            "home": str(self.folder / "home"),
            "sources": {SOURCE: SourceSettings(path=str(self.documents), acl=["public"])},
            "evaluation": evaluation,
            **self.sections,
        }
        return Platform(Settings(**values))

    @property
    def live(self) -> Release:
        """The release that readers use."""
        release = Registry(self.platform.database).live()
        assert release is not None
        return release

    def changed(self, **sections: Any) -> "Deployment":
        """The same deployment with other settings."""
        return Deployment(self.folder, {**self.sections, **sections})

    def copy(self, folder: Path) -> "Deployment":
        """A deployment in the same state that can be changed without harm to this one."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Deployment(folder, self.sections)

    def answers(self) -> list[tuple[str, list[str], int]]:
        """What readers get: texts, cited documents and the release of the answers to ``ASKED``."""
        engine = QueryEngine(self.platform)
        found = []
        for groups, question in ASKED:
            answer = engine.ask(question, Caller(groups, authenticated=True))
            cited = [citation.document_id for citation in answer.citations]
            found.append((answer.answer, cited, answer.release["id"]))
        return found


def new_deployment(folder: Path, models: Path) -> Deployment:
    """A deployment without documents and questions, in a new folder.

    Args:
        models: where the exported encoder is kept.
    """
    (folder / "home").mkdir(parents=True)
    models.mkdir(parents=True, exist_ok=True)
    (folder / "home" / "models").symlink_to(models, target_is_directory=True)
    deployment = Deployment(folder)
    deployment.documents.mkdir()
    return deployment


def offer(
    deployment: Deployment, meddle: Callable[[Platform], None] = lambda platform: None
) -> Promotion:
    """Do with what has changed what the ingest and promote jobs do, without Dagster.

    Args:
        deployment: its index is brought up to date and released, if the gates let it pass.
        meddle: called when the index is written and not yet a candidate.
    """
    platform = deployment.platform
    build_index(platform, "offer")
    meddle(platform)
    evaluate(platform)
    return release_candidate(platform, "offer", evaluation_gates(platform.settings))


def evaluate(platform: Platform) -> None:
    """Collect the questions, open the candidate and measure it."""
    refresh_golden_questions(platform, "offer")
    evaluate_and_record(platform, lambda release: pinned_engine(platform, release), "offer")


def gate(promotion: Promotion, name: str) -> Gate:
    """The verdict of one gate."""
    return next(item for item in promotion.gates if item.name == name)


def asked_of(deployment: Deployment) -> pl.DataFrame:
    """The questions that were put to the newest candidate, ``RESOLVED_QUESTIONS``."""
    return read_golden_questions(deployment.platform)
