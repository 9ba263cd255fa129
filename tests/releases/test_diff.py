"""What a diff of two releases says: of settings and passages, and of a real deployment."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.errors import NoRelease, ReleaseConflict
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings
from rag_assets.releases.diff import (
    UnknownDocument,
    diff_document,
    diff_indices,
    find_release,
)
from rag_assets.releases.passage_diff import passage_diff
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.settings_diff import (
    configuration_changes,
    fingerprint_changes,
    parameter_changes,
)
from tests.jobs.harness import run_stages
from tests.query.restricted import canary, changed, released


def release(**values: Any) -> Release:
    now = datetime.now(UTC)
    common: dict[str, Any] = {
        "id": 1,
        "created_at": now,
        "promoted_at": None,
        "retired_at": None,
        "status": "live",
        "reason": "",
        "table_name": "chunks_x",
        "lance_version": 1,
        "fingerprints": {"parser": "p", "chunker": "c"},
        "partitions": {},
        "documents": 0,
        "chunks": 0,
        "manifest_sha256": "",
        "metrics": {},
        "run_id": "",
    }
    return Release(**{**common, **values})


def test_settings_are_compared_one_by_one() -> None:
    chunking = {"splitter": "structure", "max_tokens": 200}
    old = release(configuration={"chunking": chunking, "parsing": {"max_text_mb": 50.0}})
    new = release(configuration={"chunking": {**chunking, "max_tokens": 120, "overlap_tokens": 8}})
    assert [str(change) for change in configuration_changes(old, new)] == [
        "chunking.max_tokens: 200 → 120",
        "chunking.overlap_tokens: (none) → 8",
        "parsing.max_text_mb: 50 → (none)",
    ]
    assert configuration_changes(old, old) == []


def test_a_release_of_an_older_version_tells_its_fingerprints() -> None:
    old, new = release(), release(configuration={"chunking": {}}, fingerprints={"parser": "q"})
    assert configuration_changes(old, new) == []
    assert fingerprint_changes(old, new) == [("chunker", "c", None), ("parser", "p", "q")]


def test_learned_parameters_are_told_without_coefficients() -> None:
    model = {"threshold": 0.4, "coefficients": [1.0], "balance": "1 in 20"}
    learned = {"fusion": "weighted", "fusion_weight": 0.25, "reranker": "none"}
    old = release(parameters=None)
    new = release(parameters={**learned, "rerank_weight": 0.5, "abstention": model})
    told = {change.name: (change.before, change.after) for change in parameter_changes(old, new)}
    assert told["fusion_weight"] == (None, 0.25)
    assert told["abstention.threshold"] == (None, 0.4)
    assert not any("coefficients" in name for name in told)
    assert parameter_changes(new, new) == []


def chunks(*texts: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"document_id": "docs/a", "ordinal": place, "heading_path": [heading], "text": text}
            for place, (heading, text) in enumerate(texts)
        ]
    )


def test_passages_that_went_and_came_are_told_with_their_headings() -> None:
    old = chunks(("Leave", "Ten days."), ("Leave", "Ask Orla."), ("Travel", "By train."))
    new = chunks(("Leave", "Twelve days."), ("Leave", "Ask Orla."), ("Travel", "By train."))
    diff = passage_diff(old, new, ("release 1", "release 2"))
    assert [(item.headings, item.text) for item in diff.removed] == [(("Leave",), "Ten days.")]
    assert [(item.ordinal, item.text) for item in diff.added] == [(0, "Twelve days.")]
    assert diff.kept == 2
    assert diff.unified.splitlines() == [
        "--- release 1: docs/a",
        "+++ release 2: docs/a",
        "@@ -1,5 +1,5 @@",
        " § Leave",
        "-Ten days.",
        "+Twelve days.",
        " Ask Orla.",
        " § Travel",
        " By train.",
    ]
    assert passage_diff(old, old).unified == ""


TEXTS = st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["one", "two", "three"])))


@given(TEXTS, TEXTS)
def test_passages_that_went_and_stayed_are_all_there_were(
    old: list[tuple[str, str]], new: list[tuple[str, str]]
) -> None:
    empty = pl.DataFrame(
        schema={
            "document_id": pl.String(),
            "ordinal": pl.Int64(),
            "heading_path": pl.List(pl.String()),
            "text": pl.String(),
        }
    )
    diff = passage_diff(chunks(*old) if old else empty, chunks(*new) if new else empty)
    assert len(diff.removed) + diff.kept == len(old)
    assert len(diff.added) + diff.kept == len(new)
    gone = Counter((item.headings[0], item.text) for item in diff.removed)
    came = Counter((item.headings[0], item.text) for item in diff.added)
    assert Counter(old) - gone + came == Counter(new)
    assert (diff.unified == "") == (old == new)


Deployment = tuple[Platform, list[Release]]


def name_of(word: str) -> str:
    return f"docs/{canary(word)}.md"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Deployment:
    """Three releases: the documents; some of them edited; the same divided otherwise."""
    folder = tmp_path_factory.mktemp("diff")
    platform = released(folder, model_cache)
    documents = folder / "documents"

    def edit(word: str, change: Callable[[str], str]) -> None:
        path = documents / f"{canary(word)}.md"
        path.write_text(change(path.read_text()))

    edit("welcome", lambda text: text.replace("travel, laptops and leave", "bicycles", 1))
    edit("merger", lambda text: text.replace("'board'", "'board', 'people'"))
    (documents / f"{canary('salaries')}.md").unlink()
    (documents / f"{canary('incident')}.md").rename(documents / "events.md")
    (documents / "new.md").write_text(
        "---\nacl: [public]\n---\n# New\n\nNobody knew this before.\n"
    )
    run_stages(platform, "edited")
    divided = changed(platform, chunking=ChunkingSettings(max_tokens=40))
    run_stages(divided, "divided")
    return divided, sorted(Registry(platform.database).all(), key=lambda item: item.id)


def test_the_documents_of_a_real_deployment(deployment: Deployment) -> None:
    platform, (first, second, _) = deployment
    diff = diff_indices(platform, first, second)
    said = dict(diff.content.changes.select("document_id", "changes").rows())
    assert said.pop(name_of("welcome")) == ["content"]
    assert said.pop("docs/new.md") == ["added"]
    assert said.pop(name_of("salaries")) == ["removed"]
    assert "renamed" in said.pop("docs/events.md")
    # the access rights stand in the document itself
    assert said.pop(name_of("merger")) == ["permissions", "content"]
    assert not said
    rows = {row["document_id"]: row for row in diff.content.to_dict()["changes"]}
    edited = rows[name_of("welcome")]
    assert (edited["chunks_added"], edited["chunks_removed"]) == (1, 1)
    assert edited["chunks_kept"] == edited["before_chunks"] - 1 > 0
    assert rows["docs/events.md"]["former_id"] == name_of("incident")
    assert rows["docs/events.md"]["chunks_kept"] == rows["docs/events.md"]["after_chunks"]
    assert (diff.configuration, diff.fingerprints) == ((), ())
    assert diff.content.unchanged == 4


def test_another_chunker_is_another_table_of_the_same_documents(deployment: Deployment) -> None:
    platform, (_, second, third) = deployment
    assert second.table_name != third.table_name
    diff = diff_indices(platform, second, third)
    assert [str(change) for change in diff.configuration] == ["chunking.max_tokens: 60 → 40"]
    assert {change.name for change in diff.fingerprints} == {"chunker", "index"}
    assert {change for row in diff.content.changes["changes"] for change in row} == {"passages"}
    assert 0 < diff.content.chunks_kept < diff.content.chunks_before
    assert diff.content.chunks_after == third.chunks
    assert diff_indices(platform, third, third).empty


def test_one_document_passage_by_passage(deployment: Deployment) -> None:
    platform, (first, second, _) = deployment
    diff = diff_document(platform, first, second, name_of("welcome"))
    ((removed,), (added,)) = diff.removed, diff.added
    assert "laptops" in removed.text
    assert "bicycles" in added.text
    assert removed.headings == added.headings != ()
    assert any(line.startswith("+") and "bicycles" in line for line in diff.unified.splitlines())
    gone = diff_document(platform, first, second, name_of("salaries"))
    assert (gone.after_id, gone.added, gone.kept) == (None, (), 0)
    assert "(not served)" in gone.unified


@pytest.mark.parametrize("name", ["docs/events.md", name_of("incident")])
def test_a_renamed_document_is_found_by_either_id(deployment: Deployment, name: str) -> None:
    platform, (first, second, _) = deployment
    diff = diff_document(platform, first, second, name)
    assert (diff.before_id, diff.after_id) == (name_of("incident"), "docs/events.md")
    assert diff.kept > 0
    assert not diff.removed


def test_a_document_that_nobody_serves_or_may_see(deployment: Deployment) -> None:
    platform, (first, second, _) = deployment
    with pytest.raises(UnknownDocument, match="Neither release 1 nor release 2 serves"):
        diff_document(platform, first, second, "docs/it's-not-there.md")
    requests = ErasureRequests(platform.database)
    requests.open(name_of("incident"), within_days=30)
    try:
        # the same document under its new name
        with pytest.raises(UnknownDocument, match="has to be forgotten"):
            diff_document(platform, first, second, "docs/events.md")
    finally:
        requests.lift(name_of("incident"))


def test_a_removed_release_cannot_be_compared(deployment: Deployment) -> None:
    platform, (first, second, _) = deployment
    gone = replace(first, removed_at=datetime.now(UTC))
    for pair in ((gone, second), (second, gone)):
        with pytest.raises(ReleaseConflict, match="Release 1 has been removed"):
            diff_indices(platform, *pair)


def test_releases_are_found_by_name(deployment: Deployment) -> None:
    platform, _ = deployment
    assert find_release(platform, "live").id == 3
    assert find_release(platform, "previous").id == 2
    assert find_release(platform, "1").id == 1
    for name in ("9", "yesterday", "-1", ""):
        with pytest.raises(NoRelease):
            find_release(platform, name)
