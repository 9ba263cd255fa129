"""What every splitter must satisfy: the protocol in ``rag_assets/chunks/base.py``, inherited."""

import itertools
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.chunks.base import Budget, Span, Splitter
from rag_assets.chunks.heading_context import embedded_text
from rag_assets.chunks.token_map import LONG_TOKEN

from .counter import ByteCounter, word_piece_counter
from .strategies import DOCUMENTS

COUNTER = word_piece_counter()
PROPERTY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
BUDGETS = st.builds(
    Budget,
    counter=st.just(COUNTER),
    max_tokens=st.sampled_from([16, 40, 100, 200, 254]),
    overlap_tokens=st.sampled_from([0, 8, 300]),
    title=st.sampled_from(["", "Handbook", "A title that goes on and on " * 20]),
    heading_context=st.booleans(),
)


def check_spans(text: str, spans: list[Span], budget: Budget, *, may_overlap: bool) -> None:
    """Assert everything that the protocol says about the spans of one text."""
    covered = 0
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        passage = text[span.start : span.end]
        assert passage == passage.strip()
        assert not text[covered : span.start].strip(), "characters are lost"
        covered = max(covered, span.end)
        embed, tokens = embedded_text(
            passage, budget.title, span.heading_path, span.lead, budget.counter, budget.max_tokens
        )
        assert tokens == budget.counter.count(embed)
        assert tokens <= budget.max_tokens
        assert embed.endswith(passage)
        assert span.end - span.start <= 2 * LONG_TOKEN * budget.max_tokens
    assert not text[covered:].strip(), "the end is lost"
    for first, second in itertools.pairwise(spans):
        assert first.start < second.start
        assert first.end < second.end
        assert may_overlap or first.end <= second.start


class SplitterConformance:
    """Inherit, and give ``splitter``."""

    splitter: ClassVar[Splitter]

    @PROPERTY
    @given(text=DOCUMENTS, budget=BUDGETS)
    def test_spans_follow_the_protocol(self, text: str, budget: Budget) -> None:
        spans = self.splitter.split(text, budget)
        overlap = self.splitter.overlaps and budget.overlap_tokens > 0
        check_spans(text, spans, budget, may_overlap=overlap)

    @PROPERTY
    @given(text=st.text(max_size=400), size=st.sampled_from([16, 60]))
    def test_any_text_and_any_tokenizer(self, text: str, size: int) -> None:
        budget = Budget(ByteCounter(), size)
        check_spans(text, self.splitter.split(text, budget), budget, may_overlap=False)

    @settings(PROPERTY, max_examples=15)
    @given(text=DOCUMENTS, budget=BUDGETS)
    def test_deterministic(self, text: str, budget: Budget) -> None:
        assert self.splitter.split(text, budget) == self.splitter.split(text, budget)

    @pytest.mark.parametrize("text", ["", " ", "\n\n\t \r\n", "\u3000"])
    def test_blank_text_gives_nothing(self, text: str) -> None:
        assert self.splitter.split(text, Budget(COUNTER, 100)) == []

    @pytest.mark.parametrize(
        "text",
        [
            "x" * 300_000,  # one word that the model does not know
            '{"k":1,"v":"ab"},' * 20_000,  # minified JSON
            "aGVsbG8gd29ybGQ/" * 20_000,  # base64
            "戦場のヴァルキュリア" * 20_000,
            "." * 100_000,
            " \n" * 50_000 + "end",
            "a" + " " * 200_000 + "b",
            "> " * 3_000 + "deep",
            "# h\n" * 3_000,
            "[" * 50_000,
            "a. " * 30_000,
            "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 5_000,
        ],
        ids=lambda text: f"{text[:12]!r} {len(text)}",
    )
    def test_hostile_texts_finish_within_limits(self, text: str) -> None:
        budget = Budget(COUNTER, 200, title="Hostile")
        check_spans(text, self.splitter.split(text, budget), budget, may_overlap=False)

    def test_heading_path_of_a_late_passage(self) -> None:
        text = (
            "# One\n\nIntro.\n\n## Two\n\n" + "Some words are here. " * 200 + "\n\n# Three\n\nEnd."
        )
        spans = self.splitter.split(text, Budget(COUNTER, 100))
        inside = [
            s for s in spans if text.index("## Two") + 10 < s.start < text.index("# Three") - 700
        ]
        assert inside
        assert all(span.heading_path == ("One", "Two") for span in inside)
