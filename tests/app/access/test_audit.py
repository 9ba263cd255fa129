"""The audit log: append-only by the database itself, without texts, complete."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from rag_app.access import audit
from rag_app.access.audit import Audit
from rag_app.access.principal import Principal
from rag_assets.erasure.base import Subject
from rag_assets.platform.database import open_database
from rag_assets.platform.errors import StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AuthSettings, Settings
from rag_assets.query.access import Caller
from rag_assets.service_records.audit import AuditEntry, AuditLog, without_texts
from rag_assets.service_records.erasure import AuditLogEraser
from tests.platform.databases import fresh_database

MIA = Principal("key:mia", Caller(), frozenset({"read"}), "key")
WHO = "mia.lund@example.com"
SENTENCE = "The northern branch owes forty crates before winter"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    return open_database(fresh_database(request, tmp_path), tmp_path)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(Settings(home=str(tmp_path)))


@pytest.fixture
def recorder(platform: Platform) -> Iterator[Audit]:
    made = Audit(platform)
    yield made
    made.close()


def entry(action: str = "ask", principal: str = "key:mia", target: str = "a1") -> AuditEntry:
    return AuditEntry(principal, action, target, "ok", release_id=3, request_id="r-1")


def test_an_entry_is_read_back_as_it_was_written(engine: sa.Engine) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    details = {"limit": 3, "cached": False, "share": 0.5, "groups": ["staff"], "none": None}
    written = AuditEntry("user:mia", "ask", "docs/über uns.md", "ok", moment, 7, "r-1", details)
    AuditLog(engine).append([written])
    (found,) = AuditLog(engine).entries()
    assert found.id == 1
    assert found == AuditEntry(**{**written.__dict__, "id": 1})


@pytest.mark.parametrize(("mode", "kept"), [("off", WHO), ("mask", "[EMAIL_ADDRESS]")])
def test_personal_data_in_details_is_as_the_settings_say(
    tmp_path: Path, mode: str, kept: str
) -> None:
    platform = Platform(Settings(home=str(tmp_path), privacy={"logs": mode}))
    Audit(platform).record("user:mia", "release.promote", "3", "ok", details={"asked_by": [WHO]})
    (found,) = AuditLog(platform.database).entries()
    assert found.details == {"asked_by": [kept]}
    assert found.principal == "user:mia"


CHANGES = (
    "UPDATE audit_log SET outcome = 'denied'",
    "UPDATE audit_log SET outcome = 'denied' WHERE id = 1",
    "DELETE FROM audit_log",
    "DELETE FROM audit_log WHERE id = 1",
)
SQLITE_CHANGES = (
    "REPLACE INTO audit_log SELECT id, at, principal, action, target, release_id, 'denied', "
    "request_id, details FROM audit_log WHERE id = 1",
    "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log WHERE id = 1",
)
POSTGRES_CHANGES = (
    "TRUNCATE audit_log",
    "INSERT INTO audit_log SELECT * FROM audit_log WHERE id = 1 "
    "ON CONFLICT (id) DO UPDATE SET outcome = 'denied'",
)


def test_the_database_refuses_to_change_or_remove_an_entry(engine: sa.Engine) -> None:
    log = AuditLog(engine)
    log.append([entry(), entry("release.promote")])
    before = log.entries()
    own = SQLITE_CHANGES if engine.dialect.name == "sqlite" else POSTGRES_CHANGES
    for statement in (*CHANGES, *own):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            with engine.begin() as connection:
                connection.execute(sa.text(statement))
    assert log.entries() == before
    log.append([entry("forget")])
    assert len(log.entries()) == 3


def test_entries_are_found_by_what_is_known_of_them(engine: sa.Engine) -> None:
    log, now = AuditLog(engine), datetime.now(UTC)
    for days, (action, who, target) in enumerate(
        [
            ("ask", "key:mia", "a1"),
            ("release.promote", "user:tom", "2"),
            ("release.rollback", "key:mia", "1"),
            ("forget", "user:tom", "docs/a.md"),
        ]
    ):
        log.append([AuditEntry(who, action, target, "ok", now - timedelta(days=days))])

    def actions(**wanted: object) -> list[str]:
        return [found.action for found in log.entries(**wanted)]  # type: ignore[arg-type]

    assert actions() == ["forget", "release.rollback", "release.promote", "ask"]
    assert actions(principal="key:mia") == ["release.rollback", "ask"]
    assert actions(action="release.") == ["release.rollback", "release.promote"]
    assert actions(action="ask") == ["ask"]
    assert actions(target="docs/a.md") == ["forget"]
    assert actions(outcome="denied") == []
    assert actions(since=now - timedelta(days=1.5)) == ["release.promote", "ask"]
    assert actions(until=now - timedelta(days=1.5)) == ["forget", "release.rollback"]
    assert actions(limit=1) == ["forget"]
    oldest = log.entries(limit=2)[-1].id
    assert actions(before_id=oldest) == ["release.promote", "ask"]


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "二つの文がここにあります。",
        "a b",
        "x" * 201,
        "line\nbreak",
        '{"a": "b c"}',
        "\x00",
    ],
)
def test_a_text_becomes_its_hash(text: str) -> None:
    found = without_texts({"question": text, "inner": [{"deep": text, text: 1}]})
    assert text not in str(found)
    assert found["question"].startswith("sha256:")
    assert found["inner"][0]["deep"] == found["question"]


@pytest.mark.parametrize(
    "text", ["key:1a2b", "docs/a.md", "2026-01-02T03:04:05+00:00", "staff", ""]
)
def test_a_name_stays(text: str) -> None:
    assert without_texts(text) == text


def test_whatever_is_recorded_can_be_stored(engine: sa.Engine) -> None:
    odd = "\x00 \ud800 ' \" ; DROP TABLE audit_log; --" + "x" * 5000
    AuditLog(engine).append(
        [AuditEntry(odd, "a" * 500, odd, "o" * 500, request_id=odd, details={odd: {odd: {1, 2}}})]
    )
    (found,) = AuditLog(engine).entries()
    assert found.principal == found.target
    assert len(found.target) == 1000


def test_a_change_is_written_before_anything_else_happens(
    platform: Platform, recorder: Audit
) -> None:
    recorder.record(MIA, "release.promote", "3", "ok", release_id=3, request_id="r-9")
    (found,) = AuditLog(platform.database).entries()
    assert (found.principal, found.action, found.request_id) == (
        "key:mia",
        "release.promote",
        "r-9",
    )


def test_a_change_that_cannot_be_recorded_is_refused(platform: Platform, recorder: Audit) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.text("DROP TABLE audit_log"))
    with pytest.raises(StorageError, match="audit log"):
        recorder.record(MIA, "forget", "docs/a.md", "ok")


def test_questions_go_on_without_the_log(
    platform: Platform, recorder: Audit, caplog: pytest.LogCaptureFixture
) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.text("DROP TABLE audit_log"))
    with caplog.at_level(logging.ERROR):
        recorder.record(MIA, "ask", "a1", "ok")
        recorder.flush()
    assert "1 entry of the audit log is lost" in caplog.text


def test_no_question_of_many_threads_is_lost(platform: Platform, recorder: Audit) -> None:
    def ask(number: int) -> None:
        for turn in range(100):
            recorder.record(MIA, "ask", f"{number}-{turn}", "ok")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    found = {item.target for item in AuditLog(platform.database).entries(limit=10_000)}
    assert found == {f"{number}-{turn}" for number in range(8) for turn in range(100)}
    recorder.record(MIA, "ask", "after", "ok")  # late ones are written at once
    assert AuditLog(platform.database).entries(limit=1)[0].target == "after"


def test_questions_are_left_out_by_setting_but_denials_are_not(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), auth=AuthSettings(audit_reads=False))
    platform = Platform(settings)
    recorder = Audit(platform)
    recorder.record(MIA, "ask", "a1", "ok")
    recorder.record(MIA, "ask", "", "denied")
    recorder.record(MIA, "upload", "docs/x.md", "ok")
    recorder.close()
    found = [(item.action, item.outcome) for item in AuditLog(platform.database).entries()]
    assert sorted(found) == [("ask", "denied"), ("upload", "ok")]


def test_a_flood_of_denials_is_counted_not_stored(
    platform: Platform, recorder: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_DENIALS", 5)
    for _ in range(20):
        recorder.record("unknown", "ask", "", "denied")
    monkeypatch.setattr(audit, "MOST_DENIALS", 1000)
    recorder.record("unknown", "ask", "", "denied")
    recorder.flush()
    found = AuditLog(platform.database).entries()
    assert len(found) == 6
    assert found[0].details == {"denials_not_written_before": 15}


def test_an_erasure_finds_nothing_of_a_document_but_its_id(
    platform: Platform, recorder: Audit
) -> None:
    subject = Subject("docs/secret.md", phrases=(SENTENCE,))
    recorder.record(MIA, "ask", "a1", "ok", details={"question": SENTENCE})
    recorder.record(
        MIA, "forget", "docs/secret.md", "ok", details={"reason": f"it says {SENTENCE}"}
    )
    recorder.flush()
    eraser = AuditLogEraser()
    assert eraser.find(platform, subject).traces == 0
    assert eraser.erase(platform, subject).removed == 0
    # the search is able to find something
    AuditLog(platform.database).append([AuditEntry(SENTENCE, "ask", "", "ok")])
    assert eraser.find(platform, subject).traces == 1
