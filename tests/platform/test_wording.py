"""Numbers in sentences."""

import pytest

from rag_assets.platform.wording import agreeing, counted


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 passages"),
        (1, "1 passage"),
        (2, "2 passages"),
        (1234, "1,234 passages"),
        (1.0, "1 passage"),
        (1.5, "1.5 passages"),
    ],
)
def test_things_are_counted(number: float, shown: str) -> None:
    assert counted(number, "passage") == shown


def test_words_that_are_not_made_with_an_s() -> None:
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(3, "entry", "entries") == "3 entries"
    assert counted(1, "chunk is", "chunks are") == "1 chunk is"
    assert (agreeing(1, "it is", "they are"), agreeing(0, "it is", "they are")) == (
        "it is",
        "they are",
    )
