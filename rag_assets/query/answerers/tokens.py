"""Counts the tokens of a model's prompt: exactly with its tokenizer, else by a safe estimate.

What "safe" means. The tokenizers of language models differ by a factor of two on English and of ten
on scripts they were not trained on, and the only bound that no text can break (a token for each byte
of UTF-8) would waste three quarters of the budget on English. The estimate is therefore

- never above the bytes of the text, which no byte-level tokenizer exceeds;
- not below the count for a passage of real text: prose in any script, source code, tables, base64,
  emoji. It counts a token for three letters of an ASCII word, one for every digit, capital of a run,
  punctuation mark and character of a long code, and by the bytes of everything that is not ASCII;
- possibly below it for single rare words and for invented ones, which cost up to a token a letter.
  The answerer has a second net for those: it asks again with fewer passages when the server finds
  the prompt too long.

On English prose it is 1.5 to 1.8 times the count; with ``llm.tokenizer`` nothing is wasted.
"""

import re
import unicodedata
from functools import cached_property
from pathlib import Path

from rag_assets.encoders.tokenizer import TokenCounter
from rag_assets.platform.errors import ConfigurationError, EncoderError

LETTERS_OF_A_TOKEN = 3
SPACES_OF_A_TOKEN = 4
# keys, hashes and base64: long, without a blank, a digit among the first characters
CODE = r"(?P<code>(?=[A-Za-z+/=_-]{0,23}\d)[A-Za-z0-9+/=_-]{24,})"
# a word with at most one capital; blanks; anything else, one by one
PIECE = re.compile(
    CODE + r"|(?P<word>[A-Z]?[a-z]+)|(?P<blank>[ \t]{2,})|(?P<space> )|(?P<other>.)", re.DOTALL
)
DENSE_SCRIPTS = ("CJK ", "HIRAGANA", "KATAKANA")


class PromptTokens:
    """Counts tokens; the tokenizer, if any, is read at the first use.

    Args:
        tokenizer: path of the model's ``tokenizer.json``; empty for the estimate.
    """

    def __init__(self, tokenizer: str = "") -> None:
        self._path = tokenizer

    def count(self, text: str) -> int:
        """Tokens of a text, without those a model adds.

        Raises:
            ConfigurationError: ``llm.tokenizer`` is missing or not a tokenizer.
        """
        if not self._path:
            return estimate_tokens(text)
        try:
            return self._counter.count(text)
        except EncoderError as error:
            raise ConfigurationError(
                error.message, "Set llm.tokenizer to the tokenizer.json of the model, or to ''."
            ) from error

    @cached_property
    def _counter(self) -> TokenCounter:
        return TokenCounter(Path(self._path))


def estimate_tokens(text: str) -> int:
    """A safe (high) estimate of the tokens of a text; see the module for what it promises.

    Returns:
        A number from 0 (for an empty text) to the bytes of the text in UTF-8.
    """
    total = 0
    # the groups of a match as strings: a third of the time that match objects take
    for code, word, blank, _, other in PIECE.findall(text):
        if word:
            total += -(-len(word) // LETTERS_OF_A_TOKEN)
        elif other:
            total += _tokens_of_character(other)
        elif code:
            total += len(code)
        elif blank:
            total += -(-len(blank) // SPACES_OF_A_TOKEN)
    return total or min(1, len(text))


def _tokens_of_character(character: str) -> int:
    """At most the bytes; less for letters that every large vocabulary has."""
    code = ord(character)
    if code < 0x80:
        return 1
    if code < 0x800:
        return 1 if character.isalpha() else 2
    if code < 0x10000:
        dense = unicodedata.name(character, "").startswith(DENSE_SCRIPTS)
        return 2 if dense else 3
    return 4
