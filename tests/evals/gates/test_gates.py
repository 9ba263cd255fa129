"""The gates in a real deployment: a harmless change is promoted, a planted regression is not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.evaluations import Evaluation, Evaluations
from evals.gates.gates import DEPS, evaluation_gates
from evals.golden_questions.collect import refresh_golden_questions
from evals.retrieval_evaluation.asset import evaluate_and_record
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import (
    ChunkingSettings,
    EvaluationSettings,
    QuestionSetSettings,
    Settings,
    SourceSettings,
)
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.candidate import Promotion, open_candidate, release_candidate
from rag_assets.releases.gates import Gate
from rag_assets.releases.registry import Registry
from tests.jobs.harness import build_index

DOCUMENTS = 24
WORDS = ("otter", "heron", "walnut", "copper", "lantern", "meadow", "violet", "anchor") * 3


def subject(number: int) -> str:
    return f"{WORDS[number]} {('north', 'south', 'east')[number // 8]}"


def write(folder: Path, number: int, extra: str = "") -> None:
    text = (
        f"---\nacl: [{'public' if number % 4 else 'staff'}]\n---\n# The {subject(number)} depot\n\n"
        f"The {subject(number)} depot opens at {number + 1} o'clock and keeps {number * 7 + 3} "
        f"crates.\n\nIts keeper is asked before anything is moved.{extra}\n"
    )
    (folder / f"{number:02}.md").write_text(text, encoding="utf-8")


def question(number: int) -> str:
    return json.dumps(
        {
            "question_id": f"depot-{number:02}",
            "question": f"When does the {subject(number)} depot open?",
            "relevant": [
                {
                    "document_id": f"docs/{number:02}.md",
                    "quote": f"The {subject(number)} depot opens at {number + 1} o'clock",
                }
            ],
            "answerable": True,
            "groups": [] if number % 4 else ["staff"],
        }
    )


def reset(folder: Path) -> None:
    for number in range(DOCUMENTS):
        write(folder, number)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """Two dozen documents, a question about each, and a live release that was evaluated."""
    tmp_path = tmp_path_factory.mktemp("depots")
    home, folder = tmp_path / "home", tmp_path / "documents"
    home.mkdir()
    folder.mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(model_cache, target_is_directory=True)
    reset(folder)
    lines = [question(number) for number in range(DOCUMENTS)]
    (tmp_path / "golden.jsonl").write_text("\n".join(lines), encoding="utf-8")
    golden = QuestionSetSettings(path=str(tmp_path / "golden.jsonl"))
    made = Platform(
        Settings(
            home=str(home),
            sources={"docs": SourceSettings(path=str(folder))},
            chunking=ChunkingSettings(max_tokens=60),
            evaluation=EvaluationSettings(sets={"depots": golden}, known_items=0, learn=False),
        )
    )
    first = promoted(made)
    assert first.promoted, first.release.reason
    assert "first release" in gate_of(first, "retrieval_quality").explanation
    return made


@pytest.fixture
def platform(deployment: Platform) -> Platform:
    """The deployment with its documents as they were; a test ends with a sound live release."""
    reset(documents(deployment))
    return deployment


def promoted(platform: Platform, *, evaluate: bool = True) -> Promotion:
    """What the assets do: index, questions, evaluation, gates."""
    build_index(platform)
    refresh_golden_questions(platform, "run")
    if evaluate:
        evaluate_and_record(platform, lambda release: pinned_engine(platform, release), "run")
    return release_candidate(platform, "run", evaluation_gates(platform.settings))


def gate_of(promotion: Promotion, name: str) -> Gate:
    return {gate.name: gate for gate in promotion.gates}[name]


def documents(platform: Platform) -> Path:
    return Path(platform.settings.sources["docs"].path)


def test_there_is_one_verdict_for_every_description(platform: Platform) -> None:
    write(documents(platform), 0, extra=" Twice.")
    promotion = promoted(platform)
    assert promotion.promoted, promotion.release.reason
    names = {gate.name for gate in promotion.gates}
    further = evaluation_gates(platform.settings)
    assert set(further.descriptions) == {
        "retrieval_quality",
        "acl_leak",
        "answer_quality",
        "replay",
    }
    assert set(further.descriptions) <= names
    assert further.deps == DEPS
    quality = gate_of(promotion, "retrieval_quality")
    assert "not worse than the live release: depots ndcg@10" in quality.explanation
    assert quality.metadata["questions"] == DOCUMENTS
    assert gate_of(promotion, "answer_quality").verdict == "not_judged"
    stored = promotion.release.metrics["retrieval_quality"]
    assert stored["depots ndcg@10 difference"] == pytest.approx(0, abs=0.02)


def drop_half(folder: Path) -> None:
    for number in range(0, DOCUMENTS, 2):
        (folder / f"{number:02}.md").unlink()


def empty_half(folder: Path) -> None:
    for number in range(0, DOCUMENTS, 2):
        (folder / f"{number:02}.md").write_text("---\nacl: [public]\n---\n# Moved\n\nSee there.\n")


@pytest.mark.parametrize(("change", "state"), [(drop_half, "deleted"), (empty_half, "changed")])
def test_a_planted_regression_is_blocked_and_its_questions_named(
    platform: Platform, change: Callable[[Path], None], state: str
) -> None:
    before = Registry(platform.database).live()
    change(documents(platform))
    promotion = promoted(platform)
    assert not promotion.promoted
    assert Registry(platform.database).live() == before
    gate = gate_of(promotion, "retrieval_quality")
    assert gate.blocks
    assert "retrieval_quality: worse than the live release: depots" in promotion.release.reason
    assert "12 questions got worse" in gate.report
    assert f"When does the {subject(0)} depot open?" in gate.report
    assert f"evidence {state}" in gate.report
    assert "✓ **docs/00.md**" in gate.report


def test_a_candidate_without_an_evaluation_of_its_own_is_blocked(platform: Platform) -> None:
    write(documents(platform), 1, extra=" Thrice.")
    build_index(platform)
    candidate = open_candidate(platform, "run")
    # what a person asked from the command line is compared with nothing
    by_hand = Evaluation("retrieval", "depots", candidate.release.id, {})
    Evaluations(platform.database).record([by_hand])
    promotion = promoted(platform, evaluate=False)
    assert not promotion.promoted
    gate = gate_of(promotion, "retrieval_quality")
    assert "the candidate has not been evaluated with depots" in gate.explanation
