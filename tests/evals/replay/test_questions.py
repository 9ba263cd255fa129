"""Which real questions are asked again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.replay.questions import RealQuestions, real_questions
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import QuerySettings, Settings
from rag_assets.query.log import AnswerLog, AnswerRecord

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(Settings(home=str(tmp_path)))


def log(platform: Platform, number: int, question: str, **values: Any) -> None:
    values = {"asked_at": NOW - timedelta(hours=number), "release_id": 1, **values}
    record = AnswerRecord(answer_id=f"a{number}", question=question, **values)
    AnswerLog(platform.database, platform.settings.query.log).record(record)


def asked(platform: Platform, days: int = 7, limit: int = 100) -> RealQuestions:
    return real_questions(platform, days=days, limit=limit, now=NOW)


def test_distinct_by_question_rights_and_filter_newest_first(platform: Platform) -> None:
    log(platform, 5, "When is lunch?")
    log(platform, 4, " When is lunch? ")
    log(platform, 3, "When is lunch?", groups=("kitchen",))
    log(platform, 2, "When is lunch?", filter='source = "docs"')
    log(platform, 1, "When is dinner?", authenticated=True, admin=True)
    found = asked(platform)
    assert found.distinct == 4
    assert [
        (item.question, sorted(item.caller.groups), item.filter, item.caller.admin, item.times)
        for item in found.questions
    ] == [
        ("When is dinner?", [], "", True, 1),
        ("When is lunch?", [], 'source = "docs"', False, 1),
        ("When is lunch?", ["kitchen"], "", False, 1),
        ("When is lunch?", [], "", False, 2),
    ]
    assert [item.caller.authenticated for item in found.questions] == [True, False, False, False]
    assert found.questions[-1].asked_at == NOW - timedelta(hours=4)


def test_only_the_last_days(platform: Platform) -> None:
    log(platform, 1, "new")
    log(platform, 49, "old")
    assert [item.question for item in asked(platform, days=2).questions] == ["new"]
    assert len(asked(platform, days=3).questions) == 2


def test_without_questions_or_texts_it_says_why(tmp_path: Path, platform: Platform) -> None:
    assert "7 days" in asked(platform).why
    assert "last day" in asked(platform, days=1).why
    for mode in ("hashed", "off"):
        query = QuerySettings(log=mode)
        other = Platform(Settings(home=str(tmp_path), query=query))
        log(other, 1 if mode == "hashed" else 2, "secret")
        found = asked(other)
        assert found.questions == ()
        assert f"query.log is '{mode}'" in found.why
    # one row without its text is in the log now
    assert asked(platform).questions == ()


@settings(max_examples=5)
@given(st.integers(1, 30))
def test_a_sample_stays_when_more_is_asked(tmp_path_factory: Any, limit: int) -> None:
    platform = Platform(Settings(home=str(tmp_path_factory.mktemp("sample"))))
    for number in range(1, 31):
        log(platform, number, f"question {number}")
    first = asked(platform, limit=limit)
    assert first == asked(platform, limit=limit)
    assert len(first.questions) == limit
    assert first.distinct == 30
    times = [item.asked_at for item in first.questions]
    assert times == sorted(times, reverse=True)
    log(platform, 31, "one more")
    again = {item.question for item in asked(platform, limit=limit).questions}
    assert len(again & {item.question for item in first.questions}) >= limit - 1
