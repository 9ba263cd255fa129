"""Whatever happens in between, an engine with a cache says what one without a cache says."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_app.cache import CachedEngine, Caches
from rag_assets.platform.platform import Platform
from rag_assets.platform.stage import StageRun
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.retrieval import rights
from rag_assets.raw_documents.stage import run_raw_documents
from tests.app.cache.conftest import Redis
from tests.jobs.harness import run_stages
from tests.query.restricted import ACLS, SHARED, canary, changed, released

CALLERS = st.builds(
    Caller,
    groups=st.frozensets(st.sampled_from(["people", "board", "security"])),
    admin=st.booleans(),
    authenticated=st.booleans(),
)
# few, so that the same one is asked again by others
QUESTIONS = st.sampled_from(
    ["What is the limit?", "How long are copies of the contract kept?", canary("salaries")]
)
NAMES = st.sampled_from(["salaries", "merger", "welcome", "copy-public"])
GROUPS = st.lists(st.sampled_from(["public", "people", "board"]), max_size=2, unique=True)
FILTERS = st.sampled_from(["", 'source = "docs"', f'word = "{canary("merger")}"'])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), QUESTIONS, CALLERS, FILTERS, st.sampled_from([None, 3])),
        st.tuples(st.just("ask"), QUESTIONS, CALLERS, FILTERS, st.sampled_from([None, 3])),
        st.tuples(st.just("ask"), QUESTIONS, CALLERS, FILTERS, st.sampled_from([None, 3])),
        st.tuples(st.just("acl"), NAMES, GROUPS),
        st.tuples(st.just("edit"), NAMES, st.integers(1, 99)),
        st.tuples(st.just("release")),
    ),
    min_size=8,
    max_size=25,
)
# what tells an answer from its repetition
OWN = ("answer_id", "timings_ms", "usage", "release")


def said(answer: Any) -> dict[str, Any]:
    values = answer.to_dict()
    return {name: values[name] for name in values if name not in OWN} | {
        "release": values["release"]["id"]
    }


def write(platform: Platform, name: str, groups: list[str], number: int = 0) -> None:
    """Change a document of the folder: other readers, or another text."""
    folder = Path(platform.settings.sources["docs"].path)
    acl = f"acl: [{', '.join(repr(group) for group in groups)}]\n" if groups else ""
    word = canary(name)
    body = f"# Policy {word}\n\n{SHARED}\n\nThe limit is {number} days according to {word}.\n"
    text = f'---\n{acl}attributes:\n  word: "{word}"\n---\n{body}'
    (folder / f"{word}.md").write_text(text, encoding="utf-8")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of rights are looked for at every question, so that both engines see the same."""
    monkeypatch.setattr(rights, "CHECK_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_cached_engine_never_answers_differently(
    kind: str, tmp_path: Path, model_cache: Path, redis_server: Redis
) -> None:
    folder = tmp_path / "deployment"
    folder.mkdir()
    platform = released(folder, model_cache)
    query = platform.settings.query.model_copy(update={"refresh_seconds": 0.0})
    cache = platform.settings.cache
    if kind == "redis":
        cache = type(cache)(redis_url=redis_server.url)
    platform = changed(platform, query=query, cache=cache)
    looks: list[tuple[str, str]] = []
    caches = Caches(platform, lambda name, result: looks.append((name, result)))
    cached = CachedEngine(QueryEngine(platform), platform, caches)
    plain = QueryEngine(platform)
    readers = {name: list(groups) for name, groups in ACLS.items()}
    numbers = dict.fromkeys(ACLS, 0)

    @given(steps=STEPS)
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    def judge(steps: list[tuple[Any, ...]]) -> None:
        for what, *arguments in steps:
            if what == "ask":
                question, caller, filter, limit = arguments
                expected = plain.ask(question, caller, limit, filter=filter)
                given_again = cached.ask(question, caller, limit, filter=filter)
                assert said(given_again) == said(expected), (question, caller)
            elif what == "release":
                run_stages(platform)
            else:
                name, value = arguments
                if what == "acl":
                    readers[name] = value
                else:
                    numbers[name] = value
                write(platform, name, readers[name], numbers[name])
                # the present manifest knows at once; the index only with the next release
                run_raw_documents(StageRun(platform, "docs", "run"))

    judge()
    # it was really asked, and it really spoke
    assert looks.count(("answers", "hit")) > 10
    assert looks.count(("answers", "miss")) > 10


@pytest.mark.usefixtures("at_once")
def test_an_acl_that_was_tightened_counts_at_once(own_platform: Platform) -> None:
    cached = CachedEngine(QueryEngine(own_platform), own_platform)
    board, question = Caller.of(["board"]), canary("merger")
    first = cached.ask(question, board)
    again = cached.ask(question, board)
    assert "cache" in again.timings_ms
    assert {item.document_id for item in first.citations} == {f"docs/{question}.md"}
    write(own_platform, "merger", ["people"])
    run_raw_documents(StageRun(own_platform, "docs", "run"))
    after = cached.ask(question, board)
    assert "cache" not in after.timings_ms
    assert canary("merger") not in str([dataclasses.asdict(item) for item in after.citations])


def test_a_new_release_is_asked_and_the_old_one_still_can_be(own_platform: Platform) -> None:
    caches = Caches(own_platform)
    live = CachedEngine(QueryEngine(own_platform), own_platform, caches)
    first = live.ask("What is the limit?", Caller())
    pinned = CachedEngine(QueryEngine(own_platform, first.release["id"]), own_platform, caches)
    assert said(pinned.ask("What is the limit?", Caller())) == said(first)
    write(own_platform, "welcome", ["public"], 77)
    run_stages(own_platform)
    time.sleep(own_platform.settings.query.refresh_seconds + 0.1)
    now = live.ask("What is the limit?", Caller())
    assert now.release["id"] != first.release["id"]
    assert "77 days" in now.answer
    old = pinned.ask("What is the limit?", Caller())
    assert "cache" in old.timings_ms
    assert said(old) == said(first)
