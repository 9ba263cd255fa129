"""``forget`` end to end: every release, table, blob and file, and what stays as it was."""

import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import lance
import polars as pl
import pytest

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.erasure import QueryLogEraser
from rag_assets.releases.candidate import expected_partitions
from rag_assets.releases.registry import Registry
from rag_jobs.forgetting import forget as forgetting
from rag_jobs.forgetting.forget import UnknownDocument, forget
from rag_jobs.forgetting.places import all_erasers
from rag_jobs.pending import find_pending
from rag_jobs.status import status_of
from tests.jobs.harness import run_stages, served

SECRET = "docs/secret.md"
SECTION = (
    "## {name}\n\nThe {word} agreement obliges the northern branch to deliver forty {name} crates. "
    "Nobody but the {word} committee may change the {name} schedule before the end of winter.\n\n"
)
NAMES = ("apples", "barley", "candles", "dates")
SHARED = "The canteen is open from eleven to two on every working day of the year."
PHRASES = (
    "agreement obliges the northern branch",
    "committee may change the",
    "Zephyr ledger",
    "quoted from the first draft",
)
OTHERS = ("leave.md", "travel.md", "copy.md")


def secret(word: str, names: tuple[str, ...] = NAMES) -> str:
    sections = "".join(SECTION.format(word=word, name=name) for name in names)
    return f"# Zephyr ledger number nine\n\n{SHARED}\n\n{sections}"


class Place:
    """A deployment whose document was released in four versions, some of them never read again."""

    def __init__(self, home: Path, documents: Path, shards: int = 1) -> None:
        self.documents = documents
        source = SourceSettings(path=str(self.documents), shards=shards)
        self.platform = Platform(
            Settings(
                home=str(home), sources={"docs": source}, chunking=ChunkingSettings(max_tokens=60)
            )
        )

    def write(self, name: str, text: str) -> None:
        (self.documents / name).write_text(text, encoding="utf-8")

    def edit_and_release(self) -> None:
        self.write("leave.md", f"# Leave\n\nEverybody has thirty days of leave a year. {SHARED}\n")
        self.write("travel.md", "# Travel\n\nTrains are booked by the travel desk in the lobby.\n")
        self.write("copy.md", secret("Boreas", ("zinc", "yeast")))
        self.write("secret.md", secret("Zephyr"))
        run_stages(self.platform, "one")
        self.write(
            "secret.md", secret("Zephyr", NAMES[1:]) + "Words quoted from the first draft.\n"
        )
        run_stages(self.platform, "two")
        self.write("travel.md", "# Travel\n\nTrains are booked by everybody for themselves now.\n")
        run_stages(self.platform, "three")
        self.write("secret.md", secret("Zephyr", NAMES[2:]))
        run_stages(self.platform, "four")


def built(folder: Path, models: Path, shards: int = 1) -> Place:
    """The deployment, ingested and released four times."""
    home, documents = folder / "home", folder / "documents"
    home.mkdir(parents=True)
    documents.mkdir()
    models.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(models, target_is_directory=True)
    made = Place(home, documents, shards)
    made.edit_and_release()
    return made


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Place:
    made = built(tmp_path_factory.mktemp("original"), model_cache)
    made.platform.database.dispose()
    return made


@pytest.fixture(autouse=True)
def _nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reader holds an old version open here; the waiting for readers is tested with the index."""
    monkeypatch.setattr("rag_assets.releases.erasure.grace_seconds", lambda platform: 0.0)


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Iterator[Place]:
    """A copy of the state; the documents are everybody's: a test adds some, or leaves them alone."""
    names = {path.name for path in original.documents.iterdir()}
    home = tmp_path / "home"
    shutil.copytree(original.platform.state_path, home, symlinks=True)
    yield Place(home, original.documents)
    for path in original.documents.iterdir():
        if path.name not in names:
            path.unlink()


