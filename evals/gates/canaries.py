"""Canary questions: a restricted document's own sentence, asked by callers who may not read it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

from rag_assets.chunks.sentences import sentence_starts
from rag_assets.query.access import MAX_GROUPS, PUBLIC, Caller, readable
from rag_assets.query.engine import QueryEngine
from rag_assets.query.retrieval.documents import best_passages
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.schema import NO_ACL

from .rights import Problem, named

DOCUMENTS_AN_ACL = 3
# beyond so many questions several groups ask together: what none of them may read, all may not
MOST_QUESTIONS = 300
HITS = 50
LONGEST_SENTENCE = 300
CHUNKS_READ = 3


@dataclass(frozen=True)
class Canary:
    """A restricted document and a sentence that only it is sure to answer."""

    document_id: str
    acl: tuple[str, ...]
    sentence: str


@dataclass
class CanaryResult:
    """What came of the canaries.

    Attributes:
        documents: restricted documents that were asked for.
        questions: how many were asked by callers without the right.
        unseen: documents that an administrator's search does not find by their own sentence either,
            so that their questions prove nothing.
        leaks: documents that reached somebody who may not read them, by which way.
    """

    documents: int = 0
    questions: int = 0
    unseen: list[str] = field(default_factory=list)
    leaks: list[Problem] = field(default_factory=list)


def restricted(manifest: pl.DataFrame, *, authenticated: bool) -> pl.DataFrame:
    """The documents that not everyone may read; ``RIGHTS``."""
    return manifest.filter(~readable(Caller(authenticated=authenticated)))


def sample(documents: pl.DataFrame, each: int = DOCUMENTS_AN_ACL) -> pl.DataFrame:
    """A few documents of every distinct ACL, the same ones as long as they are there.

    Args:
        documents: ``RIGHTS``.
        each: most documents of one ACL.
    """
    keyed = documents.with_columns(
        acl=pl.col("acl").fill_null([]).list.unique().list.sort(),
        order=pl.col("document_id").map_elements(_order, return_dtype=pl.String),
    )
    first = keyed.sort("order").group_by("acl", maintain_order=True).head(each)
    return first.select("document_id", "partition", "acl").sort("document_id")


def _order(document_id: str) -> str:
    return hashlib.sha256(document_id.encode()).hexdigest()


def make_canaries(documents: pl.DataFrame, reader: IndexReader) -> list[Canary]:
    """A sentence of every document that is in the index.

    Args:
        documents: ``RIGHTS``.
        reader: the candidate's version.
    """
    first = range(CHUNKS_READ)
    chunks = reader.neighbours(dict.fromkeys(documents["document_id"], first), None)
    texts: dict[str, list[str]] = {}
    for document, text in (
        chunks.sort("document_id", "ordinal").select("document_id", "text").rows()
    ):
        texts.setdefault(document, []).append(text)
    acls = dict(documents.select("document_id", "acl").rows())
    return [
        Canary(document, tuple(acls[document] or ()), sentence)
        for document, found in texts.items()
        if (sentence := _sentence(found))
    ]


def _sentence(texts: Sequence[str]) -> str:
    """The longest sentence with words: it says most about where it comes from."""
    found = [
        " ".join(text[start:end].split())
        for text in texts
        for start, end in _spans(text)
        if any(letter.isalnum() for letter in text[start:end])
    ]
    return max(found, key=len, default="")[:LONGEST_SENTENCE]


def _spans(text: str) -> list[tuple[int, int]]:
    edges = sorted({0, *sentence_starts(text, 0, len(text)), len(text)})
    return list(pairwise(edges))


def callers(
    canaries: Sequence[Canary], groups: set[str], *, authenticated: bool, most: int = MOST_QUESTIONS
) -> Iterator[tuple[Canary, Caller]]:
    """Who asks what: nobody's caller, then every other group, alone as long as that is not too much.

    Args:
        groups: of the whole deployment.
        most: groups ask together so that there are about so many questions.
    """
    others = {canary: sorted(groups - set(canary.acl) - {PUBLIC, NO_ACL}) for canary in canaries}
    total = sum(len(names) for names in others.values())
    together = min(max(1, -(-total // most)), MAX_GROUPS)
    for canary, names in others.items():
        yield canary, Caller(authenticated=authenticated)
        for start in range(0, len(names), together):
            party = frozenset(names[start : start + together])
            yield canary, Caller(party, authenticated=authenticated)


def ask_canaries(
    engine: QueryEngine,
    canaries: Sequence[Canary],
    manifest: pl.DataFrame,
    *,
    authenticated: bool,
) -> CanaryResult:
    """Ask every canary by those who may not read it, on the whole query path.

    Args:
        engine: pinned to the candidate.
        canaries: of its restricted documents.
        manifest: ``RIGHTS`` of all documents.
    """
    result = CanaryResult(documents=len(canaries))
    groups = set(manifest["acl"].explode().drop_nulls())
    for canary in canaries:
        found = engine.search(canary.sentence, Caller(admin=True), HITS)
        if canary.document_id not in {hit.document_id for hit in found}:
            result.unseen.append(canary.document_id)
    leaks: set[Problem] = set()
    for canary, caller in callers(canaries, groups, authenticated=authenticated):
        result.questions += 1
        leaks.update(leaked(engine, canary.sentence, caller, manifest))
    result.leaks = sorted(leaks)
    return result


def leaked(
    engine: QueryEngine, question: str, caller: Caller, manifest: pl.DataFrame
) -> list[Problem]:
    """Documents that a question brings to a caller whom the manifest forbids them, by which way.

    A document that the manifest does not know is forbidden to everybody.
    """
    found = seen(engine, question, caller)
    known = manifest.filter(pl.col("document_id").is_in(sorted(set().union(*found.values()))))
    allowed = set(known.filter(readable(caller))["document_id"])
    who = (
        "somebody in no group" if not caller.groups else f"a member of {named(set(caller.groups))}"
    )
    return [
        Problem(document, f"reached {who} as {way}")
        for way, documents in found.items()
        for document in sorted(documents - allowed)
    ]


def seen(engine: QueryEngine, question: str, caller: Caller) -> dict[str, set[str]]:
    """Every document that a caller sees of a question, by the way it comes.

    Answers quote: what an LLM writes is made of the same passages.
    """
    retrieval = engine.retrieve(question, caller, limit=HITS)
    answer, passages = engine.ask_and_read(question, caller, answerer="extractive")
    cited = [*answer.citations, *answer.closest]
    read = {part.document_id for passage in passages for part in (passage.hit, *passage.parts)}
    return {
        "a candidate": set(retrieval.candidates.document_id),
        "a hit": {hit.document_id for hit in retrieval.hits},
        "a document": {item.document_id for item in best_passages(retrieval.hits)},
        "a passage": read | {copy for passage in passages for copy in passage.copies},
        "a citation": {item.document_id for item in cited}
        | {copy for item in cited for copy in item.copies},
    }
