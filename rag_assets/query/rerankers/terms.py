"""The terms of a text in any script, as they are compared: folded, and cut to their beginnings.

Inflection is taken off by keeping the first characters of a word, which needs no rules of any one
language (McNamee, Nicholas, Mayfield, "Addressing Morphological Variation in Alphabetic Languages",
2009). Scripts that put no spaces between words give overlapping pairs of characters instead.
"""

import re
import unicodedata

STEM_CHARS = 6
# vowel signs and other marks that belong to a word although they are no letters to ``\w``
MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0670\u0900-\u0963\u0970-\u0dff\u0e00-\u0eff"
    "\u0f71-\u0f87\u1000-\u109f\u1780-\u17dd\u200d"
)
# Thai and Lao, Myanmar, Khmer, kana, Han with its extensions, Hangul (whose particles are joined)
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17dd\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
WORD = re.compile(rf"([{UNSPACED}]+)|((?:[^\W_{UNSPACED}]|[{MARKS}])+)")


def terms(text: str) -> frozenset[str]:
    """The distinct terms of a text.

    Args:
        text: any text; what is neither letter nor digit separates.

    Returns:
        Words, case and width folded, cut to ``STEM_CHARS`` characters; pairs of characters where
        the script has no spaces (a single character where a run has only one).
    """
    found: set[str] = set()
    for match in WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        unspaced, word = match.groups()
        if word:
            found.add(word[:STEM_CHARS])
        elif len(unspaced) == 1:
            found.add(unspaced)
        else:
            found.update(unspaced[i : i + 2] for i in range(len(unspaced) - 1))
    return frozenset(found)
