"""Markdown-like texts for property tests: every kind of block, many scripts, broken structure."""

from hypothesis import strategies as st

_WORDS = (
    "the a of data passage release holiday Überstunden café naïve München 戦場 の 日本語 "
    "한국어 こんにちは مرحبا नमस्ते 😀 👩‍🔬 👍🏽 e\u0301 n\u0303 x² – … 3.14 v1.13.27 e.g. Dr. "
    "snake_case https://example.org/a?b=c **bold** `code` [link](page.md) <br> \\ ~~gone~~ "
    "$x_1$ | # > - * &amp; \u200b"
)
WORDS = st.sampled_from(_WORDS.split(" "))
HUGE_WORDS = st.tuples(st.sampled_from("aZ9-/+é戦😀"), st.integers(50, 3000)).map(
    lambda p: p[0] * p[1]
)
STOPS = st.sampled_from([".", "!", "?", "。", "…", ":", "", ".”"])
BREAKS = st.sampled_from(["\n\n", "\n\n", "\n\n", "\n", "\r\n\r\n", "\n \t\n\n", "\n\n\n\n"])


def sentences(least: int = 1, most: int = 8) -> st.SearchStrategy[str]:
    sentence = st.tuples(st.lists(WORDS, min_size=1, max_size=25), STOPS)
    return st.lists(sentence, min_size=least, max_size=most).map(
        lambda items: " ".join(" ".join(words) + stop for words, stop in items)
    )


def _lines(prefix: str, most: int) -> st.SearchStrategy[str]:
    return st.lists(sentences(1, 2), min_size=1, max_size=most).map(
        lambda lines: "\n".join(prefix + line for line in lines)
    )


@st.composite
def tables(draw: st.DrawFn) -> str:
    columns = draw(st.integers(1, 6))
    cell = st.lists(WORDS.filter(lambda word: word != "|"), max_size=6).map(" ".join)
    rows = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), max_size=40))
    header = draw(st.lists(cell, min_size=columns, max_size=columns))
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * columns, *rows])


def fences() -> st.SearchStrategy[str]:
    return st.tuples(
        st.sampled_from(["```", "~~~python", "````"]), _lines("  ", 30), st.booleans()
    ).map(lambda p: p[0] + "\n" + p[1] + ("\n" + p[0][:3] if p[2] else ""))


BLOCKS = st.one_of(
    sentences(),
    st.tuples(st.integers(1, 6), sentences(1, 1)).map(lambda p: "#" * p[0] + " " + p[1]),
    st.tuples(st.integers(1, 3), st.sampled_from(["Title", "Leave", "戦場"])).map(
        lambda p: "#" * p[0] + " " + p[1]
    ),
    sentences(1, 1).map(lambda title: title + "\n==="),
    _lines("- ", 12),
    _lines("  1. ", 6),
    _lines("> ", 5),
    tables(),
    fences(),
    HUGE_WORDS,
    st.sampled_from(
        ["---", "<div>\n<p>x</p>\n</div>", "[ref]: http://example.org", "    indented", "\t", "#"]
    ),
)
DOCUMENTS = st.lists(st.tuples(BLOCKS, BREAKS), max_size=14).map(
    lambda parts: "".join(block + gap for block, gap in parts)
)
