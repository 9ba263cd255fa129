"""Lineage: everything an answer stands on for those who may read it, and nothing for others."""

import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.access import Caller
from rag_assets.query.lineage import UnknownAnswer, lineage_of, stage_run
from rag_assets.query.log import AnswerLog, AnswerRecord, answers
from rag_assets.releases.registry import Registry, Release, releases
from rag_assets.vector_index.rows import index_rows
from rag_assets.vector_index.table import IndexTable
from tests.vector_index.rows_for_tests import (
    DIMENSIONS,
    chunks,
    embeddings,
    parsed,
    raw,
    with_vectors,
)

Acl = list[str] | None
TABLE = "chunks_test"
ACLS: list[Acl] = [None, [], ["public"], ["a"], ["b"], ["a", "b"]]
GONE = "gone"  # from the live release
FINGERPRINTS = {"parser": "fp-p", "chunker": "fp-c", "encoder": "fp-e", "index": "fp-i"}
# every pair of rights then and rights now, each a document whose name is its canary
DOCUMENTS: dict[str, tuple[Acl, Acl | str]] = {
    f"canary{number:02}x": pair
    for number, pair in enumerate(itertools.product(ACLS, [*ACLS, GONE]))
}
PASSAGES = ["one", "two"]


def name_of(canary: str) -> str:
    return f"docs/{canary}"


def put(platform: Platform, acls: dict[str, Acl], number: int) -> int:
    """Make these documents the whole table; returns its version."""
    table = IndexTable(platform.lancedb_uri, TABLE, DIMENSIONS)
    texts = {name_of(canary): [f"{canary} {text}" for text in PASSAGES] for canary in acls}
    names = {name_of(canary): acl for canary, acl in acls.items()}
    rows = index_rows(
        raw(names).with_columns(run_id=pl.lit(f"raw-{number}")),  # type: ignore[arg-type]
        parsed(dict.fromkeys(names, "text"), run_id=f"parse-{number}"),
        chunks(texts).with_columns(run_id=pl.lit(f"chunk-{number}"), page_first=pl.lit(7)),
        embeddings(texts, f"embed-{number}"),
        "docs",
        f"index-{number}",
    )
    gone = sorted(set(table.stored("docs")["chunk_id"]) - set(rows["chunk_id"]))
    table.commit_shard("docs", with_vectors(rows), gone, lambda: with_vectors(rows))
    table.prepare()
    return table.version


def release(platform: Platform, version: int) -> Release:
    registry = Registry(platform.database)
    made = registry.add_candidate(
        table_name=TABLE,
        lance_version=version,
        fingerprints=FINGERPRINTS,
        partitions={},
        documents=1,
        chunks=2,
        manifest_sha256="m" * 64,
        run_id=f"release-run-{version}",
    )
    IndexTable(platform.lancedb_uri, TABLE, DIMENSIONS).tag(made.tag, version)
    return registry.promote(made.id, {})


def record_of(canaries: list[str], answer_id: str = "known", release_id: int = 1) -> AnswerRecord:
    """An answer that reads both chunks of each document and cites the first."""
    everything = " ".join(canaries)
    passages, citations = [], []
    for number, canary in enumerate(canaries, start=1):
        for ordinal, text in enumerate(PASSAGES):
            place = {
                "chunk_id": f"{name_of(canary)}#{canary} {text}",
                "document_id": name_of(canary),
                "content_sha256": "c" * 64,
                "char_start": ordinal * 100,
                "char_end": ordinal * 100 + 3,
                "page": 7,
                "score": 0.5,
            }
            passages.append({**place, "number": number})
            if ordinal == 0:
                texts = {"quote": f"quote {canary}", "title": canary, "uri": canary}
                copies = [name_of(other) for other in canaries]
                citations.append({**place, **texts, "marker": str(number), "copies": copies})
    return AnswerRecord(
        answer_id=answer_id,
        asked_at=datetime(2026, 3, 1, tzinfo=UTC),
        release_id=release_id,
        question=f"question {everything}",
        answer=f"answer {everything}",
        groups=("a", "secretgroup"),
        filter={"attributes": [everything]},
        citations=citations,
        support=[{"sentence": everything, "markers": ["1"], "score": 1.0}],
        passages=passages,
        parameters={},
        error=everything,
        answerer="extractive",
    )


