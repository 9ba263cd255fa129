"""A small deployment whose questions have known answers, evaluated release by release."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from evals.evaluations import Evaluation
from evals.golden_questions.questions import train_half
from evals.golden_questions.schema import KNOWN_ITEMS, RESOLVED_QUESTIONS
from evals.retrieval_evaluation.candidate import evaluate_candidate
from evals.retrieval_evaluation.results import store
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.candidate import open_candidate, release_candidate
from tests.jobs.harness import build_index, run_stages

PLACES = ["kitchen", "library", "greenhouse", "workshop", "archive", "chapel", "stable", "mill"]
COLOURS = ["amber", "violet", "crimson", "olive", "scarlet", "ivory"]
# what people call them: the words of the documents alone do not find them all
HUES = ["yellowish", "purple", "deep red", "green", "red", "off-white"]
KEEPERS = ["Orla", "Tomas", "Ingrid", "Pavel", "Salma", "Bruno", "Keiko", "Dario"]
SECRET = "The merger with Oakfield closes on the third of May."

Results = dict[str, tuple[Evaluation, pl.DataFrame]]


def corpus() -> dict[str, str]:
    """Name → text; who keeps a place is said in no other document."""
    return {
        f"{colour}-{place}": f"{KEEPERS[(x + y) % 8]} keeps the key of the {colour} {place}.\n\n"
        f"It is swept on day {x * 8 + y + 1} of every quarter."
        for x, colour in enumerate(COLOURS)
        for y, place in enumerate(PLACES)
    }


def quote(name: str) -> str:
    """The first sentence of a document."""
    return corpus()[name].split("\n")[0]


def write_corpus(folder: Path, texts: dict[str, str]) -> None:
    """Write the source of the deployment."""
    rows = [
        {"_id": name, "title": f"The {name.replace('-', ' ')}", "text": text}
        for name, text in texts.items()
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def question(name: str, text: str, relevant: Sequence[str], **more: Any) -> dict[str, Any]:
    """A row of ``RESOLVED_QUESTIONS`` of the set ``golden``; more columns win."""
    row = {
        "dataset": "golden",
        "gate": True,
        "question_id": name,
        "question": text,
        "relevant": [
            {"document_id": item, "quote": None, "page": None, "grade": 1} for item in relevant
        ],
        "answerable": bool(relevant),
        "groups": [],
        "tags": [name.split("-")[0]],
        "half": "train" if train_half(name) else "report",
        "forbidden": [],
        "origin": "golden",
        "evidence": "current" if relevant else "none",
        "evidence_note": "",
        **more,
    }
    asked = ("question", "relevant", "answer", "answerable", "groups", "forbidden")
    return {**row, "question_sha256": fingerprint([row.get(item) for item in asked])}


def golden(names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One question for each document, in other words, that quotes its first sentence."""
    rows = []
    for name in corpus() if names is None else names:
        colour, place = name.split("-")
        hue = HUES[COLOURS.index(colour)]
        row = question(name, f"Whom do I ask for access to the {hue} {place}?", [f"docs/{name}"])
        row["relevant"][0]["quote"] = quote(name)
        rows.append(row)
    return rows


def known_items() -> list[dict[str, Any]]:
    """One question for each document made from its first sentence."""
    rows = []
    for name in corpus():
        row = question(
            f"known-{name}",
            " ".join(quote(name).split()[1:]),
            [f"docs/{name}"],
            dataset=KNOWN_ITEMS,
            origin="known_item",
        )
        row["relevant"][0]["quote"] = quote(name)
        rows.append(row)
    return rows


def merger(name: str, groups: list[str]) -> dict[str, Any]:
    """A question about the document that only the board may read."""
    text = "When does the merger with Oakfield close?"
    return question(name, text, ["board/merger.md"], groups=groups, dataset="rights", half="report")


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """The rows as the asset golden_questions keeps them."""
    return pl.DataFrame(list(rows), schema=RESOLVED_QUESTIONS, orient="row")


def settings_of(folder: Path, **sections: Any) -> Settings:
    """The settings of the deployment in a folder."""
    sources = {
        "docs": SourceSettings(kind="jsonl", path=str(folder / "corpus.jsonl"), acl=["public"]),
        "board": SourceSettings(path=str(folder / "board"), acl=["board"]),
    }
    return Settings(home=str(folder / "home"), sources=sources, **sections)


def released(folder: Path, models: Path) -> Path:
    """Make the deployment with one release, which nobody has evaluated."""
    (folder / "home").mkdir(parents=True)
    models.mkdir(parents=True, exist_ok=True)
    (folder / "home/models").symlink_to(models, target_is_directory=True)
    (folder / "board").mkdir()
    (folder / "board/merger.md").write_text(f"# Merger\n\n{SECRET}\n")
    write_corpus(folder, corpus())
    platform = Platform(settings_of(folder))
    run_stages(platform)
    platform.close()
    return folder


def copied(original: Path, folder: Path) -> Path:
    """A copy of a deployment, for one test."""
    shutil.copytree(original, folder, symlinks=True)
    return folder


def evaluate_next(platform: Platform, questions: pl.DataFrame) -> Results:
    """Build what is pending, evaluate the candidate and store what came out; by set."""
    build_index(platform)
    found = evaluate_candidate(
        platform,
        open_candidate(platform, "run"),
        questions,
        run_id="run",
        open_engine=lambda release_id: pinned_engine(platform, release_id),
    )
    store(platform, found)
    return {evaluation.dataset: (evaluation, rows) for evaluation, rows in found}


def promote(platform: Platform) -> int:
    """Release the candidate; its id."""
    promotion = release_candidate(platform, "run")
    assert promotion.promoted, promotion.release.reason
    return promotion.release.id
