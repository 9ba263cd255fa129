"""Evaluations, golden sets and pages forget a document; everything else in them stays as it was."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from evals.answer_evaluation.results import read_answers, read_judgements
from evals.answer_evaluation.results import store as store_answers
from evals.erasure import evaluation_erasers
from evals.evaluation_dashboard.asset import dashboard_folder
from evals.evaluations import Evaluation, Evaluations
from evals.golden_questions.collect import (
    question_hashes,
    questions_version,
    read_golden_questions,
    refresh_golden_questions,
)
from evals.golden_questions.known_items import ask_for
from evals.golden_questions.questions import load_questions
from evals.golden_questions.set_erasure import cleaned_set
from evals.judges.judgements import judgement_documents, judgements
from evals.judges.schema import JUDGEMENTS
from evals.live.schema import LIVE_JUDGEMENTS
from evals.live.store import judgements_of, replace_judgements
from evals.retrieval_evaluation.results import read_results
from evals.retrieval_evaluation.results import store as store_retrieval
from rag_assets.erasure.base import Subject
from rag_assets.erasure.redaction import FORGOTTEN, Redaction
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import (
    EvaluationSettings,
    QuestionSetSettings,
    Settings,
    SourceSettings,
)
from rag_assets.platform.tables import Stamp
from rag_assets.query.erasure import QueryLogEraser
from rag_assets.query.log import AnswerLog
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from tests.evals.gates.rows import answers, frame, results
from tests.platform.databases import fresh_database
from tests.query.test_log import example

GONE = "docs/a"
SAYS = (
    "The caretaker of the old mill oils the great wheel twice a year before the spring flood comes."
)
OTHER = (
    "The harbour office of the town reads the rain gauge every morning at seven past six o'clock."
)
SUBJECT = Subject(GONE, texts=(SAYS,), phrases=(SAYS,))
LINES = [
    '{"question_id": "kept", "question":"Who reads it?",  '
    '"relevant": [{"document_id": "docs/b"}], "answerable": true}',
    json.dumps(
        {
            "question_id": "gone",
            "question": "Who oils it?",
            "relevant": [{"document_id": GONE, "quote": SAYS}],
            "answer": SAYS,
            "answerable": True,
        }
    ),
    json.dumps(
        {
            "question_id": "both",
            "question": "Who works here?",
            "relevant": [{"document_id": GONE, "quote": SAYS}, {"document_id": "docs/b"}],
            "answer": f"Two people. {SAYS}",
            "answerable": True,
            "forbidden": [GONE, "docs/z"],
        }
    ),
    "",
    '{"question_id": "moon", "question": "Who oils the mööon?", "relevant": [], "answerable": false}',
]


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    sets = {"house": QuestionSetSettings(path=str(tmp_path / "house.jsonl"))}
    (tmp_path / "house.jsonl").write_text("\r\n".join(LINES) + "\r\n", encoding="utf-8", newline="")
    values: dict[str, Any] = {
        "home": str(tmp_path / "home"),
        "sources": {"docs": SourceSettings(path=str(tmp_path))},
        "evaluation": EvaluationSettings(sets=sets, known_items=4),
        "database_url": fresh_database(request, tmp_path),
    }
    platform = Platform(Settings(**values))
    write_documents(platform)
    yield platform
    platform.database.dispose()


def write_documents(platform: Platform) -> None:
    rows = [
        {"document_id": f"docs/{name}", "content_sha256": name * 64, "acl": ["public"]}
        for name in "ab"
    ]
    stamp = Stamp("", "", "")
    platform.tables.write("raw_documents", "docs", frame(RAW_DOCUMENTS, rows), stamp)
    texts = [
        {**row, "status": "parsed", "text": text, "stale": False}
        for row, text in zip(rows, (SAYS, OTHER), strict=True)
    ]
    parsed = [{name: row.get(name) for name in PARSED_DOCUMENTS} for row in texts]
    platform.tables.write("parsed_documents", "docs", frame(PARSED_DOCUMENTS, parsed), stamp)


def erase(platform: Platform) -> dict[str, int]:
    """Run every eraser; what each removed. Before and after it is looked for."""
    erasers = [*evaluation_erasers(), QueryLogEraser()]
    before = {eraser.place: eraser.find(platform, SUBJECT).traces for eraser in erasers}
    removed = {eraser.place: eraser.erase(platform, SUBJECT).removed for eraser in erasers}
    after = {eraser.place: eraser.find(platform, SUBJECT).traces for eraser in erasers}
    assert set(after.values()) == {0}, after
    assert {place for place, count in before.items() if count} == {
        place for place, count in removed.items() if count
    }
    return removed


def texts(platform: Platform) -> str:
    """Every table of the evaluations and of the database, decoded."""
    home = Path(platform.settings.home)
    found = [
        str(pl.read_parquet(path).to_dicts())
        for path in sorted(home.rglob("tables/*.parquet"))
        + sorted(home.rglob("tables/*n*/*.parquet"))
        if path.parent.name not in ("raw_documents", "parsed_documents")
    ]
    with platform.database.connect() as connection:
        for name in sa.inspect(platform.database).get_table_names():
            found += [str(row) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"'))]
    return "\n".join(found)


def test_golden_questions_and_their_sets(platform: Platform, tmp_path: Path) -> None:
    asked = refresh_golden_questions(platform, "run")
    assert set(asked["question_id"]) >= {"kept", "gone", "both", "moon"}
    assert asked.filter(origin="known_item").height == 2

    removed = erase(platform)

    assert (removed["golden questions"], removed["question sets"]) == (3, 2)
    left = read_golden_questions(platform)
    assert left.filter(pl.col("origin") != "known_item")["question_id"].to_list() == [
        "kept",
        "both",
        "moon",
    ]
    (known,) = left.filter(origin="known_item")["relevant"].to_list()
    assert known[0]["document_id"] == "docs/b"
    assert left["question_sha256"].to_list() == question_hashes(left).to_list()
    stamp = platform.tables.stamp("golden_questions", "")
    assert stamp is not None
    assert stamp.facts["version"] == questions_version(left)
    lines = (tmp_path / "house.jsonl").read_bytes().split(b"\r\n")
    assert [line.decode() for line in (lines[0], lines[2], lines[3], lines[4])] == [
        LINES[0],
        "",
        LINES[4],
        "",
    ]
    both = json.loads(lines[1])
    assert (both["relevant"], both["forbidden"]) == ([{"document_id": "docs/b"}], ["docs/z"])
    assert "answer" not in both
    assert SAYS not in texts(platform)
    # what the files say now is what the table says
    again = refresh_golden_questions(platform, "run")
    assert again.filter(pl.col("origin") != "known_item")["question_id"].to_list() == [
        "kept",
        "both",
        "moon",
    ]


def test_stored_evaluations(platform: Platform) -> None:
    refresh_golden_questions(platform, "run")
    rows = results("house", [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]).with_columns(
        relevant=pl.Series([[GONE], ["docs/b"], ["docs/b"]]),
        ranking=pl.Series([[GONE], ["docs/b", GONE], ["docs/b"]]),
        baseline_ranking=pl.Series([[GONE], [GONE, "docs/b"], ["docs/b"]]),
        evidence_note=pl.lit(f"{GONE} does not say: {SAYS[:70]}…"),
    )
    found = Evaluation("retrieval", "house", 1, {"unresolved": {"questions": {"q": [SAYS]}}})
    store_retrieval(platform, [(found, rows)])
    answered = answers("house", [{}, {"answer": f"{SAYS} [1]"}, {"cited": [GONE]}, {}])
    answered = answered.with_columns(
        question_sha256=pl.concat([rows["question_sha256"], pl.Series(["x"])]),
        reference=pl.lit("right"),
    )
    judged = frame(
        JUDGEMENTS,
        [
            {"sample_id": f"q{number}", "metric": "m", "reason": "because", "key": str(number)}
            for number in range(4)
        ],
    )
    answer = Evaluation("answer", "house", 1, {})
    store_answers(platform, answer, answered, judged)
    stamp = platform.tables.stamp("retrieval_evaluation", found.evaluation_id)

    removed = erase(platform)

    assert removed["answer evaluations"] == 3 + 3
    assert removed["retrieval evaluations"] == 3
    assert removed["records of evaluations"] == 1
    left = read_results(platform, found)
    assert left["question_id"].to_list() == ["q1", "q2"]
    assert left["ranking"].to_list() == [["docs/b", FORGOTTEN], ["docs/b"]]
    assert left["baseline_ranking"].to_list() == [[FORGOTTEN, "docs/b"], ["docs/b"]]
    assert left["ndcg"].to_list() == rows["ndcg"].to_list()[1:]
    after = platform.tables.stamp("retrieval_evaluation", found.evaluation_id)
    assert stamp is not None
    assert after is not None
    assert asdict(after) == asdict(stamp) | {"facts": {**stamp.facts, "rows": 2}}
    kept = read_answers(platform, answer)
    assert kept["question_id"].to_list() == ["q1", "q2", "q3"]
    assert kept["answer"].to_list() == [None, None, "it is 3"]
    assert kept["cited"].to_list()[1] == [FORGOTTEN]
    reasons = read_judgements(platform, answer).select("sample_id", "reason", "key").rows()
    assert reasons == [("q1", "", ""), ("q2", "", ""), ("q3", "because", "3")]
    summary = Evaluations(platform.database).all("retrieval")[0].summary
    assert summary == {"unresolved": {"questions": {"q": [FORGOTTEN]}}}
    said = texts(platform)
    assert SAYS[:40] not in said
    assert GONE not in said


def test_judgements_of_real_and_golden_answers(platform: Platform) -> None:
    AnswerLog(platform.database).record(example("a1"))
    rows = frame(
        LIVE_JUDGEMENTS,
        [
            {
                **dict.fromkeys(LIVE_JUDGEMENTS, 0),
                "answer_id": name,
                "metric": "m",
                "version": "1",
                "judge": "j",
                "status": "ok",
                "reason": reason,
                "score": 0.5,
            }
            for name, reason in (("a1", "it repeats it"), ("a2", "fine"), ("a3", f"no: {SAYS}"))
        ],
    )
    replace_judgements(platform.database, date(2026, 3, 1), rows)
    numbers = ("verdicts", "calls", "prompt_tokens", "completion_tokens", "cost_usd", "seconds")
    with platform.database.begin() as connection:
        for key, reason, document in (
            ("1", "x", GONE),
            ("2", "y", "docs/b"),
            ("3", f"«{SAYS}»", "docs/b"),
        ):
            row = {"key": key, "metric": "m", "version": "1", "judge": "j", "reason": reason}
            values = {
                **row,
                **dict.fromkeys(numbers, 0),
                "score": 1,
                "judged_at": datetime.now(UTC),
            }
            connection.execute(sa.insert(judgements).values(**values))
            link = {"key": key, "document_id": document}
            connection.execute(sa.insert(judgement_documents).values(**link))

    removed = erase(platform)

    assert (removed["judgements"], removed["evaluations of real answers"]) == (2, 2)
    left = judgements_of(platform.database, date(2026, 3, 1))
    assert dict(left.select("answer_id", "reason").rows()) == {
        "a1": "",
        "a2": "fine",
        "a3": f"no: {FORGOTTEN}",
    }
    assert left["score"].to_list() == [0.5] * 3
    with platform.database.connect() as connection:
        assert connection.execute(sa.select(judgements.c.key)).scalars().all() == ["2"]
        assert connection.execute(sa.select(judgement_documents.c.key)).scalars().all() == ["2"]


@pytest.mark.parametrize("trace", [SAYS, ask_for(SAYS), GONE, json.dumps(SAYS)])
def test_the_dashboard_is_removed_when_it_shows_something(platform: Platform, trace: str) -> None:
    folder = dashboard_folder(platform)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("a page", encoding="utf-8")
    assert erase(platform)["dashboard"] == 0
    assert (folder / "index.html").exists()
    (folder / "data-0123456789ab.js").write_text(f"let data = [{trace}]", encoding="utf-8")

    assert erase(platform)["dashboard"] == 2

    assert list(folder.iterdir()) == []


def test_a_beir_folder(tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    queries = [
        {"_id": "1", "text": "Who oils it?"},
        {"_id": "2", "text": "Who reads it?", "metadata": {"answers": [SAYS]}},
        {"_id": "3", "text": "Who pays?"},
        {"_id": "4", "text": SAYS},
    ]
    lines = [json.dumps(query) + "\n" for query in queries]
    (folder / "queries.jsonl").write_text("".join(lines))
    judged = ["1\ta\t2", "1\tb\t0", "2\ta\t1", "2\tb\t1", "3\tb\t1", "4\tb\t1"]
    head = "query-id\tcorpus-id\tscore\n"
    (folder / "qrels" / "test.tsv").write_text(head + "\n".join(judged) + "\n")

    for file, content in cleaned_set(folder, "docs", SUBJECT).files.items():
        file.write_bytes(content)

    assert (folder / "qrels" / "test.tsv").read_text() == head + "2\tb\t1\n3\tb\t1\n"
    left = (folder / "queries.jsonl").read_text().splitlines(keepends=True)
    assert left[1:] == [lines[2]]
    assert json.loads(left[0])["metadata"] == {"answers": [FORGOTTEN]}
    assert load_questions(folder, "docs")["question_id"].to_list() == ["2", "3"]
    assert cleaned_set(folder, "docs", SUBJECT).changed == 0


def test_cited_answers_and_documents_of_other_sources(tmp_path: Path) -> None:
    path = tmp_path / "cited.jsonl"
    rows = [
        {"question": "Who?", "truth": "The caretaker [a#page=1]"},
        {"question": "Who else?", "truth": "Two people [a#page=1][b#page=2]"},
        {"question": "Where?", "truth": "Here [b#page=2]"},
    ]
    lines = [json.dumps(row) + "\n" for row in rows]
    path.write_text("".join(lines))
    assert cleaned_set(path, "wiki", SUBJECT).files == {}
    (content,) = cleaned_set(path, "docs", SUBJECT).files.values()
    kept = content.decode().splitlines(keepends=True)
    assert json.loads(kept[0])["truth"] == "Two people [b#page=2]"
    assert kept[1:] == lines[2:]


def test_a_set_that_is_left_without_questions_says_so(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "house.jsonl").write_text(LINES[1] + "\n")
    (eraser,) = [item for item in evaluation_erasers() if item.place == "question sets"]
    done = eraser.erase(platform, SUBJECT)
    assert done.removed == 1
    assert "no question is left" in done.kept[0]
    assert Redaction([SAYS]).has((tmp_path / "house.jsonl").read_text()) is False