def write(platform: Platform, record: AnswerRecord) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.delete(answers).where(answers.c.answer_id == record.answer_id))
    AnswerLog(platform.database).record(record)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Release 1 has every document with its rights then, release 2 (live) with those of now."""
    platform = Platform(Settings(home=str(tmp_path_factory.mktemp("home"))))
    release(platform, put(platform, {key: then for key, (then, _) in DOCUMENTS.items()}, 1))
    now = {key: acl for key, (_, acl) in DOCUMENTS.items() if not isinstance(acl, str)}
    release(platform, put(platform, now, 2))
    yield platform
    platform.close()


@pytest.fixture
def small(tmp_path: Path) -> Platform:
    """One live release with a public and a private document."""
    platform = Platform(Settings(home=str(tmp_path / "home")))
    release(platform, put(platform, {"open": ["public"], "closed": ["a"]}, 1))
    return platform


def may_read(acl: Acl | str, caller: Caller) -> bool:
    """The rule of rights in plain Python."""
    if caller.admin:
        return True
    if isinstance(acl, str):
        return False
    if not acl:
        return not caller.authenticated
    return bool({"public", *caller.groups} & set(acl))


CALLERS = st.builds(
    Caller,
    groups=st.frozensets(st.sampled_from(["a", "b", "c", "' OR '1'='1"])),
    authenticated=st.booleans(),
    admin=st.sampled_from([False, False, False, True]),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    canaries=st.lists(st.sampled_from(sorted(DOCUMENTS)), min_size=1, max_size=5, unique=True),
    caller=CALLERS,
    release_id=st.sampled_from([1, 1, 2]),
)
def test_nothing_of_an_unreadable_document_is_shown(
    built: Platform, canaries: list[str], caller: Caller, release_id: int
) -> None:
    if release_id == 2:
        canaries = [key for key in canaries if DOCUMENTS[key][1] != GONE]
    write(built, record_of(canaries, release_id=release_id))
    readable = [
        key
        for key in canaries
        if may_read(DOCUMENTS[key][1], caller)
        and (release_id == 2 or may_read(DOCUMENTS[key][0], caller))
    ]
    hidden = sorted(set(canaries) - set(readable))
    if canaries and not readable and not caller.admin:
        with pytest.raises(UnknownAnswer) as refused:
            lineage_of(built, "known", caller)
        with pytest.raises(UnknownAnswer) as unknown:
            lineage_of(built, "other", caller)
        assert str(refused.value).replace("known", "other") == str(unknown.value)
        assert refused.value.hint == unknown.value.hint
        return
    if not canaries:
        return
    found = lineage_of(built, "known", caller)
    shown = json.dumps(found.to_dict())
    assert not [canary for canary in hidden if canary in shown]
    assert found.withheld == 2 * len(hidden)
    assert [item.document_id for item in found.documents] == [name_of(key) for key in readable]
    assert len(found.passages) == 2 * len(readable)
    assert len(found.citations) == len(readable)
    texts = [found.question, found.answer, found.filter, found.error]
    texts += [citation.quote for citation in found.citations]
    if hidden:
        assert texts == [None] * len(texts)
    else:
        assert None not in texts
    assert ("secretgroup" in shown) == caller.admin


def test_the_whole_way_is_shown(small: Platform) -> None:
    write(small, record_of(["open"]))
    found = lineage_of(small, "known", Caller())
    assert (found.question, found.answer) == ("question open", "answer open")
    assert (found.withheld, found.index_problem) == (0, "")
    document = found.documents[0]
    assert (document.title, document.uri) == ("docs/open", "file:///docs/open")
    assert (document.content_sha256, document.pages, document.parser) == ("c" * 64, [7], "test")
    assert (document.source, document.partition) == ("docs", "docs")
    passage = found.passages[0]
    assert (passage.number, passage.char_start, passage.page) == (1, 0, 7)
    assert passage.heading_path == ["Top"]
    assert (found.citations[0].quote, found.citations[0].marker) == ("quote open", "1")
    assert found.release is not None
    runs = [*document.runs, *passage.runs, *found.release.runs]
    assert [(run.stage, run.asset, run.run_id, run.fingerprint) for run in runs] == [
        ("listed", "raw_documents", "raw-1", ""),
        ("parsed", "parsed_documents", "parse-1", "fp-p"),
        ("chunked", "chunks", "chunk-1", "fp-c"),
        ("embedded", "embeddings", "embed-1", "fp-e"),
        ("indexed", "vector_index", "index-1", "fp-i"),
        ("released", "release", f"release-run-{found.release.lance_version}", ""),
    ]
    assert document.runs[0].run_url == "http://127.0.0.1:3000/runs/raw-1"
    assert document.runs[0].asset_url == "http://127.0.0.1:3000/assets/raw_documents"
    assert found.release.fingerprints == FINGERPRINTS
    assert found.software["ragline"] not in ("", "unknown")
    assert json.loads(json.dumps(found.to_dict()))["release"]["id"] == 1


def test_the_runs_are_those_of_the_answers_release(built: Platform) -> None:
    public = next(key for key, pair in DOCUMENTS.items() if pair == (["public"], ["public"]))
    for release_id in (1, 2):
        write(built, record_of([public], release_id=release_id))
        found = lineage_of(built, "known", Caller())
        assert [run.run_id for run in found.documents[0].runs] == [
            f"raw-{release_id}",
            f"parse-{release_id}",
        ]


@pytest.mark.parametrize("base", ["", "https://dagster.example/", "https://dagster.example"])
def test_links_are_relative_without_an_address(base: str) -> None:
    run = stage_run("chunked", "chunks", "r1", "f", base)
    assert run.run_url == f"{base.rstrip('/')}/runs/r1"
    assert run.asset_url == f"{base.rstrip('/')}/assets/chunks"
    assert stage_run("chunked", "chunks", "", "f", base).run_url == ""


def test_an_index_that_is_gone_is_said_to_admins_and_hidden_from_others(small: Platform) -> None:
    write(small, record_of(["open", "closed"]))
    shutil.rmtree(small.lancedb_uri)
    with pytest.raises(UnknownAnswer):
        lineage_of(small, "known", Caller(frozenset({"a"})))
    write(small, replace(record_of([], "empty"), groups=()))
    with pytest.raises(UnknownAnswer):  # not even the place of the index is told
        lineage_of(small, "empty", Caller(frozenset({"a"})))
    found = lineage_of(small, "known", Caller(admin=True))
    assert "cannot be opened" in found.index_problem
    assert found.answer == "answer open closed"
    assert [item.document_id for item in found.documents] == ["docs/open", "docs/closed"]
    assert found.documents[0].runs == []
    assert len(found.passages) == 4


@pytest.mark.parametrize("lost", ["the release", "the live one"])
def test_rights_that_cannot_be_checked_are_not_given(small: Platform, lost: str) -> None:
    write(small, record_of(["open"]))
    with small.database.begin() as connection:
        if lost == "the release":
            connection.execute(sa.delete(releases))
        else:
            connection.execute(sa.update(releases).values(status="retired"))
    with pytest.raises(UnknownAnswer):
        lineage_of(small, "known", Caller())
    assert lineage_of(small, "known", Caller(admin=True)).answer == "answer open"


def test_an_answer_without_passages_is_for_those_who_could_have_asked(small: Platform) -> None:
    empty = replace(record_of([]), question="secret question", question_sha256="")
    write(small, replace(empty, groups=("a",)))
    assert lineage_of(small, "known", Caller(frozenset({"a"}))).question == "secret question"
    assert lineage_of(small, "known", Caller(admin=True)).question == "secret question"
    with pytest.raises(UnknownAnswer):
        lineage_of(small, "known", Caller(frozenset({"b"})))
    write(small, replace(empty, groups=(), admin=True))
    with pytest.raises(UnknownAnswer):
        lineage_of(small, "known", Caller(frozenset({"a"})))


def test_a_hashed_log_still_has_its_lineage(small: Platform) -> None:
    AnswerLog(small.database, "hashed").record(record_of(["open"]))
    found = lineage_of(small, "known", Caller())
    assert (found.question, found.answer, found.citations[0].quote) == (None, None, None)
    assert found.documents[0].title == "docs/open"
    assert found.withheld == 0


def test_the_command_prints_a_tree(
    small: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rag_app.commands.lineage import lineage

    write(small, replace(record_of(["open", "closed"]), answerer="[bold]x[/bold]"))
    monkeypatch.setenv("RAG_HOME", str(small.state_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(small.state_path)
    lineage("known", groups="", as_json=False)
    public = capsys.readouterr().out
    assert "2 passages withheld" in public
    assert "docs/open" in public
    assert "closed" not in public
    assert "[bold]x[/bold]" in public
    lineage("known", groups="a", as_json=False)
    both = capsys.readouterr().out
    for text in ("answer open closed", "“quote closed”", "/runs/chunk-1", "release 1 (live)"):
        assert text in both
    lineage("known", groups="a", as_json=True)
    assert json.loads(capsys.readouterr().out)["withheld"] == 0
    with pytest.raises(UnknownAnswer, match="no answer nobody"):
        lineage("nobody")
