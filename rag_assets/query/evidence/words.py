"""The words of a text as evidence sees them: stems, numbers, names and negations.

Light on purpose: it has to be right for English and German, harmless for any other script, and cost
microseconds. Stems are prefixes after common endings are cut off; they are compared only with each
other, never shown.
"""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
# scripts without spaces between words: pairs of characters stand for words
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"[^\W\d_a-z]\w*(?:[-'’]\w+)*")
_ENDINGS = (
    "ations", "ation", "ments", "ment", "nesses", "ness", "ings", "ing", "ungen", "ung", "edly",
    "ities", "ity", "ern", "ed", "er", "en", "em", "ly", "e", "n",
)  # fmt: skip
_SHORTEST_STEM = 4

_DENYING = """
    not no never none nobody nothing neither nor without cannot n't unable lack lacks except unless
    nicht kein keine keinen keiner keinem keines nie niemals niemand nichts weder ohne außer
"""
NEGATIONS = frozenset(_DENYING.casefold().split())
_COMMON = """
    a an the of in on at by for from to with into and or but if as is are was were be been being am
    do does did done have has had it its this that these those there here i you he she we they me
    my your his her our their them us who whom whose what which when where why how can could may
    might must shall should will would than then so such about any some all each also
    der die das den dem des ein eine einen einem einer eines und oder aber wenn als ist sind war
    waren sein wird werden wurde wurden hat haben hatte habe ich du er sie es wir ihr mich mir uns
    mein meine sich zu zum zur im in am an auf aus bei mit von vom für über unter nach vor wer wen
    wem wessen was welche welcher welches welchen wann wo warum wie wieso kann können darf dürfen
    muss müssen soll sollen man dass ob auch noch nur so
"""
STOP_WORDS = frozenset(_COMMON.casefold().split())

# "one" and "ein" are left out: they are articles and pronouns more often than numbers
NUMBER_WORDS = {
    word.casefold(): str(value)
    for value, words in {
        2: "two zwei", 3: "three drei", 4: "four vier", 5: "five fünf", 6: "six sechs",
        7: "seven sieben", 8: "eight acht", 9: "nine neun", 10: "ten zehn", 11: "eleven elf",
        12: "twelve zwölf", 13: "thirteen dreizehn", 14: "fourteen vierzehn",
        15: "fifteen fünfzehn", 16: "sixteen sechzehn", 17: "seventeen siebzehn",
        18: "eighteen achtzehn", 19: "nineteen neunzehn", 20: "twenty zwanzig",
        30: "thirty dreißig", 40: "forty vierzig", 50: "fifty fünfzig", 60: "sixty sechzig",
        70: "seventy siebzig", 80: "eighty achtzig", 90: "ninety neunzig",
        100: "hundred hundert", 1000: "thousand tausend",
    }.items()
    for word in words.split()
}  # fmt: skip


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of one word: without case and accents, common English and German endings cut off."""
    folded = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    plain = plain.removesuffix("'s").removesuffix("’s")
    plain = _singular(plain)
    for ending in _ENDINGS:
        least = _SHORTEST_STEM - (len(ending) == 1)
        if plain.endswith(ending) and len(plain) - len(ending) >= least:
            return plain[: -len(ending)]
    return plain


def _singular(word: str) -> str:
    if len(word) <= _SHORTEST_STEM or not word.endswith("s") or word.endswith("ss"):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]


def words_of(text: str) -> list[str]:
    """The words as they stand, in order; numbers with their separators, CJK as character pairs."""
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if _UNSPACED.fullmatch(word) and len(word) > 2:
            found.extend(word[at : at + 2] for at in range(len(word) - 1))
        else:
            found.append(word)
    return found


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    return [
        stem(word)
        for word in words_of(text)
        if (lowered := word.casefold()) not in STOP_WORDS and not is_negation(lowered)
    ]


def is_negation(word: str) -> bool:
    """Whether a word denies: ``not``, ``isn't``, ``kein`` …"""
    lowered = word.casefold()
    return lowered in NEGATIONS or lowered.endswith(("n't", "n’t"))


def negations(text: str) -> int:
    """How many words of a text deny."""
    return sum(is_negation(word) for word in words_of(text))


def numbers_of(text: str) -> set[str]:
    """The numbers of a text in one spelling: ``1,200`` and ``1.200`` are ``1200``; ``3,5`` is ``3.5``.

    A separator before exactly three digits groups thousands, any other is a decimal point. Number
    words (``thirty``, ``dreißig``) count as their digits.
    """
    digits = {_spelled(match.group()) for match in _NUMBER.finditer(text)}
    written = {word.casefold() for word in words_of(text)} & NUMBER_WORDS.keys()
    return digits | {NUMBER_WORDS[word] for word in written}


def names_of(text: str) -> set[str]:
    """Folded words that begin with a capital within a sentence, acronyms included.

    The first word of a text or of a sentence is a name only in capitals throughout (``NATO``).
    """
    names: set[str] = set()
    for match in _NAME.finditer(text):
        word = match.group()
        if not word[0].isupper() or word.casefold() in STOP_WORDS or len(word) < 2:
            continue
        before = text[: match.start()].rstrip(" \t\"'“„»«*_([|>#-")
        starts = not before or before[-1] in ".!?:\n。"
        if not starts or (word.isupper() and len(word) > 1):
            names.add(stem(word))
    return names


def _spelled(number: str) -> str:
    grouped = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", number)
    plain = grouped.replace(",", ".")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain.lstrip("0") or "0"
