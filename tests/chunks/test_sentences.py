"""Sentence boundaries in several scripts."""

import itertools

import pytest

from rag_assets.chunks.sentences import sentence_starts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]),
        ("He said “Go.” Then he left.", ["He said “Go.” ", "Then he left."]),
        (
            "Dr. Smith met J. Doe, i.e. a friend. They left.",
            ["Dr. Smith met J. Doe, i.e. a friend. ", "They left."],
        ),
        ("Version 1.2.3 is out. Good.", ["Version 1.2.3 is out. ", "Good."]),
        ("Wait ... what? Yes.", ["Wait ... what? ", "Yes."]),
        ("今日は。明日は？はい！", ["今日は。", "明日は？", "はい！"]),
        ("यह है। वह है।", ["यह है। ", "वह है।"]),
        ("Items:\n- one\n- two", ["Items:\n", "- one\n", "- two"]),
        ("No stop\n\nNext", ["No stop\n\n", "Next"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    cuts = [0, *sentence_starts(text, 0, len(text)), len(text)]
    assert [text[a:b] for a, b in itertools.pairwise(cuts)] == expected
