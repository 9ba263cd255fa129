"""``ragline releases diff`` as a person and as a script use it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.golden_questions.collect import refresh_golden_questions
from rag_app.commands.releases import app
from rag_assets.platform.errors import NoRelease, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.releases.diff import UnknownDocument
from tests.jobs.harness import run_stages

SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]

[evaluation.sets.golden]
path = "golden.jsonl"
"""
LEAVE = (
    "# Leave\n\n## How long\n\nEverybody has ten days of leave.\n\n## Whom to ask\n\nAsk Orla.\n"
)
KEYS = "# Keys\n\nTomas keeps the key of the archive.\n"
WIDE = {"COLUMNS": "240"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Path]:
    """Two releases: a document edited, one removed, ten added; nobody evaluated them."""
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "ragline.toml").write_text(SETTINGS)
    (folder / ".ragline").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline/models").symlink_to(model_cache, target_is_directory=True)
    documents = folder / "documents"
    documents.mkdir()
    (documents / "leave.md").write_text(LEAVE)
    (documents / "keys.md").write_text(KEYS)
    asked = {
        "question_id": "keys",
        "question": "Who keeps the key of the archive?",
        "relevant": [{"document_id": "docs/keys.md"}],
        "answerable": True,
    }
    (folder / "golden.jsonl").write_text(json.dumps(asked) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("RAG_CONFIG", "RAG_HOME"):
            patch.delenv(name, raising=False)
        platform = Platform.load()
        run_stages(platform)
        refresh_golden_questions(platform, "run")
        (documents / "leave.md").write_text(LEAVE.replace("ten days", "[bold]twelve[/bold] days"))
        (documents / "keys.md").unlink()
        for number in range(10):
            (documents / f"room-{number}.md").write_text(f"# Room\n\nRoom {number} has a window.\n")
        run_stages(platform)
        refresh_golden_questions(platform, "run")
        yield folder


def diff(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diff", *arguments], env=WIDE)


def told(*arguments: str) -> Any:
    result = diff(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(kind: type[RaglineError], *arguments: str) -> str:
    result = diff(*arguments)
    assert isinstance(result.exception, kind)
    return str(result.exception)


def test_a_person_reads_what_changed(folder: Path) -> None:
    result = diff()
    assert result.exit_code == 0
    first = result.stdout.splitlines()[0]
    assert first.startswith(
        "Release 1 → 2: documents: 10 added, 1 changed, 1 removed, 0 unchanged; chunks +11 −2"
    )
    lines = {line.split()[1]: line for line in result.stdout.splitlines() if "docs/" in line}
    assert "removed" in lines["docs/keys.md"]
    assert "changed" in lines["docs/leave.md"]
    assert "+1 −1" in lines["docs/leave.md"]
    # a document's text is shown with --document only
    assert "twelve" not in result.stdout


def test_a_script_reads_the_same(folder: Path) -> None:
    found = told("1", "2")
    assert found["documents"] == {
        "before": 2, "after": 11, "unchanged": 0, "removed": 1, "added": 10, "permissions": 0,
        "content": 1, "renamed": 0, "moved": 0, "metadata": 0, "passages": 0,
    }  # fmt: skip
    assert (found["chunks"]["added"], found["chunks"]["removed"]) == (11, 2)
    assert found["configuration"] == []
    assert found["metrics"] == []
    assert "twelve" not in json.dumps(found)


def test_releases_have_names(folder: Path) -> None:
    assert told("previous", "live") == told("1", "2") == told()
    backwards = told("live", "previous")
    assert backwards["documents"]["added"] == 1
    same = diff("live", "2")
    assert same.stdout == "Release 2 → 2: the same documents, made and searched alike.\n"


def test_long_lists_are_cut_and_say_so(folder: Path) -> None:
    assert len(told("--limit", "3")["changes"]) == 3
    assert len(told("--limit", "0")["changes"]) == 12
    shown = diff("--limit", "3").stdout
    assert "and 9 more; --limit 0 shows all." in shown
    assert "docs/leave.md" not in shown
    assert "more;" not in diff("--limit", "0").stdout


def test_one_document_as_a_unified_diff(folder: Path) -> None:
    shown = diff("--document", "docs/leave.md").stdout
    assert "\n-Everybody has ten days of leave.\n" in shown
    # what a document says is no markup
    assert "\n+Everybody has [bold]twelve[/bold] days of leave.\n" in shown
    assert "How long" in shown
    assert "1 went, 1 came, 0 stayed." in shown
    found = told("--document", "docs/leave.md")
    ((removed,), (added,)) = found["removed"], found["added"]
    assert "ten days" in removed["text"]
    assert "twelve" in added["text"]
    same = diff("live", "live", "--document", "docs/leave.md").stdout
    assert same == "docs/leave.md says the same in both releases.\n"


def test_both_are_asked_on_demand(folder: Path) -> None:
    found = told("--ask")
    (question,) = found["questions"]["changes"]
    assert (question["question_id"], question["top_before"]) == ("keys", "docs/keys.md")
    assert (question["damage"], question["evidence_after"]) == (1.0, "deleted")
    ndcg = next(item for item in found["metrics"] if item["metric"] == "ndcg@10")
    assert (ndcg["before"], ndcg["after"], ndcg["verdict"]) == (1.0, 0.0, "few")
    shown = diff("--ask").stdout
    assert "· -1.000" in shown
    assert "right one not found" in shown
    # without --ask nothing is known of them
    assert told()["questions"]["compared"] == 0


def test_what_does_not_exist_is_said(folder: Path) -> None:
    assert "There is no release 7." in refused(NoRelease, "1", "7")
    assert "'yesterday' is no release." in refused(NoRelease, "yesterday", "2")
    assert "Neither release 1 nor release 2" in refused(UnknownDocument, "--document", "docs/x.md")
