"""Released deployments for the session; tests change copies of them."""

import shutil
from pathlib import Path

import pytest

from tests.jobs.harness import build_index

from .deployments import SAMPLE, Deployment, new_deployment, offer

# documents that no golden question needs
SPARE = {
    "office/bees.md": "# The bees on the roof\n\nTwo hives stand on the roof of the old stable, and "
    "the honey is sold to the staff in July. Whoever is allergic to stings uses the other stairs.\n",
    "office/choir.md": "# The choir\n\nThe choir of the company meets every second Wednesday in the "
    "canteen. It sings at the summer party and looks for two more basses.\n",
}


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Deployment:
    """The sample handbook, in the index and not released yet, without questions."""
    deployment = new_deployment(tmp_path_factory.mktemp("handbook") / "indexed", model_cache)
    shutil.copytree(SAMPLE / "handbook", deployment.documents, dirs_exist_ok=True)
    for name, text in SPARE.items():
        (deployment.documents / name).write_text(text, encoding="utf-8")
    build_index(deployment.platform)
    return deployment


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, indexed: Deployment) -> Deployment:
    """The handbook with its golden set and known items, released and evaluated."""
    deployment = indexed.copy(tmp_path_factory.mktemp("golden") / "released")
    shutil.copy(SAMPLE / "golden_questions.jsonl", deployment.questions)
    promotion = offer(deployment)
    assert promotion.promoted, promotion.release.reason
    return deployment


@pytest.fixture
def handbook(released: Deployment, tmp_path: Path) -> Deployment:
    """A copy of the released handbook, to be changed."""
    return released.copy(tmp_path / "handbook")
