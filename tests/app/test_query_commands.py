"""``ragline search``, ``ask`` and ``lineage`` as a person or a script runs them."""

from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from tests.app.commands import Result, ragline
from tests.conftest import Deploy
from tests.jobs.harness import run_stages

DOCUMENTS = {
    "leave.md": ("public", "# Leave\n\nEverybody has thirty days of paid holiday a year."),
    "bonus.md": ("board", "# Bonus\n\nThe holiday bonus of the board is nine hundred pounds."),
}
QUESTION = "How many days of paid holiday are there?"


@pytest.fixture
def deployment(deploy: Deploy) -> Path:
    folder = deploy('[sources.docs]\npath = "documents"\n')
    for name, (group, text) in DOCUMENTS.items():
        front = f"---\nacl: [{group}]\nattributes:\n  kind: {group}\n---\n"
        (folder / "documents" / name).write_text(front + text)
    run_stages(Platform(load_settings()))
    return folder


def ok(*arguments: str) -> Result:
    result = ragline(*arguments)
    assert result.code == 0, result.errors
    return result


def test_search_gives_passages_or_documents_that_satisfy_the_filter(deployment: Path) -> None:
    hits = ok("search", "holiday", "--groups", "board", "--json").json["hits"]
    assert {hit["document_id"] for hit in hits} == {"docs/leave.md", "docs/bonus.md"}
    assert "Leave" in ok("search", "holiday").output
    narrowed = ok(
        "search",
        "holiday",
        "--groups",
        "board",
        "--filter",
        'kind = "board"',
        "--documents",
        "--json",
    )
    assert [hit["document_id"] for hit in narrowed.json["hits"]] == ["docs/bonus.md"]
    outside = ok("search", "holiday", "--filter", 'kind = "board" or source = "docs"', "--json")
    assert [hit["document_id"] for hit in outside.json["hits"]] == ["docs/leave.md"]


def test_a_bad_filter_is_explained_and_nothing_is_printed(deployment: Path) -> None:
    result = ragline("search", "holiday", "--filter", "kind >> 3")
    assert result.code == 1
    assert "column" in result.errors
    assert not result.output
    as_json = ragline("ask", "holiday", "--answerer", "oracle", "--json")
    assert as_json.code == 1
    assert "extractive" in as_json.output + as_json.errors


def test_an_answer_leads_to_its_lineage(deployment: Path) -> None:
    answer = ok("ask", QUESTION, "--json").json
    assert "thirty days" in answer["answer"]
    [citation, *_] = answer["citations"]
    assert citation["document_id"] == "docs/leave.md"
    lineage = ok("lineage", answer["answer_id"], "--json").json
    text = str(lineage)
    assert citation["content_sha256"] in text
    assert "runs/run" in text  # the run of the harness, as a link
    assert "docs/leave.md" in ok("lineage", answer["answer_id"]).output
    assert ragline("lineage", "no-such-answer").code == 1


def test_weak_evidence_is_said(deployment: Path) -> None:
    off_topic = "Who won the chess tournament in 1972?"
    assert ok("ask", off_topic, "--json").json["weak_evidence"] is True
    assert "weak evidence" in ok("ask", off_topic).output
    assert ok("ask", QUESTION, "--json").json["weak_evidence"] is False
    assert "weak evidence" not in ok("ask", QUESTION).output


def test_a_streamed_answer_ends_with_its_citations(deployment: Path) -> None:
    output = ok("ask", QUESTION, "--stream").output
    assert output.index("thirty days") < output.index("docs/leave.md")
    assert "[1]" in output


def test_another_release_can_be_asked(deployment: Path) -> None:
    (deployment / "documents" / "leave.md").write_text(
        "---\nacl: [public]\n---\n# Leave\n\nEverybody has forty days of paid holiday a year.\n"
    )
    run_stages(Platform(load_settings()))
    assert "forty" in ok("ask", QUESTION, "--json").json["answer"]
    before = ok("ask", QUESTION, "--release", "1", "--json").json
    assert "thirty" in before["answer"]
    assert before["release"]["id"] == 1
    assert ragline("ask", QUESTION, "--release", "9").code == 1


def test_when_the_llm_is_unreachable_the_answer_is_quoted(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_LLM__BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("RAG_LLM__MODEL", "none")
    monkeypatch.setenv("RAG_LLM__RETRIES", "0")
    answer = ok("ask", QUESTION, "--json").json
    assert answer["degraded"] == ["llm_unreachable"]
    assert "thirty days" in answer["answer"]
