"""Every release is read with the encoder that made it, whatever the settings name by now."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.operations import promote_release, roll_back
from rag_assets.releases.registry import Registry
from tests.query.editions import editions, live, question_of
from tests.query.restricted import changed
from tests.query.two_encoders import TwoEncoders, two_encoders

ANYONE = Caller()
FERRY = question_of("ferry")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[TwoEncoders]:
    with two_encoders(tmp_path_factory.mktemp("encoders"), model_cache) as made:
        yield made


@pytest.fixture
def deployed(both: TwoEncoders) -> TwoEncoders:
    """The same, with release 2 live."""
    if live(both.now).id != 2:
        promote_release(both.now, 2)
    return both


def found(engine: QueryEngine) -> tuple[int, list[int], float]:
    """Release, editions and the best cosine of a search whose vectors have to fit."""
    retrieval = engine.retrieve(FERRY, ANYONE)
    seen = editions(*(hit.text for hit in retrieval.hits))
    best = max(hit.dense_score or 0.0 for hit in retrieval.hits)
    assert retrieval.hits[0].document_id == "docs/ferry.md"
    return retrieval.snapshot.release.id, seen, best


def test_running_engines_follow_a_promotion_and_a_rollback_across_encoders(
    deployed: TwoEncoders,
) -> None:
    before, now, _ = deployed
    for platform in (before, now):
        engine = QueryEngine(platform)
        release, seen, best = found(engine)
        assert (release, seen) == (2, [2])
        assert best > 0.4  # of vectors that have nothing to do with each other: about 0
        roll_back(now, 1)
        release, seen, other = found(engine)
        assert (release, seen) == (1, [1])
        assert other > 0.4
        answer = engine.ask(FERRY, ANYONE)
        assert editions(answer.answer, *(item.quote for item in answer.citations)) == [1]
        promote_release(now, 2)
        answer = engine.ask(FERRY, ANYONE)
        assert answer.release["id"] == 2
        assert editions(answer.answer, *(item.quote for item in answer.citations)) == [2]


def test_questions_and_sentences_go_to_the_encoder_of_the_release_only(
    deployed: TwoEncoders,
) -> None:
    before, now, server = deployed
    asked = len(server.requests)
    QueryEngine(now, 1).ask(FERRY, ANYONE)
    assert len(server.requests) == asked
    QueryEngine(before, 2).ask(FERRY, ANYONE)
    sent = [text for request in server.requests[asked:] for text in request["input"]]
    assert FERRY in sent
    assert any("according to edition 2" in text.lower() for text in sent)


def test_a_named_release_and_a_warm_engine_have_their_encoder(
    deployed: TwoEncoders,
) -> None:
    _, now, _ = deployed
    old, new = pinned_engine(now, 1), pinned_engine(now)
    assert found(old)[:2] == (1, [1])
    assert found(new)[:2] == (2, [2])
    prints = [release.fingerprints["encoder"] for release in Registry(now.database).all()]
    assert [new.encoder.fingerprint, old.encoder.fingerprint] == prints
    many = list(old.retrieve_many([FERRY, question_of("market")], ANYONE))
    assert many[0].hits == old.search(FERRY, ANYONE)


def test_a_reranker_reads_with_the_encoder_of_the_release(
    deployed: TwoEncoders,
) -> None:
    _, now, _ = deployed
    query = QuerySettings(refresh_seconds=0.0, reranker="late_interaction")
    engine = QueryEngine(changed(now, query=query))
    assert engine.retrieve(FERRY, ANYONE).degraded == ["reranker_failed"]  # no token vectors
    roll_back(now, 1)
    retrieval = engine.retrieve(FERRY, ANYONE)
    assert retrieval.degraded == []
    assert all(hit.rerank_score is not None for hit in retrieval.hits)


def test_an_old_release_without_its_configuration_says_what_to_do(
    deployed: TwoEncoders,
) -> None:
    before, now, _ = deployed
    with now.database.begin() as connection:
        kept = connection.execute(
            sa.text("SELECT configuration FROM releases WHERE id = 1")
        ).scalar()
        connection.execute(sa.text("UPDATE releases SET configuration = NULL WHERE id = 1"))
    try:
        assert found(QueryEngine(before, 1))[:2] == (1, [1])  # the settings name its encoder
        with pytest.raises(ConfigurationError, match=r"Release 1 .* another encoder.*ingest"):
            found(QueryEngine(now, 1))
        assert found(QueryEngine(now))[:2] == (2, [2])
    finally:
        with now.database.begin() as connection:
            connection.execute(
                sa.text("UPDATE releases SET configuration = :kept WHERE id = 1"), {"kept": kept}
            )


def test_engines_of_one_encoder_share_it(
    deployed: TwoEncoders,
) -> None:
    _, now, _ = deployed
    engine = QueryEngine(now)
    first = engine.encoder
    roll_back(now, 1)
    assert engine.encoder is not first
    promote_release(now, 2)
    assert engine.encoder is first