@pytest.fixture
def own_place(tmp_path: Path, model_cache: Path) -> Place:
    """For a test that edits documents."""
    return built(tmp_path, model_cache)


def decoded(platform: Platform) -> Iterator[tuple[str, str]]:
    """Everything under the data directory as text: files, tables, every version of the index."""
    home = platform.state_path
    for path in sorted(home.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield str(path), content.decode("latin-1")
            if path.suffix == ".parquet":
                yield str(path), str(pl.read_parquet(io.BytesIO(content)).to_dicts())
    for folder in (home / "lancedb").glob("*.lance"):
        for item in lance.dataset(str(folder)).versions():
            version = lance.dataset(str(folder), version=item["version"])
            yield f"{folder.name} {item['version']}", str(version.to_table().to_pylist())
    with closing(sqlite3.connect(home / "platform.db")) as connection:
        yield "platform.db", "\n".join(connection.iterdump())


def places_with(platform: Platform, *words: str) -> list[str]:
    return [name for name, text in decoded(platform) if any(word in text for word in words)]


def own_words() -> list[str]:
    """Words that only the forgotten document has: the copy says the rest."""
    return ["Zephyr agreement obliges", "the Zephyr committee may", "quoted from the first draft"]


def consistent(platform: Platform) -> None:
    """What every command that comes after depends on."""
    live = Registry(platform.database).live()
    assert live is not None
    pending = find_pending(platform)
    assert pending.nothing, (pending.work, pending.release_reason)
    assert live.partitions == expected_partitions(platform)
    rows = served(platform)
    assert (rows.height, rows["document_id"].n_unique()) == (live.chunks, live.documents)
    counts = status_of(platform)["documents"]
    assert counts["indexed"] == counts["total"] == live.documents


def test_nothing_is_left_anywhere_and_the_rest_stays_as_it_was(place: Place) -> None:
    platform = place.platform
    live, before = Registry(platform.database).live(), served(platform)
    assert live is not None
    assert places_with(platform, *own_words())
    request = forget(platform, SECRET, actor="ada", reason="asked for by letter")
    receipt: Any = request.receipt
    assert request.completed_at is not None
    assert receipt["complete"], receipt
    assert places_with(platform, *own_words()) == []
    after = Registry(platform.database).live()
    assert after is not None
    assert after.id == live.id
    rest = before.filter(pl.col("document_id") != SECRET)
    assert served(platform).equals(rest)
    consistent(platform)
    status = status_of(platform)
    assert status["forgotten"] == 1
    assert status["documents"]["total"] == len(OTHERS)


def test_the_receipt_says_what_was_searched_and_holds_no_text(place: Place) -> None:
    request = forget(place.platform, SECRET)
    receipt: Any = request.receipt
    places = {item["place"]: item for item in receipt["places"]}
    assert {item["after"] for item in places.values()} == {0}
    # three versions of its bytes, and passages that are in the present tables
    assert (places["blobs"]["before"], places["manifest"]["before"]) == (3, 1)
    assert places["parsed documents"]["removed"] == 1
    assert places["passages"]["before"] == places["passages"]["removed"] > 1
    assert places["vectors"]["removed"] >= places["vectors"]["before"] > 1
    assert places["index manifest"]["removed"] == places["passages"]["removed"]
    assert receipt["phrases"] > len(NAMES)
    assert receipt["byte_search"]["files"] > 10
    assert not any(words in str(receipt) for words in (*PHRASES, "Zephyr"))
    assert any("still lists" in line for line in receipt["outside"])


def test_answers_that_quote_it_are_cleaned_and_later_ones_do_without_it(place: Place) -> None:
    question = "Who may change the schedule of the candles?"
    caller = Caller(admin=True)
    asked = QueryEngine(place.platform).ask(question, caller)
    assert SECRET in {item.document_id for item in asked.citations}
    assert places_with(place.platform, *own_words(), "Zephyr committee")
    receipt: Any = forget(place.platform, SECRET).receipt
    assert receipt["complete"], receipt
    log = next(item for item in receipt["places"] if item["place"] == QueryLogEraser.place)
    assert (log["before"], log["after"]) == (1, 0)
    assert places_with(place.platform, *own_words(), "Zephyr committee") == []
    again = QueryEngine(place.platform).ask(question, caller)
    assert SECRET not in {item.document_id for item in again.citations}
    assert "Zephyr" not in again.answer


def test_a_second_time_nothing_is_found_and_nothing_changes(place: Place) -> None:
    first = forget(place.platform, SECRET)
    rows = served(place.platform)
    second = forget(place.platform, SECRET)
    receipt: Any = second.receipt
    assert receipt["nothing_found"]
    assert receipt["complete"]
    assert second.id > first.id
    assert served(place.platform).equals(rows)
    assert ErasureRequests(place.platform.database).forbidden() == {SECRET}


def test_what_nobody_knows_is_an_error_and_leaves_no_request(place: Place) -> None:
    with pytest.raises(UnknownDocument, match=r"docs/never\.md"):
        forget(place.platform, "docs/never.md")
    assert ErasureRequests(place.platform.database).all() == []


def test_a_document_that_only_an_old_release_has_is_found(own_place: Place) -> None:
    place = own_place
    (place.documents / "secret.md").unlink()
    run_stages(place.platform, "five")
    request = forget(place.platform, SECRET)
    receipt: Any = request.receipt
    assert receipt["complete"], receipt
    assert not receipt["nothing_found"]
    assert places_with(place.platform, *own_words()) == []
    consistent(place.platform)


def test_a_document_that_was_never_read_is_forbidden_all_the_same(place: Place) -> None:
    place.write("new.md", "# New\n\nThis has been written after the last ingest, by mistake.\n")
    assert not find_pending(place.platform).nothing
    assert forget(place.platform, "docs/new.md").completed_at is not None
    assert find_pending(place.platform).nothing


def test_it_is_not_read_again_until_it_is_allowed(own_place: Place) -> None:
    place = own_place
    forget(place.platform, SECRET)
    place.write("secret.md", secret("Zephyr") + "An edit that was made after the letter came.\n")
    place.write("leave.md", "# Leave\n\nEverybody has thirty-one days of leave in a year.\n")
    run_stages(place.platform, "five")
    assert SECRET not in served(place.platform)["document_id"]
    assert ErasureRequests(place.platform.database).lift(SECRET)
    run_stages(place.platform, "six")
    assert SECRET in served(place.platform)["document_id"]
    assert status_of(place.platform)["forgotten"] == 0


def test_a_source_that_cannot_be_listed_stops_nothing(place: Place) -> None:
    place.documents.rename(place.documents.with_name("elsewhere"))
    receipt: Any = forget(place.platform, SECRET).receipt
    assert receipt["complete"], receipt
    assert any("cannot be listed" in line for line in receipt["outside"])
    place.documents.with_name("elsewhere").rename(place.documents)
    consistent(place.platform)


def test_a_copy_stays_and_is_named(place: Place) -> None:
    place.write("renamed.md", secret("Zephyr", NAMES[2:]))
    run_stages(place.platform, "five")
    receipt: Any = forget(place.platform, SECRET).receipt
    assert receipt["complete"], receipt
    assert any("docs/renamed.md" in line for line in receipt["kept"])
    blobs = next(item for item in receipt["places"] if item["place"] == "blobs")
    assert "1 of its versions" in blobs["kept"][0]
    rows = served(place.platform)
    assert "docs/renamed.md" in rows["document_id"]
    assert SECRET not in rows["document_id"]
    consistent(place.platform)
    # the copy is complete: it can be read from its bytes again
    for shard in find_pending(place.platform).shards:
        assert shard.listed == len(OTHERS) + 1
    assert places_with(place.platform, "quoted from the first draft") == []


def test_a_sharded_source_and_an_unfinished_ingest(tmp_path: Path, model_cache: Path) -> None:
    place = built(tmp_path, model_cache, shards=3)
    place.write("travel.md", "# Travel\n\nNobody travels any more, says the newest of the edits.\n")
    receipt: Any = forget(place.platform, SECRET).receipt
    assert receipt["complete"], receipt
    assert places_with(place.platform, *own_words()) == []
    pending = find_pending(place.platform)
    assert [shard.changed for shard in pending.work] == [1]
    run_stages(place.platform, "five")
    consistent(place.platform)


class Crash(Exception):
    """Stands for the end of the process."""


PLACES = [
    "index, every retained release",
    "index manifest",
    "vectors",
    "passages",
    "parsed documents",
    "blobs",
    "manifest",
]


@pytest.mark.parametrize(
    ("crashes_at", "then"),
    [*((name, "forget") for name in PLACES), ("vectors", "ingest"), ("parsed documents", "ingest")],
)
def test_a_crash_at_any_place_is_mended_by_asking_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, crashes_at: str, then: str
) -> None:
    before = served(place.platform).filter(pl.col("document_id") != SECRET)
    crashing = all_erasers()
    chosen: Any = next(item for item in crashing if item.place == crashes_at)

    def erase_and_crash(*_: Any) -> None:
        type(chosen).erase(chosen, *_)
        raise Crash

    chosen.erase = erase_and_crash
    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "all_erasers", lambda: crashing)
        with pytest.raises(Crash):
            forget(place.platform, SECRET)
    [request] = ErasureRequests(place.platform.database).all()
    assert request.completed_at is None
    if then == "ingest":
        run_stages(place.platform, "five")
    done = forget(place.platform, SECRET)
    receipt: Any = done.receipt
    assert done.id == request.id
    assert receipt["complete"], receipt
    assert places_with(place.platform, *own_words()) == []
    assert served(place.platform).equals(before)
    consistent(place.platform)


