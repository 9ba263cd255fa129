"""Numbers follow the order of reading."""

from rag_assets.query.answer import Hit, Passage
from rag_assets.query.context.order import numbered
from tests.query.context.hits import hit


def passage(one: Hit) -> Passage:
    return Passage(0, one, (one,))


def test_the_best_document_first_and_inside_it_its_own_order() -> None:
    places = [("docs/b", 7), ("docs/a", 2), ("docs/b", 3), ("docs/a", 1), ("docs/c", 0)]
    found = [passage(hit(document_id=name, ordinal=ordinal)) for name, ordinal in places]
    ordered = numbered(found)
    assert [(one.hit.document_id, one.hit.ordinal, one.number) for one in ordered] == [
        ("docs/b", 3, 1),
        ("docs/b", 7, 2),
        ("docs/a", 1, 3),
        ("docs/a", 2, 4),
        ("docs/c", 0, 5),
    ]
    assert numbered([]) == []
