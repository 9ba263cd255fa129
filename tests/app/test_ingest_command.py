"""``ragline ingest`` through Dagster: what it reports, what the instance records, what it serves."""

import os
from pathlib import Path

import pytest

from rag_assets.platform.settings import load_settings
from tests.app.commands import ragline

BOILER = "# Boiler\n\n## Service\n\nThe boiler is serviced every October by Halden Heating.\n"
POOL = "# Pool\n\nThe pool opens at seven in the morning and closes at nine.\n"
SECRET = (
    "---\nacl: [board]\n---\n# Merger\n\nThe merger with Oakfield closes on the third of May.\n"
)


@pytest.fixture
def documents(deploy) -> Path:  # type: ignore[no-untyped-def]
    folder: Path = deploy() / "documents"
    (folder / "boiler.md").write_text(BOILER)
    (folder / "pool.md").write_text(POOL)
    (folder / "merger.md").write_text(SECRET)
    (folder / "nothing.txt").write_text("")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    return folder


def test_the_life_of_a_deployment(documents: Path) -> None:
    first = ragline("ingest", "--json")
    assert first.code == 0, first.errors
    summary = first.json
    assert {
        key: summary[key] for key in ("listed", "added", "parsed", "quarantined", "release")
    } == {
        "listed": 5,
        "added": 5,
        "parsed": 5,
        "quarantined": 1,
        "release": 1,
    }
    assert summary["embedded"] == summary["chunks"] > 0
    assert {"total", "parsed_documents", "embeddings"} <= summary["seconds"].keys()

    status = ragline("status", "--json").json
    assert status["documents"] == {
        "indexed": 3,
        "empty": 1,
        "quarantined": 1,
        "pending": 0,
        "total": 5,
    }
    assert status["sources"]["docs"]["errors"] == {"malformed": 1}
    assert status["quarantine"][0]["document_id"] == "docs/broken.pdf"
    assert status["release"]["id"] == 1

    again = ragline("ingest", "--json")
    assert again.code == 0
    assert [again.json[key] for key in ("parsed", "embedded", "added", "runs")] == [0, 0, 0, []]

    answer = ragline("ask", "Who services the boiler?", "--json").json
    citation = answer["citations"][0]
    assert citation["document_id"] == "docs/boiler.md"
    assert BOILER[citation["char_start"] : citation["char_end"]] == citation["quote"]
    assert "Halden Heating" in answer["answer"]
    assert answer["release"]["id"] == 1

    (documents / "pool.md").unlink()
    (documents / "boiler.md").write_text(BOILER.replace("October", "November"))
    plan = ragline("plan", "--json").json
    assert (plan["shards"][0]["changed"], plan["shards"][0]["deleted"]) == (1, 1)
    assert ragline("status", "--json").json["documents"]["pending"] == 1
    third = ragline("ingest", "--json").json
    assert (third["changed"], third["deleted"], third["parsed"], third["release"]) == (1, 1, 1, 2)
    hits = ragline("search", "pool opens in the morning", "--json").json["hits"]
    assert all(hit["document_id"] != "docs/pool.md" for hit in hits)
    old = ragline("search", "pool opens in the morning", "--release", "1", "--json").json["hits"]
    assert old[0]["document_id"] == "docs/pool.md"


def test_the_instance_shows_what_was_done(documents: Path) -> None:
    summary = ragline("ingest", "--json").json
    os.environ["DAGSTER_HOME"] = str(load_settings().dagster_home)
    try:
        from dagster import AssetKey, DagsterInstance

        with DagsterInstance.get() as instance:
            runs = [instance.get_run_by_id(run_id) for run_id in summary["runs"]]
            assert [run.job_name for run in runs if run] == ["ingest", "promote"]
            assert instance.get_dynamic_partitions("source_shards") == ["docs"]
            event = instance.get_latest_materialization_event(AssetKey("chunks"))
            assert event is not None
            assert event.asset_materialization is not None
            metadata = event.asset_materialization.metadata
            assert metadata["dagster/row_count"].value == summary["chunks"]
            assert {"tokens", "seconds", "preview", "dagster/column_schema"} <= metadata.keys()
            checks = [
                record
                for run in runs
                if run
                for record in instance.all_logs(run.run_id)
                if record.dagster_event
                and record.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
            ]
            evaluations = [
                record.dagster_event.asset_check_evaluation_data
                for record in checks
                if record.dagster_event
            ]
            checked = {(item.asset_key.to_user_string(), item.check_name) for item in evaluations}
            assert len(checked) == 16
            assert {("chunks", "contract"), ("release", "conservation")} <= checked
            warned = {item.check_name for item in evaluations if not item.passed}
            # nothing to judge by: gates.answers is off, and nobody has asked anything
            assert warned == {"answer_quality", "replay"}
    finally:
        del os.environ["DAGSTER_HOME"]


def test_groups_decide_what_is_found(documents: Path) -> None:
    ragline("ingest", "--json")
    question = "When does the merger with Oakfield close?"
    for arguments in ([], ["--groups", "staff,public"]):
        answer = ragline("ask", question, "--json", *arguments)
        assert "Oakfield" not in answer.json["answer"]
        assert "merger" not in str(answer.json["citations"])
    allowed = ragline("ask", question, "--json", "--groups", "board").json
    assert "third of May" in allowed["answer"]


def test_a_rejected_candidate_leaves_the_release_and_says_why(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ragline("ingest", "--json").code == 0
    for number in range(9):
        (documents / f"scan-{number}.pdf").write_bytes(b"%PDF-1.4 broken too")
    (documents / "boiler.md").write_text(BOILER.replace("October", "November"))
    rejected = ragline("ingest", "--json")
    assert rejected.code == 1
    assert "quarantine_share" in rejected.json["failed"]["release"]
    assert rejected.json["release"] == 1
    assert "last release keeps serving" in rejected.errors
    assert ragline("search", "boiler", "--json").json["release"]["id"] == 1
    listed = ragline("releases", "list", "--json").json
    assert [item["status"] for item in listed] == ["rejected", "live"]
    monkeypatch.setenv("RAG_GATES__MAX_QUARANTINE_SHARE", "0.9")
    assert ragline("ingest", "--json").json["release"] == 3