def test_traces_that_stay_are_named_and_the_request_stays_open(place: Place) -> None:
    note = place.platform.state_path / "exports" / "note.html"
    note.parent.mkdir()
    note.write_text(f"<p>{SECTION.format(word='Zephyr', name='dates')}</p>")
    request = forget(place.platform, SECRET)
    receipt: Any = request.receipt
    assert request.completed_at is None
    assert not receipt["complete"]
    assert receipt["byte_search"]["found_in"] == [str(note)]
    note.unlink()
    # by now the text is known from nowhere, but the request is still open
    again = forget(place.platform, SECRET)
    assert (again.id, again.completed_at is not None) == (request.id, True)


def test_what_a_stage_puts_back_meanwhile_is_erased_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = place.platform.tables
    erasers = all_erasers()
    last: Any = erasers[-1]
    [partition] = tables.partitions("parsed_documents")
    key = tables.key("parsed_documents", partition)
    content = place.platform.storage.read(key)
    times: list[int] = []

    def erase_and_put_back(*arguments: Any) -> Any:
        done = type(last).erase(last, *arguments)
        if not times:
            place.platform.storage.write(key, content)
        times.append(done.removed)
        return done

    last.erase = erase_and_put_back
    monkeypatch.setattr(forgetting, "all_erasers", lambda: erasers)
    receipt: Any = forget(place.platform, SECRET).receipt
    assert times == [1, 0]
    assert receipt["complete"], receipt
    assert places_with(place.platform, *own_words()) == []


def test_a_change_of_settings_keeps_what_is_pending_pending(place: Place) -> None:
    changed = place.platform.settings.model_copy(
        update={"chunking": ChunkingSettings(max_tokens=40)}
    )
    platform = Platform(changed)
    reasons = [shard.reasons for shard in find_pending(platform).work]
    receipt: Any = forget(platform, SECRET).receipt
    assert receipt["complete"], receipt
    assert [shard.reasons for shard in find_pending(platform).work] == reasons
    run_stages(platform, "five")
    consistent(platform)
    assert places_with(platform, *own_words()) == []
