"""A candidate of a new encoder is compared with the live release as its own encoder reads it."""

from pathlib import Path

from evals.golden_questions.schema import KNOWN_ITEMS
from evals.retrieval_evaluation.baseline import find_baseline
from evals.retrieval_evaluation.sample import sample_questions
from rag_assets.platform.errors import EncoderError
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.operations import roll_back
from rag_assets.releases.registry import Candidate, Registry
from tests.evals.retrieval_evaluation.evaluated import question, table
from tests.query.editions import TOPICS, question_of
from tests.query.two_encoders import two_encoders


def test_both_sides_are_asked(tmp_path: Path, model_cache: Path) -> None:
    rows = [question(topic, question_of(topic), [f"docs/{topic}.md"]) for topic in TOPICS]
    questions = sample_questions(table(*rows), 10)
    callers = dict.fromkeys(questions["question_id"], Caller())
    with two_encoders(tmp_path, model_cache) as (_, platform, _server):
        roll_back(platform, 1)
        registry = Registry(platform.database)
        candidate, live = registry.get(2), registry.live()
        assert candidate is not None

        def opened(release_id: int) -> QueryEngine:
            return pinned_engine(platform, release_id)

        def unreachable(release_id: int) -> QueryEngine:
            raise EncoderError("The server of its encoder is gone.", "Start it.")

        pair, quiet = Candidate(candidate, live), lambda doing, done, total: None
        asked = find_baseline(platform, pair, questions, callers, opened, quiet)
        alone = find_baseline(platform, pair, questions, callers, unreachable, quiet)
    assert KNOWN_ITEMS not in set(questions["dataset"])
    assert (asked.release_id, asked.origin) == (1, "asked")
    assert asked.rows.height == len(TOPICS)
    # the right document among four is found by vectors that fit
    assert asked.rows["ndcg"].mean() > 0.9
    assert (alone.release_id, alone.origin) == (None, None)
    assert "The server of its encoder is gone." in alone.why
