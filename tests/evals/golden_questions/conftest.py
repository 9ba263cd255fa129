"""A small deployment with a question set, whose documents the tests change."""

import json
from pathlib import Path
from typing import Any

import pytest

from rag_assets.platform.platform import Platform
from tests.conftest import Deploy
from tests.jobs.harness import run_stages

SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
"""
SET = """
[evaluation.sets.house]
path = "house.jsonl"
"""
LEAVE = "Every employee may carry five days of leave over into the following year without asking."
TRAVEL = "A room in London may cost one hundred and sixty pounds a night before taxes are added."
LAPTOP = "Laptops are replaced after four years unless the battery has failed before that time."


def question(question_id: str, *relevant: tuple[str, str | None], **changes: Any) -> dict[str, Any]:
    """A line of a golden set."""
    items = [
        {"document_id": document} | ({"quote": quote} if quote else {})
        for document, quote in relevant
    ]
    asked = f"What is known about {question_id}?"
    row = {"question_id": question_id, "question": asked, "relevant": items}
    return {**row, "answerable": bool(relevant), **changes}


def write_set(folder: Path, *questions: dict[str, Any], name: str = "house.jsonl") -> Path:
    """Write a golden set."""
    path = folder / name
    path.write_text("".join(json.dumps(item) + "\n" for item in questions), encoding="utf-8")
    return path


def write_documents(folder: Path, texts: dict[str, str]) -> None:
    """Write Markdown files."""
    for name, text in texts.items():
        (folder / "documents" / f"{name}.md").write_text(f"# {name}\n\n{text}\n", "utf-8")


@pytest.fixture
def house(deploy: Deploy) -> Path:
    """The folder of a deployment with three documents and a set of no questions yet."""
    folder = deploy(SETTINGS + SET)
    write_documents(folder, {"leave": LEAVE, "travel": TRAVEL, "laptop": LAPTOP})
    return folder


def ingested(run_id: str = "run") -> Platform:
    """The deployment of the working folder, in step with its documents and released."""
    platform = Platform.load()
    run_stages(platform, run_id)
    return platform
