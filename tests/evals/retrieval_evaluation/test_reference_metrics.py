"""Retrieval metrics and intervals against other implementations: scikit-learn, scipy, plain loops."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from evals.retrieval_evaluation.metrics import metric_names, score_rankings
from evals.statistics import CONFIDENCE, RESAMPLES, mean_interval, paired_difference, standard_error

DOCUMENTS = [f"docs/{number}" for number in range(30)]
QUESTIONS = 60


def drawn(seed: int) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """Rankings of some of the documents and graded judgements, among them hopeless questions."""
    draw = np.random.default_rng(seed)
    rankings, relevant = {}, {}
    for number in range(QUESTIONS):
        shown = draw.permutation(DOCUMENTS)[: draw.integers(1, 25)]
        judged = draw.permutation(DOCUMENTS)[: draw.integers(1, 12)]
        rankings[f"q{number}"] = [str(document) for document in shown]
        grades = draw.integers(0, 4, len(judged))
        grades[0] = max(grades[0], 1)
        relevant[f"q{number}"] = dict(zip(map(str, judged), map(int, grades), strict=True))
    return rankings, relevant


@pytest.mark.parametrize("k", [1, 3, 10, 30])
def test_ndcg_is_that_of_scikit_learn(k: int) -> None:
    rankings, relevant = drawn(k)
    found = score_rankings(rankings, relevant, [f"ndcg@{k}"])[f"ndcg@{k}"]
    for index, (question, grades) in enumerate(relevant.items()):
        ranks = {document: rank for rank, document in enumerate(rankings[question])}
        # what was not shown comes last, and none of it before another: it has no gain there
        truth = [float(grades.get(item, 0)) if item in ranks else 0.0 for item in DOCUMENTS]
        missed = [float(grade) for item, grade in grades.items() if item not in ranks]
        scores = [-float(ranks.get(item, 1_000)) for item in DOCUMENTS]
        pad = [0.0] * k  # unjudged documents between what was shown and what was not
        y_true = [*truth, *pad, *missed]
        y_score = [*scores, *(-2_000.0 - n for n in range(k)), *(-9_000.0 for _ in missed)]
        # ties of documents that were not shown are all of gain 0
        expected = ndcg_score([y_true], [y_score], k=k, ignore_ties=True)
        assert found[index] == pytest.approx(expected, abs=1e-6)
    assert 0.05 < found.mean() < 0.95


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_other_metrics_follow_their_definitions(k: int) -> None:
    rankings, relevant = drawn(100 + k)
    scores = score_rankings(rankings, relevant, metric_names(k))
    for index, (question, grades) in enumerate(relevant.items()):
        wanted = {document for document, grade in grades.items() if grade >= 1}
        top = rankings[question][:k]
        hits = wanted & set(top)
        reciprocal = 0.0
        for rank, document in enumerate(top, start=1):
            if document in wanted:
                reciprocal = 1 / rank
                break
        assert scores[f"recall@{k}"][index] == pytest.approx(len(hits) / len(wanted), abs=1e-6)
        assert scores[f"precision@{k}"][index] == pytest.approx(len(hits) / k, abs=1e-6)
        assert scores[f"mrr@{k}"][index] == pytest.approx(reciprocal, abs=1e-6)
        assert scores[f"hit_rate@{k}"][index] == float(bool(hits))


def percentile_bootstrap(values: np.ndarray) -> tuple[float, float]:
    """The same interval by a plain loop over the same draws."""
    draw = np.random.default_rng(0)
    means: list[float] = []
    while len(means) < RESAMPLES:  # a hundred resamples at a time, as they are drawn
        for chosen in draw.integers(0, len(values), (100, len(values))):
            means.append(sum(values[index] for index in chosen) / len(values))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


@pytest.mark.parametrize("size", [2, 7, 60])
def test_an_interval_is_that_of_a_plain_loop(size: int) -> None:
    values = np.random.default_rng(size).beta(2, 3, size)
    interval = mean_interval(values)
    assert interval.mean == pytest.approx(sum(values) / size, abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx(percentile_bootstrap(values), abs=1e-6)


def test_a_difference_is_the_interval_of_the_differences() -> None:
    draw = np.random.default_rng(2)
    before, after = draw.uniform(size=50), draw.uniform(size=50)
    assert paired_difference(after, before) == pytest.approx(
        (np.mean(after - before), *percentile_bootstrap(after - before)), abs=1e-6
    )


def test_the_standard_error_is_that_of_scipy() -> None:
    from scipy.stats import sem

    values = np.random.default_rng(4).normal(size=33)
    assert standard_error(values) == pytest.approx(float(sem(values)), abs=1e-6)
    assert standard_error(values[:1]) == 0.0


def test_an_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    draw = np.random.default_rng(9)
    samples = [draw.binomial(1, 0.7, 80).astype(float) for _ in range(120)]
    intervals = [mean_interval(sample) for sample in samples]
    share = np.mean([interval.low <= 0.7 <= interval.high for interval in intervals])
    assert 0.88 <= share <= 0.99
