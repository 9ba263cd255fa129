"""A part of the sample handbook, released, with the questions that people asked."""

import json
import shutil
from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from tests.evals.regressions.deployments import SAMPLE, Deployment, new_deployment
from tests.jobs.harness import run_stages

FOLDERS = ("finance", "it", "office", "legal")
QUESTIONS = 30
BEES = "# The bees\n\nTwo hives stand on the roof, and the honey is sold to the staff in July.\n"


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Deployment:
    """The released handbook; its log has the questions, asked by the groups that may ask them."""
    deployment = new_deployment(tmp_path_factory.mktemp("replay") / "asked", model_cache)
    for name in FOLDERS:
        shutil.copytree(SAMPLE / "handbook" / name, deployment.documents / name)
    (deployment.documents / "office" / "bees.md").write_text(BEES)
    run_stages(deployment.platform)
    ask(deployment.platform)
    return deployment


def ask(platform: Platform) -> None:
    """Ask as people do, whose questions are logged."""
    engine = QueryEngine(platform)
    lines = (SAMPLE / "golden_questions.jsonl").read_text(encoding="utf-8").splitlines()
    mine = [
        item
        for item in map(json.loads, lines)
        if {part["document_id"].split("/")[1] for part in item["relevant"]} & set(FOLDERS)
    ]
    for item in mine[:QUESTIONS]:
        engine.ask(item["question"], Caller(frozenset(item.get("groups") or ())))


@pytest.fixture
def handbook(asked: Deployment, tmp_path: Path) -> Deployment:
    """A copy of it, to be changed."""
    return asked.copy(tmp_path / "handbook")
