"""Text comes out of bytes exactly, or at least always."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.parsed_documents.decoding import clean, decode, is_text

GERMAN = "Für größere Änderungen an Straßen gelten übliche Prüfungen.\nMaß und Größe zählen. " * 5


@given(st.binary(max_size=400))
def test_any_bytes_become_valid_text(content: bytes) -> None:
    text = decode(content)
    text.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in text)
    assert "\x7f" not in text
    assert isinstance(is_text(content), bool)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_utf8_is_decoded_exactly(text: str) -> None:
    assert decode(codecs.BOM_UTF8 + text.encode()) == clean(text)


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == GERMAN


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-32-be"])
def test_big_endian_with_mark(encoding: str) -> None:
    assert decode(("\ufeff" + GERMAN).encode(encoding)) == GERMAN


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_text_without_a_mark(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == GERMAN


def test_damaged_utf8_stays_utf8() -> None:
    damaged = GERMAN.encode() + b"\xff\xfe\x80 end"
    assert decode(damaged).startswith(GERMAN)
    assert decode(damaged).endswith("end")


def test_newlines_and_controls() -> None:
    assert decode(b"a\r\nb\rc\x0cd\x00\x07e\tf") == "a\nb\nc\nde\tf"


def test_surrogates_are_replaced() -> None:
    assert clean("a\ud800b") == "a\ufffdb"


def test_programs_are_not_text() -> None:
    assert not is_text(bytes(range(256)) * 20)
    assert is_text(GERMAN.encode())
    assert is_text(GERMAN.encode("utf-16"))
