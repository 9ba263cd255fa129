"""How much of what one release finds does another one find? Documents by rank, passages by span.

Documents are compared by rank-biased overlap. Passages are not compared by their ids: another
splitter gives every passage another one. What counts is the text: where both releases hold a document
in the same version, the characters that both found of it, as a share of those that either found. A
document of which one release has a newer version is compared as a document only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evals.spans import Span, intersections, union_length
from rag_assets.query.answer import Hit

PERSISTENCE = 0.9

Agreement = Callable[[str], float]


@dataclass(frozen=True)
class Found:
    """What one release found for a question.

    Attributes:
        documents: distinct, in the order of their best passages.
        versions: document → hash of its content.
        spans: document → spans of the passages found in it.
    """

    documents: tuple[str, ...]
    versions: Mapping[str, str]
    spans: Mapping[str, Sequence[Span]]

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> "Found":
        """The documents and spans of some hits, best first."""
        spans: dict[str, list[Span]] = {}
        for hit in hits:
            spans.setdefault(hit.document_id, []).append((hit.char_start, hit.char_end))
        return cls(tuple(spans), {hit.document_id: hit.content_sha256 for hit in hits}, spans)

    def named_as(self, other: "Found") -> "Found":
        """The same, a renamed document under the name that it has in the other release's result."""
        theirs = {
            version: name for name, version in other.versions.items() if name not in self.versions
        }
        names = {
            name: name if name in other.versions else theirs.get(self.versions[name], name)
            for name in self.documents
        }
        if len(set(names.values())) < len(names):  # copies: two documents of one content
            return self
        return Found(
            tuple(names[name] for name in self.documents),
            {names[name]: version for name, version in self.versions.items()},
            {names[name]: spans for name, spans in self.spans.items()},
        )


def rank_biased_overlap(
    first: Sequence[str],
    second: Sequence[str],
    p: float = PERSISTENCE,
    agreement: Agreement = lambda item: 1.0,
) -> float:
    """Rank-biased overlap of two rankings without repetitions, extrapolated; uneven lengths are fine.

    Webber, Moffat, Zobel: "A Similarity Measure for Indefinite Rankings", ACM TOIS 28(4), 2010,
    equation 32. An item in both counts for ``agreement``: 1 is the measure as it was published.

    Args:
        p: persistence, in (0, 1): with 0.9 the first ten ranks have 86 % of the weight.
        agreement: item → from 0 to 1.

    Returns:
        0 for nothing in common to 1 for the same; 1 where both are empty.
    """
    short, long = sorted((first, second), key=len)
    if not short:
        return float(not long)
    shared = _shared(short, long, agreement)
    s, n = len(short), len(long)
    total = sum(shared[d - 1] / d * p**d for d in range(1, n + 1))
    total += sum(shared[s - 1] * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    rest = (shared[n - 1] - shared[s - 1]) / n + shared[s - 1] / s
    return min(1.0, (1 - p) / p * total + rest * p**n)


def _shared(short: Sequence[str], long: Sequence[str], agreement: Agreement) -> list[float]:
    """For every depth, the items that both have until there, each as much as it counts."""
    seen: tuple[set[str], set[str]] = (set(), set())
    depths, total = [], 0.0
    for depth in range(len(long)):
        for mine, others, items in ((*seen, short), (*seen[::-1], long)):
            if depth < len(items):
                mine.add(items[depth])
                total += agreement(items[depth]) if items[depth] in others else 0.0
        depths.append(total)
    return depths


def jaccard(first: Sequence[str], second: Sequence[str]) -> float:
    """The share of the items of either that are in both; 1 where both are empty."""
    either = set(first) | set(second)
    return len(set(first) & set(second)) / len(either) if either else 1.0


def document_overlap(now: Found, before: Found) -> float:
    """Rank-biased overlap of the documents, whatever was found in them."""
    return rank_biased_overlap(now.documents, before.documents)


def passage_overlap(now: Found, before: Found, *, same_parser: bool) -> float:
    """Rank-biased overlap in which a shared document counts as much as its passages agree.

    Args:
        same_parser: whether spans of one document version mean the same text in both releases.
    """

    def agreement(document: str) -> float:
        same = now.versions[document] == before.versions[document]
        if not (same and same_parser):
            return 1.0
        return span_agreement(now.spans[document], before.spans[document])

    return rank_biased_overlap(now.documents, before.documents, agreement=agreement)


def span_agreement(first: Sequence[Span], second: Sequence[Span]) -> float:
    """The characters in spans of both, as a share of those in spans of either."""
    either = union_length([*first, *second])
    return union_length(intersections(first, second)) / either if either else 1.0
