"""Erasing a document from the question sets that people keep: JSON Lines and BEIR folders.

Only lines that have to do with the document change; all others stay byte by byte, in their order.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction, leaves
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.platform.platform import Platform
from rag_assets.platform.storage import LocalStorage
from rag_assets.platform.wording import counted

from .beir import HEADER
from .erasure import phrases_of, without_document
from .feedback import LOCK_SECONDS
from .questions import CITED_PAGE
from .sets import question_sets

# a line as bytes with its end → what stands there afterwards; None where it goes
Edit = Callable[[bytes], bytes | None]
# some lines → which of them may have to do with the document; None: all
Concerned = Callable[[Sequence[bytes]], list[bool] | None]


@dataclass
class Cleaned:
    """The files of the sets as they are to be.

    Attributes:
        lines: that were looked at.
        changed: lines that change or go.
        files: new content by file; only those that change.
        kept: what stays and why.
    """

    lines: int = 0
    changed: int = 0
    files: dict[Path, bytes] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    def edit(self, path: Path, edit: Edit, concerned: Concerned = lambda lines: None) -> None:
        """Go through the lines of a file, or those of which ``concerned`` says so."""
        before = _lines(path)
        wanted = concerned(before) or [bool(line.strip()) for line in before]
        after = [edit(line) if want else line for line, want in zip(before, wanted, strict=True)]
        self.lines += len(before)
        self.changed += sum(old != new for old, new in zip(before, after, strict=True))
        if after != before:
            self.files[path] = b"".join(line for line in after if line is not None)


class QuestionSetsEraser:
    """Forgets the questions that a document answers, in the files of ``evaluation.sets``."""

    place = "question sets"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the lines that rest on the document or repeat it."""
        traces = lines = files = 0
        for _, _, cleaned in _sets(platform, subject):
            traces += cleaned.changed
            lines += cleaned.lines
            files += 1
        searched = f"{counted(lines, 'line')} of {counted(files, 'question set')}"
        return Found(searched, traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Replace the files that change, each atomically."""
        removed, kept = 0, []
        for name, path, found in _sets(platform, subject):
            lock = f"question-set-{sha256_text(str(path))[:16]}"
            with platform.lock(lock, doing=f"erasing from {path.name}", timeout=LOCK_SECONDS):
                # what somebody added meanwhile is there too
                cleaned = cleaned_set(path, _source(platform, name), subject)
                for file, content in cleaned.files.items():
                    _replace(file, content)
            removed += cleaned.changed
            kept += [f"Question set '{name}': {reason}" for reason in found.kept]
        return Erased(removed, tuple(kept))


def cleaned_set(path: Path, source: str, subject: Subject) -> Cleaned:
    """What a set is without a document; nothing is written.

    Args:
        path: a ``.jsonl`` file or a BEIR folder.
        source: of the documents that the set names without one.
        subject: the document.
    """
    cleaned, redaction = Cleaned(), phrases_of(subject)
    if path.is_dir():
        _clean_beir(path, source, subject, redaction, cleaned)
    elif path.is_file():
        cleaned.edit(
            path,
            lambda line: _edited(line, source, subject.document_id, redaction),
            lambda lines: _concerned(lines, source, subject.document_id, redaction),
        )
        if path in cleaned.files and not cleaned.files[path].strip():
            cleaned.kept.append("no question is left; take it out of evaluation.sets")
    return cleaned


def _sets(platform: Platform, subject: Subject) -> Iterator[tuple[str, Path, Cleaned]]:
    for name, wanted in sorted(question_sets(platform.settings).items()):
        path = Path(wanted.path).expanduser().resolve()  # a link stays a link
        yield name, path, cleaned_set(path, _source(platform, name), subject)


def _source(platform: Platform, name: str) -> str:
    sources = sorted(platform.settings.sources)
    wanted = question_sets(platform.settings)[name]
    return wanted.source or (sources[0] if len(sources) == 1 else "")


def _concerned(
    lines: Sequence[bytes], source: str, document_id: str, redaction: Redaction
) -> list[bool]:
    texts = [line.decode("utf-8", "replace").strip() for line in lines]
    name = document_id.removeprefix(f"{source}/")  # cited answers name files without their source
    held = redaction.holding(texts)
    return [
        holds or any(name in leaf for leaf in leaves(text))
        for holds, text in zip(held, texts, strict=True)
    ]


def _edited(line: bytes, source: str, document_id: str, redaction: Redaction) -> bytes | None:
    """A line of a JSONL set without the document."""
    row = _parsed(line)
    if row is None:
        return line
    cited = "truth" in row and "question_id" not in row
    new = _without_marks(row, source, document_id) if cited else row
    if new is not None and not cited:
        new = _golden(row, document_id, redaction)
    if new is None:
        return None
    new = redaction.values([new])[0]
    return line if new == row else _written(new, line)


def _golden(row: dict[str, Any], document_id: str, redaction: Redaction) -> dict[str, Any] | None:
    if "question" not in row:
        return row
    new = without_document(row, document_id, redaction)
    if new is None or new is row:
        return None if new is None else row
    # what was never there is not written as null
    return {key: value for key, value in new.items() if value is not None or row[key] is None}


def _without_marks(row: dict[str, Any], source: str, document_id: str) -> dict[str, Any] | None:
    """A cited answer without the marks of the document; None where nothing else is cited."""
    files = [file for file, _ in CITED_PAGE.findall(row["truth"])]
    left = [file for file in files if f"{source}/{file}" != document_id]
    if files and not left:
        return None
    truth = CITED_PAGE.sub(
        lambda found: "" if f"{source}/{found[1]}" == document_id else found[0], row["truth"]
    )
    return {**row, "truth": truth}


def _clean_beir(
    folder: Path, source: str, subject: Subject, redaction: Redaction, cleaned: Cleaned
) -> None:
    corpus_id = subject.document_id.removeprefix(f"{source}/")
    files = sorted((folder / "qrels").glob("*.tsv"))
    judged = [line for file in files for line in map(_judgement, _lines(file)) if line]
    if corpus_id == subject.document_id:  # of another source
        judged, files = [], []
    relevant: dict[str, set[str]] = {}
    for query, document, grade in judged:
        if grade > 0:
            relevant.setdefault(query, set()).add(document)
    gone = {query for query, documents in relevant.items() if documents == {corpus_id}}
    queries = folder / "queries.jsonl"
    asked = [row for row in map(_parsed, _lines(queries)) if row]
    held = redaction.holding([row.get("text") for row in asked])
    gone |= {str(row.get("_id")) for row, holds in zip(asked, held, strict=True) if holds}
    for file in sorted((folder / "qrels").glob("*.tsv")):
        cleaned.edit(file, lambda line: _left(line, gone, corpus_id if files else None))
    if queries.is_file():
        cleaned.edit(
            queries,
            lambda line: _query(line, gone, redaction),
            lambda lines: _asked(lines, gone, redaction),
        )
    if (folder / "corpus.jsonl").is_file():
        cleaned.kept.append("corpus.jsonl is a source of documents, and stays as it is")


def _left(line: bytes, gone: set[str], corpus_id: str | None) -> bytes | None:
    judgement = _judgement(line)
    if judgement is None:
        return line
    query, document, _ = judgement
    return None if query in gone or document == corpus_id else line


def _asked(lines: Sequence[bytes], gone: set[str], redaction: Redaction) -> list[bool]:
    held = redaction.holding([line.decode("utf-8", "replace").strip() for line in lines])
    ids = [str((_parsed(line) or {}).get("_id")) for line in lines]
    return [holds or query in gone for holds, query in zip(held, ids, strict=True)]


def _query(line: bytes, gone: set[str], redaction: Redaction) -> bytes | None:
    row = _parsed(line)
    if row is None:
        return line
    if str(row.get("_id")) in gone:
        return None
    new = redaction.values([row])[0]
    return line if new == row else _written(new, line)


def _judgement(line: bytes) -> tuple[str, str, int] | None:
    """query, document and grade of a line; None for the header and what is none."""
    cells = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
    if cells == HEADER or len(cells) != len(HEADER):
        return None
    return (cells[0], cells[1], int(cells[2])) if cells[2].lstrip("-").isdigit() else None


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.is_file() else []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _written(row: dict[str, Any], line: bytes) -> bytes:
    end = line[len(line.rstrip(b"\r\n")) :]
    return json.dumps(row, ensure_ascii=False).encode() + end


def _replace(path: Path, content: bytes) -> None:
    with LocalStorage(path.parent).writing(path.name, durable=True) as temporary:
        temporary.write_bytes(content)
        shutil.copymode(path, temporary)
