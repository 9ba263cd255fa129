"""Dagster is shown no text of documents; what older versions showed it is erased, and runs stay readable."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dagster import AssetKey, DagsterInstance, DagsterRunStatus

from evals.golden_questions.collect import read_golden_questions
from evals.golden_questions.known_items import ask_for
from rag_assets.erasure.base import Subject
from rag_assets.erasure.redaction import FORGOTTEN, Redaction
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_jobs.forgetting.event_log import EventLogEraser
from rag_jobs.ingest import Summary, ingest
from tests.conftest import Deploy

SENTENCES = (
    "The brass telescope of the observatory was bought from a widow in Ghent for forty guilders.",
    "Its mirror is polished every third winter by two pupils who may not wear woollen gloves.",
    "Whoever opens the dome in a storm pays for the drying of the carpets out of his own pocket.",
    "The night watchman notes every meteor in the green ledger, and the „Löwe“ keeps the key to it.",
)
LATER = "Since the flood of last autumn the ledger has been kept on the upper floor of the tower."
NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir")
SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
[evaluation.sets.house]
path = "house.jsonl"
[parsing]
workers = 1
"""


def station(number: int, name: str) -> str:
    """A document of which known items can be made."""
    return (
        f"# Station {name}\n\n"
        f"The weather station {name} was built in {1950 + number} by the harbour office of the town. "
        f"Its wind sensor stands {10 + number} metres above the roof of the old {name} warehouse. "
        f"The keeper of {name} reads the rain gauge every morning at {6 + number} past seven.\n"
    )


def deployed(folder: Path) -> Platform:
    """Documents and a golden set that quotes one of them."""
    for number, name in enumerate(NAMES):
        (folder / "documents" / f"{name}.md").write_text(station(number, name), encoding="utf-8")
    text = "# The observatory\n\n" + " ".join(SENTENCES) + "\n"
    (folder / "documents" / "observatory.md").write_text(text, encoding="utf-8")
    rows = [
        {
            "question_id": "telescope",
            "question": "Who sold us the telescope?",
            "relevant": [{"document_id": "docs/observatory.md", "quote": SENTENCES[0]}],
            "answer": SENTENCES[0],
            "answerable": True,
        },
        {
            "question_id": "wind",
            "question": "How high is the wind sensor of Birch?",
            "relevant": [{"document_id": "docs/Birch.md"}],
            "answerable": True,
        },
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "house.jsonl").write_text(lines, encoding="utf-8")
    return Platform(load_settings())


def ingested(platform: Platform) -> Summary:
    summary = ingest(platform)
    assert not summary.unavailable
    return summary


def said(path: Path) -> list[Any]:
    """Everything that a file says: the values of a database, or the text."""
    if path.suffix != ".db":
        return [path.read_bytes().decode("utf-8", "replace")]
    found: list[Any] = []
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        for name in sa.inspect(engine).get_table_names():
            for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')):
                found += [value for value in row if isinstance(value, str)]
    engine.dispose()
    return found


def sentences(platform: Platform) -> list[str]:
    """Every sentence of every document, and the questions that known items make of them."""
    texts = platform.tables.read("parsed_documents", "docs", PARSED_DOCUMENTS)["text"].drop_nulls()
    own = [part for text in texts for part in text.replace("\n", " ").split(". ") if " " in part]
    return [*SENTENCES, *own, *map(ask_for, own)]


@pytest.fixture
def platform(deploy: Deploy) -> Platform:
    return deployed(deploy(SETTINGS))


def test_no_sentence_of_a_document_gets_into_dagster_or_the_registry(
    platform: Platform,
) -> None:
    first = ingested(platform)
    assert first.ok, first.failed
    # a sentence that was asked for and quoted is gone, and half of the documents are: gates report
    documents = Path("documents")
    text = (documents / "observatory.md").read_text(encoding="utf-8")
    forbidden = sentences(platform)
    (documents / "observatory.md").write_text(text.replace(SENTENCES[0], LATER), encoding="utf-8")
    for name in NAMES[::2]:
        (documents / f"{name}.md").unlink()
    second = ingested(platform)
    assert second.runs  # its reports of known items that are gone are among what is searched
    asked = read_golden_questions(platform)
    assert asked.filter(origin="known_item").height > 3
    assert asked.filter(question_id="telescope")["evidence"].to_list() == ["changed"]

    redaction = Redaction([*forbidden, LATER])
    home = platform.settings.dagster_home
    searched = [path for path in sorted(home.rglob("*")) if path.is_file()]
    assert len([path for path in searched if path.suffix == ".db"]) > 4
    values = [value for path in searched for value in said(path) if path.suffix != ".db-wal"]
    assert any("known item of docs/" in value for value in values)  # reports are there
    assert any("How high is the wind sensor" in value for value in values)
    for value, holds in zip(values, redaction.holding(values), strict=True):
        assert not holds, value[:3000]
    with platform.database.connect() as connection:
        for table in ("releases", "release_events"):
            rows = connection.execute(sa.text(f"SELECT * FROM {table}")).all()
            assert rows
            assert redaction.count([str(value) for row in rows for value in row]) == 0


