"""Made-up documents, their chunks as hits, and an index that fetches neighbours of them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from rag_assets.query.answer import Hit


def hit(text: str = "text", **changes: Any) -> Hit:
    """A hit with every field filled in; ``changes`` replace fields."""
    document = changes.get("document_id", "docs/a")
    ordinal = changes.get("ordinal", 0)
    values: dict[str, Any] = {
        "chunk_id": f"{document}#{ordinal}",
        "document_id": document,
        "source": "docs",
        "ordinal": ordinal,
        "title": "Title",
        "text": text,
        "heading_path": [],
        "uri": f"file:///{document}",
        "char_start": 0,
        "char_end": changes.get("char_start", 0) + len(text),
        "page_first": None,
        "page_last": None,
        "token_count": len(text.split()),
        "modified_at": None,
        "content_sha256": "c" * 64,
        "attributes": {},
        "stale": False,
        "score": 1.0,
    }
    return Hit(**{**values, **changes})


def words(text: str) -> int:
    """A count of tokens that is easy to follow."""
    return len(text.split())


def quarters(text: str) -> int:
    """The usual estimate: four characters are a token."""
    return math.ceil(len(text) / 4)


def erratic(text: str) -> int:
    """A count that can fall when a text grows, as those of real tokenizers do now and then."""
    return len(text) // 3 + (7 if len(text) % 5 == 0 else 0)


class Index:
    """What the engine's ``fetch`` does, and what it was asked."""

    def __init__(self, chunks: Sequence[Hit], unreadable: Sequence[str] = ()) -> None:
        self.chunks = {(chunk.document_id, chunk.ordinal): chunk for chunk in chunks}
        self.unreadable = set(unreadable)
        self.calls: list[Mapping[str, Sequence[int]]] = []

    def fetch(self, wanted: Mapping[str, Sequence[int]]) -> list[Hit]:
        """The readable chunks of what is wanted, in no helpful order."""
        self.calls.append(wanted)
        places = [(name, number) for name, numbers in wanted.items() for number in numbers]
        found = [self.chunks[place] for place in reversed(places) if place in self.chunks]
        return [chunk for chunk in found if chunk.chunk_id not in self.unreadable]


WORDS = st.sampled_from(
    ["leave", "not", "£150", "£165", "the", "fee", "is", "2026", "May", "due", "é", "休", "x"]
)


@st.composite
def corpus(draw: st.DrawFn) -> tuple[dict[str, str], list[Hit]]:
    """Documents by id with their texts, and all of their chunks; chunks may overlap."""
    texts: dict[str, str] = {}
    chunks: list[Hit] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"docs/{number}"
        sentences = draw(st.lists(st.lists(WORDS, min_size=1, max_size=8), min_size=1, max_size=9))
        text = " ".join(" ".join(sentence).capitalize() + "." for sentence in sentences)
        overlap = draw(st.sampled_from([0, 0, 3]))
        size = draw(st.sampled_from([12, 30, 80]))
        path: list[str] = []
        for ordinal, start in enumerate(range(0, len(text), size)):
            path = draw(st.sampled_from([path, path, ["A"], ["A", "B"], ["C"]]))
            first = max(0, start - overlap)
            chunks.append(
                hit(
                    text[first : start + size],
                    document_id=name,
                    ordinal=ordinal,
                    heading_path=path,
                    char_start=first,
                )
            )
        texts[name] = text
    return texts, chunks


@st.composite
def search(draw: st.DrawFn) -> tuple[dict[str, str], list[Hit], list[Hit]]:
    """A corpus and some of its chunks with falling scores, as a search returns them."""
    texts, chunks = draw(corpus())
    order = draw(st.permutations(chunks))
    count = draw(st.integers(0, min(8, len(order))))
    scores = sorted(draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)), reverse=True)
    found = [
        hit(
            chunk.text,
            document_id=chunk.document_id,
            ordinal=chunk.ordinal,
            heading_path=chunk.heading_path,
            char_start=chunk.char_start,
            score=score,
        )
        for chunk, score in zip(order, scores, strict=False)
    ]
    return texts, chunks, found
