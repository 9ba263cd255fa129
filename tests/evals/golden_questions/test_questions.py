"""Question sets of every format become one table; what is wrong in them is said with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.golden_questions.questions import QuestionSetError, load_questions, train_half
from evals.golden_questions.schema import GOLDEN_QUESTIONS

GOLDEN = {
    "question_id": "leave",
    "question": "How many days?",
    "relevant": [{"document_id": "hr/leave.md", "quote": "five days"}],
    "answer": "Five.",
    "answerable": True,
    "groups": ["people"],
    "tags": ["hr"],
}


def write_lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def beir(folder: Path, queries: list[Any], **splits: str) -> Path:
    write_lines(folder / "queries.jsonl", *queries)
    (folder / "qrels").mkdir()
    for split, lines in splits.items():
        text = "query-id\tcorpus-id\tscore\n" + lines.replace(" ", "\t")
        (folder / "qrels" / f"{split}.tsv").write_text(text)
    return folder


def query(key: str, **metadata: Any) -> dict[str, Any]:
    return {"_id": key, "text": f"question {key}", "metadata": metadata}


def test_a_golden_set_keeps_everything_it_says(tmp_path: Path) -> None:
    unanswerable = {"question_id": "none", "question": "Who?", "relevant": [], "answerable": False}
    frame = load_questions(write_lines(tmp_path / "set.jsonl", GOLDEN, "", unanswerable))
    assert frame.schema == GOLDEN_QUESTIONS
    first, second = frame.rows(named=True)
    assert first["relevant"] == [
        {"document_id": "hr/leave.md", "quote": "five days", "page": None, "grade": 1}
    ]
    assert (first["groups"], first["tags"], first["answer"]) == (["people"], ["hr"], "Five.")
    assert (second["answerable"], second["relevant"], second["groups"]) == (False, [], [])


def test_what_a_beir_query_without_judgements_means(tmp_path: Path) -> None:
    folder = beir(
        tmp_path / "set",
        [
            query("judged"),
            query("impossible", is_impossible=True),
            query("of-train"),
            query("nobody-knows", is_impossible=False),
            query("nothing-relevant"),
        ],
        test="judged d1 2\njudged d2 0\nnothing-relevant d1 0\n",
        train="of-train d1 1\n",
    )
    rows = {row["question_id"]: row for row in load_questions(folder, "docs").rows(named=True)}
    assert {key: row["answerable"] for key, row in rows.items()} == {
        "judged": True,
        "impossible": False,
        "nobody-knows": None,
        "nothing-relevant": None,
    }
    assert rows["judged"]["relevant"] == [
        {"document_id": "docs/d1", "quote": None, "page": None, "grade": 2}
    ]
    train = load_questions(folder, "docs", "train")
    assert train.filter(answerable=True)["question_id"].to_list() == ["of-train"]


def test_the_only_split_is_read_and_else_test(tmp_path: Path) -> None:
    only = beir(tmp_path / "only", [query("a")], dev="a d 1\n")
    assert load_questions(only, "docs")["answerable"].to_list() == [True]
    two = beir(tmp_path / "two", [query("a")], dev="a d 1\n", train="a d 1\n")
    with pytest.raises(QuestionSetError, match="'test'; it has: dev, train"):
        load_questions(two, "docs")
    with pytest.raises(QuestionSetError, match="--source"):
        load_questions(only)


def test_cited_answers_name_their_pages(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "truth.jsonl",
        {"question": "What is covered?", "truth": "Teeth. [Plan A.pdf#page=3][b.pdf#page=12]"},
        {"question": "And eyes?", "truth": "I do not know."},
    )
    first, second = load_questions(path, "benefits").rows(named=True)
    assert [(item["document_id"], item["page"]) for item in first["relevant"]] == [
        ("benefits/Plan A.pdf", 3),
        ("benefits/b.pdf", 12),
    ]
    assert (first["answer"], first["answerable"]) == ("Teeth.", True)
    assert (second["answerable"], second["relevant"]) == (False, [])
    with pytest.raises(QuestionSetError, match="--source"):
        load_questions(path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ({**GOLDEN, "question": 3}, "'question'"),
        ({"question_id": "x", "question": "?", "relevant": []}, "'answerable'"),
        ({**GOLDEN, "relevant": [{"quote": "x"}]}, "'relevant.0.document_id'"),
        ({**GOLDEN, "relevant": []}, "nothing is relevant"),
        ({**GOLDEN, "answerable": False}, "something is relevant"),
        ({**GOLDEN, "question": " "}, "empty"),
        ({**GOLDEN, "relevant": [{"document_id": "d", "grade": 0}]}, "grade"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: Any, problem: str) -> None:
    other = {**GOLDEN, "question_id": "other"}
    with pytest.raises(QuestionSetError, match="line 3") as raised:
        load_questions(write_lines(tmp_path / "set.jsonl", other, "", line))
    assert problem in raised.value.message


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("a d 1\na d\n", "line 3: has 2 columns"),
        ("a d one\n", "line 2: the grade 'one'"),
        ("a d 1\nb d 1\n", "judges 1 query .* e.g. 'b'"),
    ],
)
def test_wrong_judgements_are_named(tmp_path: Path, lines: str, problem: str) -> None:
    with pytest.raises(QuestionSetError, match=problem):
        load_questions(beir(tmp_path / "set", [query("a")], test=lines), "docs")


def test_wrong_queries_are_named(tmp_path: Path) -> None:
    contradiction = beir(tmp_path / "a", [query("a", is_impossible=True)], test="a d 1\n")
    with pytest.raises(QuestionSetError, match="line 1: query 'a' is impossible and has"):
        load_questions(contradiction, "docs")
    number = beir(tmp_path / "b", [{"_id": 7, "text": "x"}], test="")
    with pytest.raises(QuestionSetError, match="line 1: '_id'"):
        load_questions(number, "docs")


def test_nothing_to_read_and_two_of_a_name(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match="no question set"):
        load_questions(tmp_path / "absent.jsonl")
    with pytest.raises(QuestionSetError, match="no questions"):
        load_questions(write_lines(tmp_path / "empty.jsonl"))
    with pytest.raises(QuestionSetError, match="the id 'leave'"):
        load_questions(write_lines(tmp_path / "twice.jsonl", GOLDEN, GOLDEN))


HALVES = [False, False, False, True]


def test_the_halves_are_stable_and_of_about_the_same_size() -> None:
    # these two must never change: a release's parameters were learned from one half of them
    assert [train_half(name) for name in ("0", "1", "2", "3")] == HALVES
    share = sum(train_half(str(number)) for number in range(2000)) / 2000
    assert share == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("name", "answerable", "unanswerable"),
    [
        ("anthropic_codebase", 248, 0),
        ("clapnq_half_a", 150, 153),
        ("hotpotqa_hipporag100", 100, 0),
        ("nq_open_oracle_pooled", 2655, 0),
        ("scifact_train", 809, 0),
        ("squad_v2_dev8", 1440, 1477),
    ],
)
def test_real_sets_are_read_as_their_authors_meant(
    shared_data: Path, name: str, answerable: int, unanswerable: int
) -> None:
    frame = load_questions(shared_data / "retrieval" / name, name)
    counts = dict(frame.group_by("answerable").len().rows())
    assert counts.pop(True) == answerable
    assert counts == ({False: unanswerable} if unanswerable else {})


def test_real_cited_answers_all_name_pages(shared_data: Path) -> None:
    frame = load_questions(shared_data / "e2e/azure_northwind/evals/ground_truth.jsonl", "azure")
    assert len(frame) == 50
    assert frame["answerable"].all()
