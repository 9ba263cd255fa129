"""Asking the past: what a moment means, which release was live then, and whose rights count."""

import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rag_app.cli import main
from rag_assets.platform.errors import InvalidQuestion, NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.operations import roll_back
from rag_assets.releases.registry import Registry
from rag_assets.releases.schema import release_events
from rag_assets.releases.time_travel import parse_moment, release_as_of
from tests.app.commands import Result
from tests.conftest import Deploy
from tests.jobs.harness import build_index, run_stages

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)
LAST = timedelta(microseconds=1)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20", utc(2026, 11, 21) - LAST),
        ("2026-11-20Z", utc(2026, 11, 21) - LAST),
        ("2026-11-20+02:00", utc(2026, 11, 20, 22) - LAST),
        ("2026-11-20-0500", utc(2026, 11, 21, 5) - LAST),
        ("2026-11-20T14:30", utc(2026, 11, 20, 14, 30)),
        ("2026-11-20 14:30:15", utc(2026, 11, 20, 14, 30, 15)),
        ("2026-11-20t14:30z", utc(2026, 11, 20, 14, 30)),
        ("2026-11-20T14:30+02:00", utc(2026, 11, 20, 12, 30)),
        ("2024-02-29", utc(2024, 3, 1) - LAST),
        ("2026-11-21", NOW),  # today is not over
        ("2026-11-22+14:00", NOW),  # nor is tomorrow where it has begun
        ("today", NOW),
        ("now", NOW),
        (" Yesterday ", utc(2026, 11, 21) - LAST),
        ("1 day ago", utc(2026, 11, 21) - LAST),
        ("3  days ago", utc(2026, 11, 19) - LAST),
        ("2 weeks ago", utc(2026, 11, 8) - LAST),
        ("0 days ago", NOW),
        ("2 hours ago", utc(2026, 11, 21, 13, 30)),
        ("90 minutes ago", utc(2026, 11, 21, 14, 0)),
    ],
)
def test_a_moment_is_what_a_person_means(text: str, meant: datetime) -> None:
    assert parse_moment(text, NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "release 3",
        "2026",
        "20261120",
        "12:30",
        "2026-02-30",
        "2026-13-01",
        "9999-12-31",
        "2026-11-20T25:00",
        "2026-11-20+99:00",
        "3 days",
        "-3 days ago",
        "999999 weeks ago",
    ],
)
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidQuestion) as refused:
        parse_moment(text, NOW)
    assert refused.value.hint


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-21T15:31", "2026-11-21T15:00-05:00"])
def test_the_future_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuestion, match="future"):
        parse_moment(text, NOW)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 20), timezones=st.just(UTC)),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_day_ends_after_every_moment_of_it_and_before_the_next(
    moment: datetime, minutes: int
) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    day = f"{moment:%Y-%m-%d}{sign}{hours:02d}:{rest:02d}"
    assert parse_moment(f"{moment.isoformat()}", NOW) == moment
    there = datetime(moment.year, moment.month, moment.day, tzinfo=UTC) - timedelta(minutes=minutes)
    assert parse_moment(day, NOW) == there + DAY - LAST


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """Release 1 went live on day 1, 2 on day 3, 1 again on day 5; day 1 is 2026-03-01, at noon."""
    folder = tmp_path_factory.mktemp("past")
    (folder / "ragline.toml").write_text('[sources.docs]\npath = "documents"\n')
    (folder / "documents").mkdir()
    (folder / ".ragline").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache, target_is_directory=True)
    text = "---\nacl: [public]\n---\n# Leave\n\nEverybody has {} days of paid holiday a year."
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        platform = Platform.load()
        for days in ("twenty", "thirty"):
            (folder / "documents" / "leave.md").write_text(text.format(days))
            run_stages(platform)
        roll_back(platform)
    with platform.database.begin() as connection:
        rows = connection.execute(
            sa.select(release_events.c.id)
            .where(release_events.c.event.in_(("promoted", "rolled_back")))
            .order_by(release_events.c.id)
        )
        for day, event in zip((1, 3, 5), list(rows.scalars()), strict=True):
            connection.execute(
                sa.update(release_events)
                .where(release_events.c.id == event)
                .values(at=utc(2026, 3, day, 12))
            )
    return folder


