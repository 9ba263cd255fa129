"""The estimate of tokens against real tokenizers: WordPiece, and a byte-level BPE trained here."""

import base64
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rag_assets.query.answerers.tokens import PromptTokens, estimate_tokens

ROOT = Path(__file__).parents[3]
PROSE = {
    "english": "The holder of this card may enter the library between nine in the morning and "
    "eight in the evening, provided that the membership fee has been paid for the whole year. ",
    "german": "Für die Erstattung der Reisekosten ist das Formular spätestens vier Wochen nach "
    "Abschluss der Dienstreise bei der Personalabteilung einzureichen. ",
    "french": "L’employé doit informer son supérieur hiérarchique dès que possible de son absence. ",
    "russian": "Сотрудники получают тридцать дней оплачиваемого отпуска в год. ",
    "greek": "Οι υπάλληλοι δικαιούνται τριάντα ημέρες άδεια κάθε χρόνο. ",
    "arabic": "يحصل الموظفون على ثلاثين يوما من الإجازة المدفوعة في السنة. ",
    "hindi": "कर्मचारियों को प्रति वर्ष तीस दिन का सवेतन अवकाश मिलता है। ",
    "thai": "พนักงานมีสิทธิลาพักร้อนปีละสามสิบวันโดยได้รับค่าจ้าง ",
    "chinese": "员工每年享有三十天带薪休假，申请须提交直属主管批准。",
    "japanese": "従業員は年間三十日の有給休暇を取得できます。申請は上司に提出してください。",
    "korean": "직원은 연간 삼십 일의 유급 휴가를 받으며 신청서는 상사에게 제출합니다. ",
    "emoji": "🎉🙂👩‍👩‍👧 party 🇩🇪🏳️‍🌈 ",
    "table": "| 2024-03-01 | 1,234.56 | EUR | ✓ |\n|---|---:|:---|---|\n",
    "paths": "C:\\Users\\x\\AppData https://example.org/a/b?c=1&d=%20 user_name=getUserName() ",
}
EXAMPLES = {
    **{name: text * 5 for name, text in PROSE.items()},
    "code": Path(__file__).read_text(encoding="utf-8"),
    "base64": base64.b64encode(random.Random(7).randbytes(600)).decode(),
    "hex": random.Random(8).randbytes(300).hex(),
    "digits": "31415926535897932384626433832795028841971" * 5,
}


@pytest.fixture(scope="session")
def wordpiece(minilm: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(minilm))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.fixture(scope="session")
def byte_level() -> Tokenizer:
    """As language models have it, but of a small vocabulary, so that it needs more tokens."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    files = sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("rag_*/**/*.py"))
    tokenizer.train([str(file) for file in files], vocab_size=20_000, min_frequency=2)
    return tokenizer._tokenizer


def tokens_of(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


@pytest.mark.parametrize("name", EXAMPLES)
def test_real_texts_never_have_more_tokens_of_a_real_model(wordpiece: Tokenizer, name: str) -> None:
    assert estimate_tokens(EXAMPLES[name]) >= tokens_of(wordpiece, EXAMPLES[name])


@pytest.mark.parametrize("name", ["english", "code", "base64", "hex", "digits", "table", "paths"])
def test_real_texts_never_have_more_tokens_of_a_byte_level_model(
    byte_level: Tokenizer, name: str
) -> None:
    assert estimate_tokens(EXAMPLES[name]) >= tokens_of(byte_level, EXAMPLES[name])


def test_our_own_documentation(wordpiece: Tokenizer, byte_level: Tokenizer) -> None:
    for file in sorted(ROOT.glob("docs/**/*.md")):
        text = file.read_text(encoding="utf-8")
        for start in range(0, len(text), 800):
            passage = text[start : start + 800]
            most = max(tokens_of(t, passage) for t in (wordpiece, byte_level))
            assert estimate_tokens(passage) >= most


def test_little_is_wasted_on_english(wordpiece: Tokenizer) -> None:
    text = EXAMPLES["english"]
    assert estimate_tokens(text) < 2 * tokens_of(wordpiece, text)


def test_little_is_wasted_on_chinese(wordpiece: Tokenizer) -> None:
    text = EXAMPLES["chinese"]
    assert estimate_tokens(text) < 2.5 * tokens_of(wordpiece, text)


# everything but runs of ASCII letters, for which a bound would cost a token a letter
NO_WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]))
WORDS = st.sampled_from(PROSE["english"].split())


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(st.one_of(WORDS, NO_WORDS.map(lambda t: " ".join(t))), max_size=30))
def test_arbitrary_characters_among_words(wordpiece: Tokenizer, texts: list[str]) -> None:
    text = " ".join(texts)
    assert estimate_tokens(text) >= tokens_of(wordpiece, text)


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_never_more_than_the_bytes(text: str) -> None:
    encoded = text.encode("utf-8", "replace")
    assert estimate_tokens(text) <= max(len(encoded), 0)
    assert (estimate_tokens(text) == 0) == (text == "")


@given(left=st.text(), right=st.text())
def test_a_longer_text_never_counts_less(left: str, right: str) -> None:
    assert estimate_tokens(left + "\n" + right) >= estimate_tokens(left)


def test_counts_with_the_tokenizer(wordpiece: Tokenizer, minilm: Path) -> None:
    for text in EXAMPLES.values():
        assert PromptTokens(str(minilm)).count(text) == tokens_of(wordpiece, text)
