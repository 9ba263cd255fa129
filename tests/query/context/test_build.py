"""The whole way from hits to passages, as rules that hold for every search."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.platform.settings import QuerySettings
from rag_assets.query.answer import Hit
from rag_assets.query.context import build_context
from tests.query.context.hits import Index, erratic, hit, quarters, search, words

Search = tuple[dict[str, str], list[Hit], list[Hit]]


@given(
    found=search(),
    neighbours=st.integers(0, 3),
    budget=st.integers(0, 120),
    count=st.sampled_from([words, quarters, erratic]),
    likeness=st.sampled_from([0.5, 0.9, 1.0]),
    share=st.sampled_from([0.0, 0.5]),
    limit=st.sampled_from([None, 1, 3]),
)
@settings(max_examples=400, deadline=None)
def test_the_rules_of_a_context(
    found: Search,
    neighbours: int,
    budget: int,
    count: Callable[[str], int],
    likeness: float,
    share: float,
    limit: int | None,
) -> None:
    texts, chunks, hits = found
    index = Index(chunks, unreadable=[chunk.chunk_id for chunk in chunks[::4]])
    chosen = QuerySettings(near_duplicate=likeness, min_relevance=share)
    context = build_context(
        hits, chosen, index.fetch, count, neighbours=neighbours, budget=budget, limit=limit
    )
    passages = context.passages
    parts = [part for passage in passages for part in passage.parts]

    # never over the budget, and counted as it is read
    assert sum(passage.tokens for passage in passages) <= budget
    assert all(passage.tokens == count(passage.text) for passage in passages)
    # numbered without gaps
    assert [passage.number for passage in passages] == list(range(1, len(passages) + 1))
    # no chunk twice, each a hit or one that was asked for and may be read
    assert len({part.chunk_id for part in parts}) == len(parts)
    readable = {one.chunk_id for one in hits}
    for call in index.calls:
        readable |= {one.chunk_id for one in Index(chunks, index.unreadable).fetch(call)}
    assert {part.chunk_id for part in parts} <= readable
    # verbatim, in reading order, of one document, around a hit
    for passage in passages:
        document = texts[passage.hit.document_id]
        for part in passage.parts:
            assert part.text == document[part.char_start : part.char_end]
        assert {part.document_id for part in passage.parts} == {passage.hit.document_id}
        ordinals = [part.ordinal for part in passage.parts]
        assert ordinals == sorted(set(ordinals))
        assert passage.hit in passage.parts
        assert passage.hit.chunk_id in {one.chunk_id for one in hits}
        assert passage.hit.document_id not in passage.copies
        assert set(passage.copies) <= {one.document_id for one in hits}
    # the best hit is there whenever anything fits
    if hits and (passages or count(hits[0].text) <= budget):
        assert hits[0].chunk_id in {passage.hit.chunk_id for passage in passages}
    # cut only where the best hit alone is over the budget
    whole = {one.chunk_id: one.text for one in chunks}
    assert context.cut == any(part.text != whole[part.chunk_id] for part in parts)
    # nothing is left out while there is room
    if count is words and sum(words(one.text) for one in hits) <= budget:
        assert context.left_out == 0

    again = build_context(
        hits, chosen, index.fetch, count, neighbours=neighbours, budget=budget, limit=limit
    )
    assert again == context


def test_a_document_in_several_passages_and_its_copy() -> None:
    text = "Claims for travel are made in the expenses tool with a receipt for every item."
    chunks = [
        hit(f"{text} Part {number}.", document_id=name, ordinal=number, char_start=number * 100)
        for name in ("docs/a", "docs/b")
        for number in range(9)
    ]
    a, b = chunks[:9], chunks[9:]
    hits = [a[6], b[6], a[1]]
    passages = build_context(
        hits, QuerySettings(), Index(chunks).fetch, words, neighbours=1, budget=1000
    ).passages
    assert [[part.ordinal for part in one.parts] for one in passages] == [[0, 1, 2], [5, 6, 7]]
    assert [one.hit for one in passages] == [a[1], a[6]]
    assert [one.copies for one in passages] == [(), ("docs/b",)]
    assert passages[0].text.count(text) == 3


def test_hits_left_out_are_counted() -> None:
    texts = ["alpha beta", "gamma delta", "epsilon zeta"]
    hits = [hit(text, document_id=f"docs/{text}") for text in texts]
    context = build_context(hits, QuerySettings(), Index(hits).fetch, words, neighbours=0, budget=4)
    assert [one.text for one in context.passages] == texts[:2]
    assert (context.left_out, context.cut) == (1, False)
