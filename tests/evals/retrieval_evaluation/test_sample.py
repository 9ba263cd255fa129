"""The same questions are asked again, whatever else comes or goes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from evals.retrieval_evaluation.sample import plain, sample_questions

from .evaluated import question, table

NAMES = st.sets(st.integers(0, 200).map(str), min_size=1, max_size=30)


@settings(deadline=None, max_examples=40)
@given(NAMES, st.sampled_from("abc"), st.integers(1, 12))
def test_a_question_more_replaces_one_at_most(names: set[str], more: str, most: int) -> None:
    rows = [question(name, "Why?", ["docs/a"]) for name in sorted(names)]
    before = sample_questions(table(*rows), most)
    after = sample_questions(table(question(more, "Why?", ["docs/a"]), *rows), most)
    assert before.height == min(most, len(names))
    kept, now = set(before["question_id"]), set(after["question_id"])
    assert len(kept - now) <= 1
    assert len(now - kept) <= 1
    backwards = sample_questions(table(*rows[::-1]), most)
    assert set(backwards["question_id"]) == kept


def test_sets_are_sampled_apart_and_the_unjudged_are_left_out() -> None:
    rows = [question(str(number), "Why?", ["docs/a"]) for number in range(30)]
    others = [{**row, "dataset": "other"} for row in rows[:5]]
    unjudged = {**question("x", "Why?", ["docs/a"]), "answerable": None, "dataset": "other"}
    found = sample_questions(table(*rows, *others, unjudged), 10)
    assert dict(found.group_by("dataset").len().rows()) == {"golden": 10, "other": 5}
    assert found["question_id"].n_unique() == 15
    other = found.filter(dataset="other").with_columns(plain("other"))
    assert sorted(other["question_id"]) == [str(number) for number in range(5)]
