"""Page texts become Markdown without losing a word, and the page map is exact."""

from hypothesis import given
from hypothesis import strategies as st

from rag_assets.parsed_documents.pdf_text import join_wrapped_words, pages_to_markdown

lines = st.text(st.sampled_from("abcXYZ019 .,-\x02•(é"), max_size=60)
pages = st.lists(st.lists(lines, max_size=12).map("\r\n".join), min_size=1, max_size=6)


def words(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


@given(pages)
def test_nothing_is_lost_and_every_page_is_where_the_map_says(texts: list[str]) -> None:
    text, starts = pages_to_markdown(texts)
    assert len(starts) == len(texts)
    assert starts == sorted(starts)
    for page, start, end in zip(texts, starts, [*starts[1:], len(text)], strict=True):
        assert words(text[start:end]) == words(page)


def test_wrapped_lines_are_joined_and_rows_are_not() -> None:
    page = (
        "Travel policy\r\n"
        "Employees may book flights in economy class for any journey of less than\r\n"
        "six hours, and hotels up to the limit that is set for the city.\r\n"
        "Hotel limit Berlin 180 220\r\n"
        "Hotel limit London 240 290"
    )
    assert pages_to_markdown([page])[0] == (
        "## Travel policy\n\n"
        "Employees may book flights in economy class for any journey of less than six hours, "
        "and hotels up to the limit that is set for the city.\n"
        "Hotel limit Berlin 180 220\n"
        "Hotel limit London 240 290"
    )


def test_wrapped_words_follow_the_rest_of_the_document() -> None:
    known = {"brand-name", "confirming"}
    assert join_wrapped_words("brand\x02name con\x02firming", known) == "brand-name confirming"


def test_no_pages() -> None:
    assert pages_to_markdown([]) == ("", [])


def test_blank_pages_start_where_the_next_page_does() -> None:
    assert pages_to_markdown(["", "One.", "", "Two.", ""])[1] == [0, 0, 6, 6, 10]
