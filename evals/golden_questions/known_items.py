"""Questions made from the documents themselves: a sentence asks for the document that says it.

They need no LLM and nobody's time, so that every corpus has questions from its first day. A question
is made of its own document alone and documents are drawn by the hash of their id: adding, editing or
deleting one document leaves the questions of all others as they are.

They guard against regressions; they say nothing about the fusion weight. Words taken from a document
find it by BM25 almost always: learned from them the weight of the dense leg was 0 on six sets of real
questions, which costs .02 to .07 nDCG@10 there against equal weights; see docs/evaluation.md.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from rag_assets.chunks.sentences import sentence_starts
from rag_assets.platform.fingerprint import canonical_json, sha256_text
from rag_assets.query.access import PUBLIC
from rag_assets.query.evidence.words import STOP_WORDS

from .questions import train_half
from .schema import GOLDEN_QUESTIONS

FORM = "every other content word"
SHORTEST, LONGEST = 8, 60  # words of a sentence that is asked
MOST_CHARACTERS = 600
MIN_DISTINCT = 6  # words, without regard to case
MIN_LETTERS = 0.7  # of what is not white space
MIN_WORDS = 3  # of a question
# sampled beyond what is wanted, for those whose sentences turn out to be said elsewhere too
SPARE = 2

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NOT_PROSE = ("#", "|", "`", "<", "{", "}")


@dataclass(frozen=True)
class _Item:
    document_id: str
    acl: tuple[str, ...]
    sentences: tuple[str, ...]  # in the order in which they are asked


def known_items(
    partitions: Iterable[pl.DataFrame], count: int, *, authenticated: bool = False
) -> pl.DataFrame:
    """Make questions whose answers are known without asking anybody.

    Every document gives one question, and then a second one each, as long as more are wanted. Which
    documents and which sentences is decided by their hashes.

    Args:
        partitions: the documents, read twice: document_id, text (null: not readable), acl. A document
            is in one of them only.
        count: most questions.
        authenticated: whether a document without an ACL is for nobody; then it is not asked for.

    Returns:
        ``GOLDEN_QUESTIONS`` of origin ``known_item``; the sentence is the quote.
    """
    sampled = _sample(partitions, count, authenticated=authenticated) if count else []
    repeated = _repeated({text for item in sampled for text in item.sentences}, partitions)
    rows = [_row(item, sentence) for item, sentence in _in_turn(sampled, repeated)[:count]]
    return pl.DataFrame(rows, schema=GOLDEN_QUESTIONS, orient="row")


def informative_sentences(text: str) -> Iterator[str]:
    """The sentences of a text that say enough to be asked for, as they stand in it.

    No headings, table rows and code; enough different words, mostly letters.
    """
    for start, end in pairwise([0, *sentence_starts(text, 0, len(text)), len(text)]):
        sentence = text[start:end].strip()
        if sentence and len(sentence) <= MOST_CHARACTERS and _informative(sentence):
            yield sentence


def ask_for(sentence: str) -> str:
    """The question of a sentence: every other of its content words, in their order.

    The whole sentence would find itself by its words whatever the index is worth.
    """
    words = [word for word in _WORD.findall(sentence) if word.casefold() not in STOP_WORDS]
    return " ".join(words[::2])


def known_item_id(document_id: str, sentence: str) -> str:
    """The id of a question: the same for the same sentence of the same document, whatever its form."""
    return f"known-{sha256_text(canonical_json([document_id, sentence]))[:16]}"


def _informative(sentence: str) -> bool:
    if sentence.startswith(_NOT_PROSE):
        return False
    words = _WORD.findall(sentence)
    if not SHORTEST <= len(words) <= LONGEST:
        return False
    letters = sum(letter.isalpha() for letter in sentence)
    written = sum(not letter.isspace() for letter in sentence)
    distinct = len({word.casefold() for word in words})
    asked = len(ask_for(sentence).split())
    return letters >= MIN_LETTERS * written and distinct >= MIN_DISTINCT and asked >= MIN_WORDS


def _sample(partitions: Iterable[pl.DataFrame], count: int, *, authenticated: bool) -> list[_Item]:
    """The documents with the lowest hashes among those that can be asked for, lowest first."""
    found: list[_Item] = []
    for documents in partitions:
        rows = documents.select("document_id", "text", "acl").rows()
        rows.sort(key=lambda row: sha256_text(row[0]))
        found += _first_askable(rows, SPARE * count, count, authenticated=authenticated)
        found.sort(key=lambda item: sha256_text(item.document_id))
        del found[SPARE * count :]
    return found


def _first_askable(
    rows: Sequence[tuple[str, str | None, list[str] | None]],
    documents: int,
    sentences: int,
    *,
    authenticated: bool,
) -> list[_Item]:
    found: list[_Item] = []
    for document_id, text, acl in rows:
        if len(found) == documents:
            break
        if not text or (authenticated and not acl):
            continue
        said = sorted(
            dict.fromkeys(informative_sentences(text)),
            key=lambda sentence: known_item_id(document_id, sentence),
        )
        if said:
            found.append(_Item(document_id, tuple(acl or ()), tuple(said[: SPARE * sentences])))
    return found


def _repeated(sentences: set[str], partitions: Iterable[pl.DataFrame]) -> set[str]:
    """Those that several documents say: they ask for none of them."""
    if not sentences:
        return set()
    patterns = sorted(sentences)
    said: Counter[str] = Counter()
    for documents in partitions:
        texts = documents["text"].drop_nulls()
        found = texts.str.extract_many(patterns, overlapping=True).list.unique()
        said.update(found.explode().drop_nulls().to_list())
    return {sentence for sentence, documents in said.items() if documents > 1}


def _in_turn(sampled: Sequence[_Item], repeated: set[str]) -> list[tuple[_Item, str]]:
    """The first sentence of every document, then the second ones, and so on."""
    turns = [
        (turn, place, item, sentence)
        for place, item in enumerate(sampled)
        for turn, sentence in enumerate(text for text in item.sentences if text not in repeated)
    ]
    turns.sort(key=lambda entry: entry[:2])
    return [(item, sentence) for _, _, item, sentence in turns]


def _row(item: _Item, sentence: str) -> dict[str, object]:
    question_id = known_item_id(item.document_id, sentence)
    relevant = {"document_id": item.document_id, "quote": sentence, "page": None, "grade": 1}
    return {
        "question_id": question_id,
        "question": ask_for(sentence),
        "relevant": [relevant],
        "answer": None,
        "answerable": True,
        "groups": sorted(set(item.acl) - {PUBLIC}),
        "tags": ["known_item"],
        "half": "train" if train_half(question_id) else "report",
        "forbidden": [],
        "origin": "known_item",
        "provenance": canonical_json({"document_id": item.document_id, "form": FORM}),
    }