@pytest.fixture
def platform(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """That deployment, for a test alone; it is entered."""
    folder = tmp_path / "copy"
    shutil.copytree(template, folder, symlinks=True)
    monkeypatch.chdir(folder)
    for name in ("RAG_CONFIG", "RAG_HOME", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Platform.load()


def test_the_release_of_a_moment_is_the_one_that_was_live_then(platform: Platform) -> None:
    def at(text: str) -> int:
        return release_as_of(platform, parse_moment(text, datetime.now(UTC))).id

    assert [at(f"2026-03-0{day}") for day in range(1, 8)] == [1, 1, 2, 2, 1, 1, 1]
    assert at("2026-03-03T11:59:59") == 1
    assert at("2026-03-03T12:00") == 2
    assert at("2026-03-03T13:00+01:00") == 2
    assert at("2026-03-03T12:59+01:00") == 1
    assert at("now") == 1


def test_before_the_first_release_and_after_a_removal_it_says_what_there_is(
    platform: Platform,
) -> None:
    with pytest.raises(NoRelease, match=r"Nothing was live.*release, 1, .* 2026-03-01 12:00 UTC"):
        release_as_of(platform, utc(2026, 3, 1, 11, 59))
    Registry(platform.database).mark_removed(2, "test")
    with pytest.raises(NoRelease, match=r"Release 2.* removed.* 30 days .*asked: 1;"):
        release_as_of(platform, utc(2026, 3, 4))


def test_where_nothing_was_ever_released_it_says_how_to_begin(deploy: Deploy) -> None:
    deploy()
    with pytest.raises(NoRelease, match="ingest"):
        release_as_of(Platform.load(), NOW)


def test_the_past_is_read_with_the_rights_of_today(platform: Platform) -> None:
    path = Path(platform.settings.sources["docs"].path) / "leave.md"
    released = release_as_of(platform, utc(2026, 3, 4))
    everybody, board = Caller(authenticated=True), Caller.of(["board"], authenticated=True)
    assert QueryEngine(platform, released.id).search("paid holiday", everybody)
    path.write_text(path.read_text().replace("[public]", "[board]"))
    build_index(platform)  # after a rollback nothing is promoted by itself
    engine = QueryEngine(platform, released.id)
    assert engine.search("paid holiday", everybody) == []
    [hit] = engine.search("paid holiday", board)
    assert "thirty" in hit.text


Command = Callable[..., Result]


@pytest.fixture
def ragline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process, which has loaded everything already."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["ragline", *arguments])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        output = capsys.readouterr()
        return Result(int(str(code)), output.out, output.err)

    return run


def test_the_commands_ask_the_past_and_name_it(platform: Platform, ragline: Command) -> None:
    question = "How many days of paid holiday are there?"
    assert "twenty" in ragline("ask", question).output
    past = ragline("ask", question, "--as-of", "2026-03-04").output
    assert "thirty" in past
    assert "release 2 of 20" in past
    named = ragline("ask", question, "--release", "2", "--json").json
    assert named["release"]["id"] == 2
    assert "thirty" in named["answer"]
    found = ragline("search", "paid holiday", "--as-of", "2026-03-04T08:00+01:00", "--json").json
    assert found["release"]["id"] == 2
    assert "thirty" in found["hits"][0]["text"]
    listed = ragline("search", "paid holiday", "--documents", "--as-of", "yesterday")
    assert "1 document from release 1 of 20" in listed.output


def test_the_commands_refuse_what_makes_no_sense(platform: Platform, ragline: Command) -> None:
    both = ragline("ask", "holiday", "--release", "1", "--as-of", "yesterday")
    assert (both.code, "Give one" in both.errors) == (1, True)
    early = ragline("search", "holiday", "--as-of", "2020-01-01")
    assert (early.code, "went live on 2026-03-01" in early.errors) == (1, True)
    unknown = ragline("search", "holiday", "--release", "9", "--json")
    assert unknown.json["error"]["type"] == "NoRelease"
    assert "asked: 2, 1;" in unknown.json["error"]["hint"]


def test_the_past_is_evaluated(platform: Platform, ragline: Command) -> None:
    path = Path(platform.settings.sources["docs"].path).parent / "golden_questions.jsonl"
    row = {
        "question_id": "q1",
        "question": "How many days of paid holiday are there?",
        "relevant": [{"document_id": "docs/leave.md"}],
        "answerable": True,
    }
    path.write_text(json.dumps(row) + "\n")
    past = ragline("evaluate", "--as-of", "2026-03-04", "--json")
    assert past.code == 0, past.errors
    assert past.json["release"]["id"] == 2
    assert ragline("evaluate", "--json").json["release"]["id"] == 1
