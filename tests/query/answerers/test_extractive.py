from pathlib import Path

import numpy as np
import pytest

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.models import MINILM
from rag_assets.query.answerers.extractive import MAX_QUOTES, WEAK_EVIDENCE, ExtractiveAnswerer
from rag_assets.query.evidence.citations import check_citations

from .conformance import AnswererConformance, run
from .passages import make_request


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> CompiledEncoder:
    state = tmp_path_factory.mktemp("extractive")
    model_cache.mkdir(parents=True, exist_ok=True)
    (state / "models").symlink_to(model_cache, target_is_directory=True)
    return CompiledEncoder(MINILM, state, batch_size=8)


class TestExtractiveAnswerer(AnswererConformance):
    @pytest.fixture
    def answerer(self, encoder: CompiledEncoder) -> ExtractiveAnswerer:
        self.encoder = encoder
        return ExtractiveAnswerer(encoder)

    def vector(self, question: str) -> np.ndarray:
        plain = question.encode("utf-8", "replace").decode()
        vector: np.ndarray = self.encoder.encode([plain])[0]
        return vector

    def ask(self, answerer: ExtractiveAnswerer, question: str, *texts: str) -> str:
        return run(answerer, self.request_for(question, texts or None))[1].text

    def test_quotes_what_answers_first(self, answerer: ExtractiveAnswerer) -> None:
        text = self.ask(answerer, "Who has keys to the server room?")
        assert "Only the operations team has keys to it. [2]" in text

    def test_every_marker_is_a_quote(self, answerer: ExtractiveAnswerer) -> None:
        request = self.request_for("When are invoices paid?")
        _, draft = run(answerer, request)
        checked = check_citations(draft, request.passages, self.encoder)
        assert draft.quotes
        assert [c.quote for c in checked.citations] == [quote.text for quote in draft.quotes]
        assert checked.removed == 0

    def test_says_when_the_evidence_is_weak(self, answerer: ExtractiveAnswerer) -> None:
        _, weak = run(answerer, self.request_for("Who won the chess tournament in 1972?"))
        assert weak.text.startswith(WEAK_EVIDENCE)
        assert weak.weak_evidence
        _, strong = run(answerer, self.request_for("When are invoices paid?"))
        assert WEAK_EVIDENCE not in strong.text
        assert not strong.weak_evidence

    def test_quotes_few_and_nothing_twice(self, answerer: ExtractiveAnswerer) -> None:
        texts = [f"The office in town {n} opens at {n} o'clock in the morning." for n in range(9)]
        request = self.request_for("When does the office open?", (*texts, texts[0]))
        quotes = run(answerer, request)[1].quotes or ()
        assert 1 <= len(quotes) <= MAX_QUOTES
        assert len({quote.text for quote in quotes}) == len(quotes)

    def test_brackets_of_a_document_are_no_markers(self, answerer: ExtractiveAnswerer) -> None:
        text = self.ask(
            answerer, "When are invoices paid?", "Invoices are paid on day 14 [99] [2]."
        )
        assert text == "Invoices are paid on day 14 (99) (2). [1]"

    def test_a_table_row_has_its_columns(self, answerer: ExtractiveAnswerer) -> None:
        table = "| Plan | Price |\n|---|---|\n| Small | 5 euros |\n| Large | 9 euros |"
        text = self.ask(answerer, "What is the price of the large plan?", table)
        assert "Plan: Large; Price: 9 euros. [1]" in text

    def test_german(self, answerer: ExtractiveAnswerer) -> None:
        text = self.ask(
            answerer,
            "Wann werden Rechnungen bezahlt?",
            "Das Büro ist groß und hell. Rechnungen werden binnen vierzehn Tagen bezahlt.",
            "Der Hund schläft gerne lange auf dem Sofa.",
        )
        assert "Rechnungen werden binnen vierzehn Tagen bezahlt. [1]" in text

    def test_no_passage_no_word(self, answerer: ExtractiveAnswerer) -> None:
        request = make_request("Who?", (), self.vector("Who?"))
        assert [event.text for event in answerer.answer(request)] == [""]
