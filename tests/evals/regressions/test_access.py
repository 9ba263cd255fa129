"""A document that reaches people it is not meant for: in the index, or by the settings."""

import json
from pathlib import Path

import lance
import pytest

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import EvaluationSettings, GateSettings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name

from .deployments import SOURCE, Deployment, gate, new_deployment, offer
from .plants import edit
from .verdicts import assert_nothing_harmed

PROCEDURE = "handbook/people/disciplinary-procedure.md"
OFFICE = "# Mail room\n\nParcels are handed out at the mail room from ten to twelve every day.\n"
BOARD = {
    "merger.md": "# Project Alder\n\nThe merger with Oakfield Instruments closes on 3 May 2026.\n",
    "bonus.md": "# Board bonus\n\nThe board receives a bonus of 12 percent when Alder closes.\n",
}
FORBIDDEN = {
    "question_id": "board-merger",
    "question": "When does the merger with Oakfield Instruments close?",
    "relevant": [],
    "answerable": False,
    "forbidden": ["board/merger.md"],
}


def open_to_all(platform: Platform) -> None:
    """Make the rows of one document public, in the index only."""
    name = index_table_name(index_fingerprints(platform))
    dataset = lance.dataset(f"{platform.lancedb_uri}/{name}.lance")
    updated = dataset.update({"readers": "['public']"}, where=f"document_id = '{PROCEDURE}'")
    assert updated["num_rows_updated"] > 0


def test_a_wrong_acl_in_the_index(handbook: Deployment) -> None:
    live, before = handbook.live, handbook.answers()
    edit(handbook.documents)

    promotion = offer(handbook, open_to_all)

    assert promotion.release.status == "rejected"
    leak = gate(promotion, "acl_leak")
    assert leak.blocks
    assert f"acl_leak: {leak.explanation}" in promotion.release.reason
    assert f"{PROCEDURE} can be read by 'public'" in leak.explanation
    assert leak.metadata["canary_leaks"] > 0
    assert_nothing_harmed(handbook, live, before)
    nobody = Caller(authenticated=True)
    hits = QueryEngine(handbook.platform).search("How long does a warning stay on file?", nobody)
    assert PROCEDURE not in {hit.document_id for hit in hits}


@pytest.fixture(scope="module")
def released_board(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Deployment:
    """A public source and one whose folder is the board's, released; one question is forbidden."""
    deployment = new_deployment(tmp_path_factory.mktemp("board") / "released", model_cache)
    (deployment.documents / "mail-room.md").write_text(OFFICE, encoding="utf-8")
    (deployment.folder / "board").mkdir()
    for name, text in BOARD.items():
        (deployment.folder / "board" / name).write_text(text, encoding="utf-8")
    deployment.questions.write_text(json.dumps(FORBIDDEN) + "\n", encoding="utf-8")
    promotion = offer(board_readable_by("leadership", deployment))
    assert promotion.promoted, promotion.release.reason
    return deployment


@pytest.fixture
def board(released_board: Deployment, tmp_path: Path) -> Deployment:
    """A copy, to be changed."""
    return board_readable_by("leadership", released_board.copy(tmp_path / "board"))


def board_readable_by(group: str, deployment: Deployment) -> Deployment:
    sources = {
        SOURCE: SourceSettings(path=str(deployment.documents), acl=["public"]),
        "board": SourceSettings(path=str(deployment.folder / "board"), acl=[group]),
    }
    return deployment.changed(sources=sources)


def test_a_folder_that_became_public_by_mistake(board: Deployment) -> None:
    live, before = board.live, board.answers()

    promotion = offer(board_readable_by("public", board))

    assert promotion.release.status == "rejected"
    leak = gate(promotion, "acl_leak")
    assert leak.blocks
    assert f"acl_leak: {leak.explanation}" in promotion.release.reason
    assert "board/merger.md was found by somebody in no group" in leak.explanation
    assert "question board-merger" in leak.explanation
    assert "| board/bonus.md | can now be read by everyone |" in leak.report
    assert "12 percent" not in leak.report + leak.explanation
    assert_nothing_harmed(board, live, before)


@pytest.mark.parametrize(
    ("wider_access", "status", "verdict"),
    [("block", "rejected", "failed"), ("warn", "live", "warned"), ("allow", "live", "passed")],
)
def test_wider_access_that_no_question_forbids(
    board: Deployment, wider_access: str, status: str, verdict: str
) -> None:
    board.questions.unlink()
    gates = GateSettings(wider_access=wider_access)  # type: ignore[arg-type]
    changed = board.changed(gates=gates, evaluation=EvaluationSettings(known_items=0))

    promotion = offer(board_readable_by("public", changed))

    assert promotion.release.status == status
    leak = gate(promotion, "acl_leak")
    assert leak.verdict == verdict
    assert leak.metadata["documents_read_by_more"] == len(BOARD)
