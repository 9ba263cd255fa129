"""Finding a document's phrases in texts and JSON values, and taking them out.

A text may repeat a phrase in other dress: white space as blanks, Markdown specials as backslash
escapes or character references, JSON inside a JSON string, or cut short with an ellipsis. All of
these are found. What is found is replaced where it stands; where that is not possible the whole
text goes, so that afterwards nothing is left in any case.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

FORGOTTEN = "[forgotten]"
SHORTEST = 12  # characters of a phrase; shorter ones are in texts that have nothing to do with it
SHORTEST_CUT = 24  # characters of a phrase's beginning before an ellipsis
LONGEST_CUT = 1000
CUT = "…"

_UNICODE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_SPACE = re.compile(r"\\+[nrt]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_CLASS = "__class__"  # names a type in serialized values


class Redaction:
    """Takes phrases out of texts.

    Args:
        phrases: sentences and lines that nothing else says; short ones are left out.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        found = {plain(phrase) for phrase in phrases}
        self._phrases = sorted(phrase for phrase in found if len(phrase) >= SHORTEST)
        self._heads: dict[str, list[str]] = {}
        for phrase in self._phrases:
            if len(phrase) > SHORTEST_CUT:
                self._heads.setdefault(phrase[:SHORTEST_CUT], []).append(phrase)

    def has(self, value: Any) -> bool:
        """Whether a text or JSON value holds a phrase."""
        return self.count([value]) > 0

    def count(self, values: Sequence[Any]) -> int:
        """How many of some texts or JSON values hold a phrase."""
        return sum(self.holding(values))

    def holding(self, values: Sequence[Any]) -> list[bool]:
        """Which of some texts or JSON values hold a phrase; faster than one by one."""
        texts = dict.fromkeys(leaf for value in values for leaf in leaves(value))
        found = self._found(list(texts))
        return [any(leaf in found for leaf in leaves(value)) for value in values]

    def text(self, text: str) -> str:
        """A text without the phrases."""
        return str(self.values([text])[0])

    def values(self, values: Sequence[Any]) -> list[Any]:
        """Texts or JSON values without the phrases; those without any are the same objects.

        Strings that hold JSON stay JSON, however often it was nested.
        """
        changed = self._replacements(values)
        return [_rebuilt(value, changed) for value in values] if changed else list(values)

    def _replacements(self, values: Sequence[Any]) -> dict[str, str]:
        """What to write in the place of every text that holds a phrase."""
        texts = list(dict.fromkeys(leaf for value in values for leaf in leaves(value)))
        found = self._found(texts)
        replaced = {text: _replaced(text, phrases) for text, phrases in found.items()}
        left = self._found(list(replaced.values()))
        return {text: FORGOTTEN if new in left else new for text, new in replaced.items()}

    def _found(self, texts: Sequence[str]) -> dict[str, list[str]]:
        """The phrases of each text that holds any, in plain form, cut ones as they were cut."""
        if not self._phrases or not texts:
            return {}
        plains = [plain(text) for text in texts]
        many = pl.Series(plains, dtype=pl.String).str.extract_many(self._phrases, overlapping=True)
        found = {}
        for text, shape, phrases in zip(texts, plains, many.to_list(), strict=True):
            names = [*(phrases or []), *self._cut(shape)]
            if names:
                found[text] = names
        return found

    def _cut(self, text: str) -> list[str]:
        """The beginnings of phrases that end in an ellipsis, with it."""
        found, end = [], text.find(CUT)
        while end >= 0:
            for start in range(max(0, end - LONGEST_CUT), end - SHORTEST_CUT + 1):
                begun = text[start:end]
                heads = self._heads.get(begun[:SHORTEST_CUT], ())
                if any(phrase.startswith(begun) for phrase in heads):
                    found.append(begun + CUT)
                    break
            end = text.find(CUT, end + 1)
        return found


def plain(text: str) -> str:
    """A text without escapes of Markdown, HTML and JSON, white space as single blanks."""
    if "&" in text:
        text = html.unescape(text)
    while "\\" in text and (unescaped := _unescaped(text)) != text:
        text = unescaped
    try:
        text.encode()
    except UnicodeEncodeError:  # escapes of half a character
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join(text.split())


def _unescaped(text: str) -> str:
    text = _UNICODE.sub(lambda found: chr(int(found[1], 16)), text)
    return _ESCAPED.sub(r"\1", _SPACE.sub(" ", text))


def _replaced(text: str, phrases: Sequence[str]) -> str:
    for phrase in sorted(set(phrases), key=len, reverse=True):
        text = re.sub(_pattern(phrase), FORGOTTEN, text)
    return text


def _pattern(phrase: str) -> str:
    """A phrase in every dress it may wear."""
    return "".join(_forms(letter) for letter in phrase)


def _forms(letter: str) -> str:
    """One letter; possessive, so that runs of backslashes are gone through once."""
    if letter == " ":
        return r"(?:\s|\\++[nrt])++"
    if letter == "\\":
        return r"\\++"
    if letter.isascii() and letter.isalnum():
        return letter
    forms = [rf"\\*+{re.escape(letter)}", f"&#{ord(letter)};"]
    # two ways to match the same would be tried against each other, letter by letter
    if html.escape(letter) != letter:
        forms.append(re.escape(html.escape(letter)))
    if not letter.isascii():
        forms.append(json.dumps(letter)[1:-1].replace("\\", r"\\++"))
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def _nested(text: str) -> Any:
    """The JSON that a text holds, or None."""
    if text[:1] in ("{", "[", '"') and text[-1:] in ("}", "]", '"'):
        try:
            return json.loads(text)
        except ValueError:
            return None
    return None


def leaves(value: Any) -> Iterable[str]:
    """Every text in a value, those in nested JSON too."""
    if isinstance(value, str):
        inner = _nested(value)
        if inner is None:
            yield value
        else:
            yield from leaves(inner)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != _CLASS:
                yield from leaves(str(key))
                yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


def _rebuilt(value: Any, changed: Mapping[str, str]) -> Any:
    if not any(leaf in changed for leaf in leaves(value)):
        return value
    if isinstance(value, str):
        inner = _nested(value)
        return changed[value] if inner is None else json.dumps(_rebuilt(inner, changed))
    if isinstance(value, dict):
        return {
            _rebuilt(key, changed): item if key == _CLASS else _rebuilt(item, changed)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_rebuilt(item, changed) for item in value]
    return value
