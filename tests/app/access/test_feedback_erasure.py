"""A forgotten document leaves what people said about answers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from rag_assets.erasure.base import Subject
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.service_records.erasure import FeedbackEraser
from rag_assets.service_records.tables import feedback
from rag_jobs.forgetting.places import all_erasers
from tests.platform.databases import fresh_database

SENTENCE = "The northern branch owes forty crates before winter"
SUBJECT = Subject("docs/secret.md", phrases=(SENTENCE,))


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    url = fresh_database(request, tmp_path)
    return Platform(Settings(home=str(tmp_path), database_url=url))


def row(name: str, **values: Any) -> dict[str, Any]:
    return {
        "feedback_id": name,
        "answer_id": f"answer-{name}",
        "principal": "user:mia",
        "at": datetime(2026, 3, 4, tzinfo=UTC),
        "rating": -1,
        "comment": "",
        "corrected_citations": [],
        "status": "new",
        "question_id": None,
        **values,
    }


ROWS = [
    row("said", comment=f"No: {SENTENCE}, and more."),
    row(
        "named",
        corrected_citations=[
            {"document_id": "docs/secret.md", "quote": "forty crates"},
            {"document_id": "docs/leave.md", "quote": "thirty days"},
        ],
    ),
    row("quoted", corrected_citations=[{"document_id": "docs/leave.md", "quote": SENTENCE}]),
    row("other", comment="It is thirty days.", rating=1, status="accepted", question_id="q1"),
]


def stored(platform: Platform) -> dict[str, Any]:
    with platform.database.connect() as connection:
        rows = connection.execute(sa.select(feedback)).mappings()
        return {item["feedback_id"]: dict(item) for item in rows}


def test_what_repeats_or_names_the_document_goes_and_the_rest_stays(platform: Platform) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.insert(feedback), ROWS)
    before, eraser = stored(platform), FeedbackEraser()
    assert eraser.find(platform, SUBJECT).traces == 3
    assert eraser.erase(platform, SUBJECT).removed == 3
    assert eraser.find(platform, SUBJECT).traces == 0
    assert eraser.erase(platform, SUBJECT).removed == 0

    after = stored(platform)
    assert after["other"] == before["other"]
    assert after["said"] == {**before["said"], "comment": "No: [forgotten], and more."}
    assert after["named"]["corrected_citations"] == [ROWS[1]["corrected_citations"][1]]
    assert SENTENCE not in str(after)
    if platform.database.dialect.name == "sqlite":
        platform.database.dispose()
        files = [path for path in platform.state_path.iterdir() if path.is_file()]
        assert files
        assert all(SENTENCE.encode() not in path.read_bytes() for path in files)


@pytest.mark.parametrize("change", [{"rating": 2}, {"status": "perhaps"}])
def test_the_database_takes_only_what_feedback_is(
    platform: Platform, change: dict[str, Any]
) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        with platform.database.begin() as connection:
            connection.execute(sa.insert(feedback), [row("x", **change)])


def test_forgetting_knows_these_places() -> None:
    places = [eraser.place for eraser in all_erasers()]
    assert {"feedback", "audit log"} <= set(places)
    assert len(places) == len(set(places))
