"""A document is erased from Dagster's tables on a real PostgreSQL, and its runs load as before."""

import importlib
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from dagster import AssetKey, DagsterRunStatus

from rag_assets.erasure.base import Subject
from rag_assets.erasure.redaction import FORGOTTEN, Redaction
from rag_jobs.forgetting.event_log import EventLogEraser
from rag_jobs.ingest import ingest
from rag_jobs.instance import open_instance
from tests.conftest import Deploy
from tests.jobs.test_event_log import SENTENCES, SETTINGS, deployed
from tests.postgres import create_database


def values(engine: sa.Engine) -> list[str]:
    """Every text of every row of every table."""
    found: list[str] = []
    with engine.connect() as connection:
        for name in sa.inspect(engine).get_table_names():
            for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')):
                found += [str(value) for value in row if value is not None]
    return found


def plant(engine: sa.Engine) -> int:
    """Put phrases where versions before this one, or an error message, had put them."""
    told = json.dumps({"seen": SENTENCES[0], "again": json.dumps([SENTENCES[3]])})
    count = 0
    with engine.begin() as connection:
        for table, column, key in (
            ("event_logs", "event", "id"),
            ("asset_keys", "last_materialization", "id"),
        ):
            rows = connection.execute(sa.text(f"SELECT {key}, {column} FROM {table}")).all()
            for identity, body in rows:
                marker = '"metadata_entries": ['
                if "AssetMaterialization" not in (body or "") or marker not in body:
                    continue
                entry = json.dumps(
                    {
                        "__class__": "EventMetadataEntry",
                        "description": None,
                        "entry_data": {"__class__": "TextMetadataEntryData", "text": told},
                        "label": "planted",
                    }
                )
                new = body.replace(marker, f"{marker}{entry}, ", 1)
                connection.execute(
                    sa.text(f"UPDATE {table} SET {column} = :new WHERE {key} = :key"),
                    {"new": new, "key": identity},
                )
                count += 1
        count += connection.execute(
            sa.text(
                "INSERT INTO run_tags (run_id, key, value) SELECT run_id, 'note', :text FROM runs"
            ),
            {"text": f"failed on: {SENTENCES[2]}"},
        ).rowcount
    return count


def test_a_document_is_erased_from_postgres(
    deploy: Deploy, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deploy(SETTINGS)
    # what Dagster would load here, on SQLite: an ingest goes by the platform that it is given
    importlib.import_module("rag_jobs.definitions")
    url = create_database(postgres_url)
    monkeypatch.setenv("RAG_ORCHESTRATION__DATABASE_URL", url)
    monkeypatch.setenv("RAG_DATABASE_URL", create_database(postgres_url))
    platform = deployed(folder)
    summary = ingest(platform)
    assert summary.ok, summary.failed
    assert not list(Path(platform.settings.dagster_home).rglob("*.db"))
    engine = sa.create_engine(url)
    redaction = Redaction(SENTENCES)
    assert redaction.count(values(engine)) == 0  # nothing is shown to Dagster in the first place
    subject = Subject("docs/observatory.md", texts=(" ".join(SENTENCES),), phrases=SENTENCES)
    eraser = EventLogEraser()
    assert eraser.find(platform, subject).traces == 0
    planted = plant(engine)
    assert planted > 4
    with open_instance(platform.settings) as instance:
        before = {run: len(instance.all_logs(run)) for run in summary.runs}
    found = eraser.find(platform, subject)
    assert found.traces == planted

    done = eraser.erase(platform, subject)

    assert done.removed == planted
    assert done.kept  # backups and the write-ahead log are an operator's
    assert eraser.find(platform, subject).traces == 0
    assert redaction.count(values(engine)) == 0
    assert any(FORGOTTEN in text for text in values(engine))
    with open_instance(platform.settings) as instance:
        assert {run: len(instance.all_logs(run)) for run in summary.runs} == before
        assert {run.status for run in instance.get_runs()} == {DagsterRunStatus.SUCCESS}
        event = instance.get_latest_materialization_event(AssetKey("chunks"))
        assert event is not None
        assert event.asset_materialization is not None
        assert FORGOTTEN in str(event.asset_materialization.metadata["planted"].value)
    with engine.connect() as connection:
        notes = connection.execute(sa.text("SELECT value FROM run_tags WHERE key = 'note'")).all()
    assert [text for (text,) in notes] == [f"failed on: {FORGOTTEN}"] * len(summary.runs)
    engine.dispose()
