"""A reranker is taken when it helps, and what was measured is what the engine then serves."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.golden_questions.schema import GOLDEN_QUESTIONS
from evals.retrieval_evaluation.evaluate import Evaluation, evaluate
from evals.retrieval_evaluation.learning.reranking import (
    RERANK_WEIGHTS,
    LearnedReranker,
    Trial,
    choose_trial,
    learn_reranker,
    make_trial,
    rerank_depth,
    reranked_order,
    reranked_retrieval,
    score_hits,
    scores_of_hits,
    served_documents,
)
from evals.retrieval_evaluation.metrics import score_rankings
from rag_assets.platform.errors import RerankerError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, QuerySettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine, Retrieval
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.rerankers.blend import blend
from rag_assets.query.retrieval.search import Found
from rag_assets.releases.registry import Registry
from tests.jobs.harness import run_stages
from tests.query.restricted import changed

ADMIN = Caller(admin=True)
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aou"]
QUESTIONS = 48


def word(number: int) -> str:
    """A word that no other number has."""
    parts = (number * 29, number * 11 // 42, number * 5 + 3)
    return "".join(SYLLABLES[part % len(SYLLABLES)] for part in parts)


TRIPLES = [tuple(word(3 * number + place) for place in range(3)) for number in range(QUESTIONS)]
# a long passage of other words: what it says once weighs little beside a short one that repeats it
FILLER = (
    "The inventory of the house was taken in the winter, room by room, and written down by hand. "
    "Whatever had no owner was put aside for the fair, and what nobody bought there was given away. "
    "Every line was read aloud twice so that no mistake could remain in the book that was kept. "
)
DEPTH = rerank_depth(QuerySettings())


def name_of(triple: Sequence[str]) -> str:
    return "-".join(triple)


def write_corpus(folder: Path) -> None:
    """For each triple of words one document that has all, and short ones that repeat two of them."""
    for triple in TRIPLES:
        first, second, third = triple
        text = (
            f"# House\n\n{FILLER} A {first} lay there, with a {second} and a {third}. {FILLER}\n\n"
            f"# Notes\n\nThe {first} was sold. {FILLER}\n"
        )
        (folder / f"{name_of(triple)}.md").write_text(text, encoding="utf-8")
        for pair in combinations(triple, 2):
            short = ", ".join([" ".join(pair)] * 3)
            (folder / f"{name_of(pair)}.md").write_text(short, encoding="utf-8")


def golden_questions() -> pl.DataFrame:
    rows = [
        {
            "question_id": name_of(triple),
            "question": " ".join(triple),
            "relevant": [{"document_id": f"docs/{name_of(triple)}.md", "grade": 1}],
            "answerable": True,
            "half": "train" if number % 2 else "report",
        }
        for number, triple in enumerate(TRIPLES)
    ]
    absent = [
        {
            "question_id": f"absent-{number}",
            "question": f"Who repaired the {thing} of the harbour master?",
            "relevant": [],
            "answerable": False,
            "half": "train" if number % 2 else "report",
        }
        for number, thing in enumerate(["roof", "boat", "gate", "clock"] * 6)
    ]
    return pl.DataFrame([*rows, *absent], schema=GOLDEN_QUESTIONS)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    folder = tmp_path_factory.mktemp("reranking")
    (folder / "documents").mkdir()
    (folder / "home").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / "home/models").symlink_to(model_cache, target_is_directory=True)
    write_corpus(folder / "documents")
    source = SourceSettings(path=str(folder / "documents"))
    chunking = ChunkingSettings(max_tokens=150)
    settings = Settings(home=str(folder / "home"), sources={"docs": source}, chunking=chunking)
    platform = Platform(settings)
    run_stages(platform)
    return platform


@pytest.fixture
def platform(released: Platform) -> Iterator[Platform]:
    """With nothing learned yet."""
    yield released
    Registry(released.database).set_parameters(1, {})


@pytest.fixture(scope="module")
def searched(released: Platform) -> dict[str, Retrieval]:
    """What the engine finds for every answerable question, not reranked."""
    engine = QueryEngine(released)
    names = [name_of(triple) for triple in TRIPLES]
    found = engine.retrieve_many([" ".join(triple) for triple in TRIPLES], ADMIN)
    return dict(zip(names, found, strict=True))


RELEVANT = {name_of(triple): {f"docs/{name_of(triple)}.md": 1} for triple in TRIPLES}


class Scripted:
    """A reranker whose opinion is given."""

    def __init__(self, name: str, opinion: Callable[[str, str], float]) -> None:
        self.name = name
        self._opinion = opinion

    def warm_up(self) -> None: ...

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        return np.array([self._opinion(question, text) for text in texts])

    def describe(self) -> dict[str, object]:
        return {}


def all_words(question: str, text: str) -> float:
    return float(sum(word in text for word in question.split()))


HELPS = Scripted("helps", all_words)
HARMS = Scripted("harms", lambda question, text: -all_words(question, text))
SAYS_NOTHING = Scripted("says nothing", lambda question, text: 1.0)


def silent(doing: str, done: int, total: int) -> None: ...


def learned(searched: dict[str, Retrieval], *rerankers: Scripted, k: int = 10) -> LearnedReranker:
    without = {
        item: served_documents(found.found, np.empty(0), 0.5, k) for item, found in searched.items()
    }
    return learn_reranker(searched, RELEVANT, without, rerankers, DEPTH, k, silent)


def evaluated(platform: Platform, *tried: str, learn: bool = True) -> Evaluation:
    return evaluate(
        QueryEngine(platform),
        golden_questions(),
        ADMIN,
        settings=platform.settings.query,
        dataset="toy",
        learn=learn,
        try_rerankers=tried,
    )


def store(platform: Platform, parameters: QueryParameters) -> None:
    Registry(platform.database).set_parameters(1, parameters.to_dict())


def assert_served(platform: Platform, measured: Evaluation) -> None:
    """The engine ranks the documents of every reported question as it was measured."""
    engine = QueryEngine(platform)
    assert engine.parameters == measured.parameters
    assert measured.questions.height
    for question_id, ranking in measured.questions.select("question_id", "ranking").rows():
        question = question_id.replace("-", " ")
        for limit in (DEPTH, None):
            hits = engine.search(question, ADMIN, limit)
            documents = list(dict.fromkeys(hit.document_id for hit in hits))
            common = min(len(documents), len(ranking))
            assert documents[:common] == ranking[:common]
            assert common > 1
        best = [hit.document_id for hit in engine.retrieve_documents(question, ADMIN, 3)[1]]
        assert best[0] == engine.search(question, ADMIN, 3 * 5)[0].document_id


def test_both_scores_are_normalised_and_weighed() -> None:
    fused, scores = np.array([0.9, 0.5, 0.1]), np.array([-3.0, 1.0, 5.0])
    assert blend(fused, scores, 0.25) == pytest.approx([0.75, 0.5, 0.25])
    assert blend(fused, np.full(3, 7.0), 0.5) == pytest.approx([1.0, 0.75, 0.5])


def found_of(searched: dict[str, Retrieval]) -> Found:
    return next(iter(searched.values())).found


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, [0, 1, 2]), (0.5, [0, 1, 2]), (0.6, [2, 1, 0]), (1.0, [2, 1, 0])]
)
def test_only_what_was_reranked_moves(
    searched: dict[str, Retrieval], share: float, expected: list[int]
) -> None:
    found = found_of(searched)
    first = found.scores[found.order[:3]]
    # the mirror image of the fused scores: at one half all are equal and stay in their order
    mirrored = first.max() + first.min() - first
    order = reranked_order(found, mirrored, share).tolist()
    assert order[:3] == [found.order[place] for place in expected]
    assert order[3:] == found.order[3:].tolist()


@given(data=st.data())
def test_an_order_holds_every_candidate_once(
    searched: dict[str, Retrieval], data: st.DataObject
) -> None:
    found = found_of(searched)
    scores = np.array(data.draw(st.lists(st.floats(-10, 10), max_size=DEPTH)))
    share = data.draw(st.floats(0, 1))
    order = reranked_order(found, scores, share)
    assert sorted(order.tolist()) == list(range(len(found.candidates)))
    assert reranked_order(found, scores, 0.0).tolist() == found.order.tolist()


def test_a_trial_has_the_paired_gain_and_its_standard_error() -> None:
    values, baseline = np.array([0.7, 0.5, 0.6]), np.array([0.5, 0.5, 0.5])
    trial = make_trial("x", 0.3, values, baseline)
    # gains .2, 0, .1: mean .1, standard deviation .1, divided by the root of three
    assert (trial.reranker, trial.weight) == ("x", 0.3)
    assert (trial.value, trial.gain) == (pytest.approx(0.6), pytest.approx(0.1))
    assert trial.standard_error == pytest.approx(0.0577350, abs=1e-6)
    assert choose_trial([trial]) == trial


@pytest.mark.parametrize(
    ("trials", "chosen"),
    [
        ([], None),
        ([(0.02, 0.02)], None),
        ([(0.021, 0.02)], 0),
        ([(-0.1, 0.0), (0.0, 0.0)], None),
        ([(0.01, 0.001), (0.03, 0.01), (0.03, 0.001)], 1),
        # the best is judged; a surer, smaller gain does not stand in for it
        ([(0.01, 0.001), (0.03, 0.04)], None),
    ],
)
def test_the_best_must_beat_its_standard_error(
    trials: list[tuple[float, float]], chosen: int | None
) -> None:
    made = [Trial("x", number, 0.5, *figures) for number, figures in enumerate(trials)]
    assert choose_trial(made) == (None if chosen is None else made[chosen])


def test_a_reranker_that_helps_is_chosen_with_its_figures(searched: dict[str, Retrieval]) -> None:
    found = learned(searched, HARMS, HELPS, SAYS_NOTHING)
    assert [(trial.reranker, trial.weight) for trial in found.trials] == [
        (name, weight) for name in ("harms", "helps", "says nothing") for weight in RERANK_WEIGHTS
    ]
    assert found.chosen is not None
    assert found.chosen.reranker == "helps"
    assert found.chosen.value == pytest.approx(found.without + found.chosen.gain)
    assert found.chosen.gain == max(trial.gain for trial in found.trials)
    assert all(trial.gain < 0 for trial in found.trials if trial.reranker == "harms")
    assert all(trial.gain == 0 for trial in found.trials if trial.reranker == "says nothing")
    rankings = {
        item: served_documents(searched[item].found, found.scores[item], found.chosen.weight, 10)
        for item in RELEVANT
    }
    values = score_rankings(rankings, RELEVANT, ["ndcg@10"])["ndcg@10"]
    assert found.chosen.value == pytest.approx(values.mean())


def test_a_reranker_that_does_not_help_is_not_chosen(searched: dict[str, Retrieval]) -> None:
    found = learned(searched, HARMS, SAYS_NOTHING)
    assert found.chosen is None
    assert not found.scores
    assert len(found.trials) == 2 * len(RERANK_WEIGHTS)


def test_a_failing_reranker_ends_the_measurement(searched: dict[str, Retrieval]) -> None:
    def fails(question: str, text: str) -> float:
        raise RerankerError("It broke.", "Mend it.")

    with pytest.raises(RerankerError, match="broke"):
        learned(searched, HELPS, Scripted("fails", fails))


def test_a_document_is_ranked_by_its_best_passage(searched: dict[str, Retrieval]) -> None:
    repeated = 0
    for retrieval in searched.values():
        scores = score_hits(HELPS, {"q": retrieval}, DEPTH, silent)["q"]
        hits = reranked_retrieval(retrieval, scores, 0.5, DEPTH).hits
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        documents = list(dict.fromkeys(hit.document_id for hit in hits))
        repeated += len(documents) < len(hits)
        ranking = served_documents(retrieval.found, scores, 0.5, 1000)
        assert ranking[: len(documents)] == documents
        assert sorted(ranking) == sorted(set(retrieval.candidates.document_id))
    assert repeated


@pytest.mark.parametrize("reranker", ["term_overlap", "late_interaction"])
def test_hits_are_those_the_engine_serves(platform: Platform, reranker: str) -> None:
    store(platform, QueryParameters(reranker=reranker, rerank_weight=0.7))
    engine, question = QueryEngine(platform), " ".join(TRIPLES[5])
    served = engine.retrieve(question, ADMIN)
    scores = scores_of_hits({"q": engine.retrieve(question, ADMIN, limit=DEPTH)})["q"]
    assert len(scores) == DEPTH
    rebuilt = reranked_retrieval(served, scores, 0.7, platform.settings.query.limit)
    assert rebuilt.hits == served.hits
    assert engine.evidence_of(rebuilt) == engine.evidence_of(engine.retrieve(question, ADMIN))


def test_what_was_learned_is_what_the_engine_serves(platform: Platform) -> None:
    found = evaluated(platform, "late_interaction", "term_overlap")
    assert found.parameters.reranker == "term_overlap"
    assert found.parameters.rerank_weight in RERANK_WEIGHTS
    store(platform, found.parameters)
    assert_served(platform, found)
    again = evaluated(platform, learn=False)
    assert_served(platform, again)
    ours = again.questions.join(found.questions, on="question_id")
    assert ours["ranking"].to_list() == ours["ranking_right"].to_list()
    assert ours.height == found.questions.height


def test_a_report_compares_with_and_without_the_reranker(platform: Platform) -> None:
    found = evaluated(platform, "term_overlap").summary
    assert list(found["methods"])[-2:] == ["fused", "learned"]
    assert found["metrics"] == found["methods"]["learned"]
    value, fused = (found["methods"][name]["ndcg@10"] for name in ("learned", "fused"))
    gain = found["reranking_gain"]
    assert (gain["metric"], gain["over"]) == ("ndcg@10", "fused")
    assert gain["mean"] == pytest.approx(value - fused)
    assert gain["confidence"][0] > 0
    assert found["gain"]["over"] in ("dense", "full_text")
    tried = found["parameters"]["learned_from"]["reranking"]
    assert tried["candidates"] == DEPTH
    assert [trial["weight"] for trial in tried["tried"]] == list(RERANK_WEIGHTS)
    best = max(tried["tried"], key=lambda trial: float(trial["gain"]))
    assert found["parameters"]["rerank_weight"] == best["weight"]
    assert found["parameters"]["learned_from"]["value"] == best["value"]
    assert best["value"] == pytest.approx(tried["without"] + best["gain"], abs=2e-4)


def test_without_a_trial_the_reranker_of_the_release_stays_and_is_measured(
    platform: Platform,
) -> None:
    store(platform, QueryParameters(fusion="rrf", reranker="term_overlap", rerank_weight=0.3))
    found = evaluated(platform)
    kept = found.parameters
    assert (kept.fusion, kept.reranker, kept.rerank_weight) == ("weighted", "term_overlap", 0.3)
    assert "fused" in found.summary["methods"]
    store(platform, kept)
    assert_served(platform, found)


def test_a_reranker_left_out_by_the_engine_is_no_measurement(platform: Platform) -> None:
    query = QuerySettings(reranker="cross_encoder", cross_encoder_model="/no/such/model")
    with pytest.raises(RerankerError, match="cross_encoder"):
        evaluated(changed(platform, query=query), learn=False)


def test_a_reranker_that_cannot_be_loaded_is_said_at_once(platform: Platform) -> None:
    query = QuerySettings(cross_encoder_model="/no/such/model")
    with pytest.raises(RerankerError, match="/no/such/model"):
        evaluated(changed(platform, query=query), "term_overlap", "cross_encoder")