def test_planted_text_is_erased_and_the_runs_load_as_before(platform: Platform) -> None:
    summary = ingested(platform)
    home = platform.settings.dagster_home
    subject = Subject("docs/observatory.md", texts=(" ".join(SENTENCES),), phrases=SENTENCES)
    eraser = EventLogEraser()
    assert eraser.find(platform, subject).traces == 0
    rows = plant(home)
    log = home / "storage" / summary.runs[0] / "compute_logs" / "step.err"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"start\nTraceback: {json.dumps(SENTENCES[3])}\nend\n", encoding="utf-8")
    before = events(summary)
    found = eraser.find(platform, subject)
    assert found.traces == rows + 1

    done = eraser.erase(platform, subject)

    assert done.removed == rows + 1
    assert eraser.find(platform, subject).traces == 0
    assert log.read_text(encoding="utf-8") == f'start\nTraceback: "{FORGOTTEN}"\nend\n'
    assert events(summary) == before
    instance = DagsterInstance.get()
    statuses = {run.status for run in instance.get_runs()}
    assert statuses == {DagsterRunStatus.SUCCESS}
    event = instance.get_latest_materialization_event(AssetKey("chunks"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert FORGOTTEN in str(metadata["planted"].value)
    assert metadata["chunks"].value == 7  # what was not planted is what it was
    for path in sorted(home.rglob("*")):
        if path.is_file():
            for phrase in SENTENCES[:3]:  # the fourth has letters that are escaped
                assert phrase.encode() not in path.read_bytes(), path
            assert b"green ledger" not in path.read_bytes(), path


def plant(home: Path) -> int:
    """Show Dagster what older versions showed it; how many rows hold it now."""
    planted = {
        "raw": {"label": SENTENCES[0]},
        "nested": json.dumps({"quote": SENTENCES[3], "again": json.dumps([SENTENCES[1]])}),
        "cut": f"seen: {SENTENCES[2][:60]}…",
    }
    text = json.dumps({"__class__": "TextMetadataEntryData", "text": json.dumps(planted)})
    entry = json.dumps(
        {
            "__class__": "EventMetadataEntry",
            "description": None,
            "entry_data": json.loads(text),
            "label": "planted",
        }
    )
    count = 0
    for path in sorted(home.rglob("*.db")):
        engine = sa.create_engine(f"sqlite:///{path}")
        tables = sa.inspect(engine).get_table_names()
        with engine.begin() as connection:
            if "event_logs" in tables:
                count += _put(connection, "event_logs", "event", entry)
            if "asset_keys" in tables:
                count += _put(connection, "asset_keys", "last_materialization", entry)
        engine.dispose()
    return count


def _put(connection: sa.Connection, table: str, column: str, entry: str) -> int:
    """Add an entry to the metadata of every materialization of chunks."""
    count = 0
    query = sa.text(f"SELECT id, {column} FROM {table}")
    for key, body in connection.execute(query).all():
        if "AssetMaterialization" not in (body or "") or '"splitter"' not in body:
            continue
        marker = '"metadata_entries": ['
        assert marker in body
        new = body.replace(marker, marker + entry + ", ", 1)
        update = sa.text(f"UPDATE {table} SET {column} = :new WHERE id = :key")
        connection.execute(update, {"new": new, "key": key})
        count += 1
    return count


def events(summary: Summary) -> list[tuple[str, str]]:
    """Every event of the runs, as the instance loads it: its type and step."""
    instance = DagsterInstance.get()
    return [
        (entry.dagster_event_type.value if entry.dagster_event_type else "", entry.step_key or "")
        for run in summary.runs
        for entry in instance.all_logs(run)
    ]


def test_nothing_is_made_where_dagster_has_no_home(deploy: Deploy) -> None:
    deploy(SETTINGS)
    os.environ.pop("DAGSTER_HOME", None)
    platform = Platform(load_settings())
    subject = Subject("docs/x.md", phrases=SENTENCES)
    assert EventLogEraser().find(platform, subject).traces == 0
    assert EventLogEraser().erase(platform, subject).removed == 0
    assert not platform.settings.dagster_home.exists()
