"""A scripted judge, an encoder whose vectors are known, and a platform in a temporary folder."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.judges import attempts
from evals.judges.base import Sample
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from tests.evals.judges.judge_server import JudgeServer, verdicts

MakePlatform = Callable[..., Platform]

SAMPLE = Sample(
    sample_id="q1",
    question="How much may a room in London cost?",
    answer="A room in London may cost 165 pounds. Breakfast is extra. The moon is full.",
    contexts=("In London up to 165 pounds.", "Ask your manager.", "Breakfast is not included."),
    reference="165 pounds, without breakfast.",
    documents=("d1", "d2"),
)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test needs to wait for a back-off."""
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.01)


@pytest.fixture(scope="session")
def running_judge() -> Iterator[JudgeServer]:
    with JudgeServer().running() as server:
        yield server


@pytest.fixture
def judge(running_judge: JudgeServer) -> JudgeServer:
    """The judge with replies that every metric can work with; two of three are good."""
    running_judge.reset()
    running_judge.replies = known_replies()
    return running_judge


def known_replies() -> dict[str, Any]:
    """Schema name → reply, for every request that any of the metrics makes."""
    reasoned = {"reason": "because"}
    classified = [
        {"statement": f"s{number}", "attributed": attributed, **reasoned}
        for number, attributed in enumerate([1, 0, 0, 0])
    ]
    supported = [
        {"statement": f"s{number}", "verdict": verdict, **reasoned}
        for number, verdict in enumerate([1, 1, 0])
    ]
    return {
        "StatementGeneratorOutput": {"statements": ["s0", "s1", "s2"]},
        "NLIStatementOutput": {"statements": supported},
        "AnswerRelevanceOutput": {"question": SAMPLE.question, "noncommittal": 0},
        "ContextPrecisionOutput": {"verdict": 1, **reasoned},
        "ContextRecallOutput": {"classifications": classified},
        "Truths": {"truths": ["t0", "t1"]},
        "Claims": {"claims": ["c0", "c1", "c2"]},
        "Statements": {"statements": ["s0", "s1", "s2"]},
        "Verdicts": verdicts("yes", "yes", "no"),
        "ContextualRelevancyVerdicts": verdicts("yes", "no", statement="s"),
        **{
            f"{name}ScoreReason": reasoned
            for name in (
                *("Faithfulness", "AnswerRelevancy", "ContextualPrecision"),
                *("ContextualRecall", "ContextualRelevancy", "Hallucination"),
            )
        },
    }


class KnownEncoder:
    """Texts of the same words have the same vector; other texts are orthogonal to each other."""

    fingerprint = "known"

    def warm_up(self) -> None:
        """There is nothing to load."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            vectors[row, sum(text.encode()) % 64] = -1.0 if text.startswith("not ") else 1.0
        return vectors


@pytest.fixture
def make_platform(
    judge: JudgeServer, tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakePlatform]:
    """Make a platform whose judge is the scripted one: ``make_platform(metrics=[…], …)``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAG_CONFIG", raising=False)
    made = []

    def make(settings: dict[str, Any] | None = None, **changes: Any) -> Platform:
        model_cache.mkdir(parents=True, exist_ok=True)
        models = tmp_path / "home" / "models"
        models.parent.mkdir(exist_ok=True)
        if not models.exists():
            models.symlink_to(model_cache, target_is_directory=True)
        values = {"base_url": judge.url, "timeout_seconds": 30.0, **changes}
        home = str(tmp_path / "home")
        platform = Platform(Settings(home=home, judge=values, **(settings or {})))  # type: ignore[arg-type]
        made.append(platform)
        return platform

    yield make
    for platform in made:
        platform.database.dispose()
        platform.close()
