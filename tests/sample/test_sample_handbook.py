"""The sample handbook and its golden questions agree with each other."""

import json
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kreuzberg import ExtractionConfig, KreuzbergError, extract_file_sync

from rag_assets.raw_documents.front_matter import read_front_matter

SAMPLE = Path(__file__).parents[2] / "sample"
HANDBOOK = SAMPLE / "handbook"
SIDECAR = ".meta.toml"
DAMAGED = HANDBOOK / "it/archive/scan-2019-damaged.pdf"
EMPTY = HANDBOOK / "office/archive/parking-notes.txt"
GROUPS = {"people-team", "finance-team", "leadership"}
EXPECTED_COUNTS = {
    ".md": 25,
    ".html": 4,
    ".pdf": 5,  # with the damaged one
    ".docx": 4,
    ".pptx": 3,
    ".xlsx": 3,
    ".csv": 3,
    ".eml": 3,
    ".txt": 4,  # with the empty one
}
MAX_BYTES = 1_000_000


def documents() -> list[Path]:
    """All documents, without the sidecar files."""
    return sorted(
        path for path in HANDBOOK.rglob("*") if path.is_file() and not path.name.endswith(SIDECAR)
    )


def load_questions() -> list[dict[str, Any]]:
    lines = (SAMPLE / "golden_questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


QUESTIONS = load_questions()
EVIDENCE = [
    pytest.param(item["document_id"], item["quote"], id=f"{question['question_id']}-{number}")
    for question in QUESTIONS
    for number, item in enumerate(question["relevant"])
]


def normalise(text: str) -> str:
    """Drop Markdown markers and collapse white space."""
    return " ".join(re.sub(r"[*_|#>\\]", "", text).split())


@cache
def extracted(document_id: str) -> str:
    config = ExtractionConfig(output_format="markdown", use_cache=False)
    return normalise(extract_file_sync(SAMPLE / document_id, config=config).content)


def declared_acl(path: Path) -> list[str]:
    """The access list in the front matter or the sidecar; empty if there is none."""
    sidecar = path.with_name(path.name + SIDECAR)
    if sidecar.exists():
        return list(tomllib.loads(sidecar.read_text(encoding="utf-8")).get("acl", []))
    if path.suffix == ".md":
        return list((read_front_matter(path.read_bytes()) or {}).get("acl", []))
    return []


def tagged(tag: str) -> list[dict[str, Any]]:
    return [question for question in QUESTIONS if tag in question["tags"]]


def test_number_of_documents_per_format() -> None:
    assert Counter(path.suffix for path in documents()) == EXPECTED_COUNTS
    assert 44 <= len(documents()) <= 55


def test_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < MAX_BYTES


def test_exactly_one_empty_file() -> None:
    assert [path for path in documents() if path.stat().st_size == 0] == [EMPTY]


def test_damaged_pdf_cannot_be_parsed() -> None:
    assert DAMAGED.read_bytes().startswith(b"%PDF-")
    with pytest.raises(KreuzbergError):
        extract_file_sync(DAMAGED, config=ExtractionConfig(use_cache=False))


@pytest.mark.parametrize(
    "path",
    [path for path in documents() if path not in (DAMAGED, EMPTY)],
    ids=lambda path: str(path.relative_to(HANDBOOK)),
)
def test_document_has_text(path: Path) -> None:
    assert len(extracted(str(path.relative_to(SAMPLE).as_posix())).split()) >= 120


def test_sidecars_belong_to_a_document() -> None:
    for sidecar in HANDBOOK.rglob("*" + SIDECAR):
        assert sidecar.with_name(sidecar.name.removesuffix(SIDECAR)).exists(), sidecar
        assert tomllib.loads(sidecar.read_text(encoding="utf-8"))["title"]


def test_restricted_documents() -> None:
    restricted = {path: set(acl) for path in documents() if (acl := declared_acl(path))}
    assert len(restricted) == 5
    assert set().union(*restricted.values()) == GROUPS


def test_question_records_are_complete() -> None:
    for question in QUESTIONS:
        expected = {"question_id", "question", "relevant", "answer", "answerable", "tags"}
        assert set(question) - {"groups"} == expected, question
        assert re.fullmatch(r"[a-z0-9-]+", question["question_id"])
        assert question["question"].strip()
        assert question["answer"].strip()
        assert question["answerable"] is bool(question["relevant"]), question["question_id"]
        assert ("unanswerable" in question["tags"]) is not question["answerable"]


def test_question_ids_and_texts_are_unique() -> None:
    assert len({question["question_id"] for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)


def test_minimum_numbers_of_questions() -> None:
    assert len(QUESTIONS) >= 66
    assert sum(not question["answerable"] for question in QUESTIONS) >= 16
    assert len(tagged("restricted")) >= 6
    assert len(tagged("german")) >= 8
    assert len(tagged("table")) >= 6
    assert len(tagged("multi-document")) >= 3
    assert len(tagged("near-duplicate")) >= 3


def test_every_format_and_folder_has_a_question() -> None:
    used = {Path(item["document_id"]) for question in QUESTIONS for item in question["relevant"]}
    assert {path.suffix for path in used} == set(EXPECTED_COUNTS)
    top_folders = {path.relative_to(HANDBOOK).parts[0] for path in documents()}
    assert {path.parts[1] for path in used} == top_folders


def test_groups_of_questions_match_the_access_lists() -> None:
    for question in QUESTIONS:
        acls = [set(declared_acl(SAMPLE / item["document_id"])) for item in question["relevant"]]
        needed = [acl for acl in acls if acl]
        assert bool(needed) == ("restricted" in question["tags"]), question["question_id"]
        readers = set.intersection(*needed) if needed else set()
        assert set(question.get("groups", [])) == readers, question["question_id"]


@pytest.mark.parametrize(("document_id", "quote"), EVIDENCE)
def test_quote_is_in_the_extracted_text(document_id: str, quote: str) -> None:
    assert (SAMPLE / document_id).is_file()
    assert normalise(quote) in extracted(document_id)


def test_question_does_not_repeat_the_quote() -> None:
    for question in QUESTIONS:
        for item in question["relevant"]:
            if len(item["quote"].split()) > 3:
                assert item["quote"].lower() not in question["question"].lower()
