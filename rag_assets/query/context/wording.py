"""A passage as words, and the words whose change would change what it states."""

import re
from dataclasses import dataclass
from functools import cached_property

from rag_assets.query.answer import Hit

# words on each side of a critical word that must agree too: "£150 for adults" is not "£150 for pupils"
SURROUNDINGS = 3

# a number keeps its sign, its points and its letters ("-1.5", "3rd", "2026-01-31"); a symbol that
# gives a number its meaning is a word; so is every character of a script without spaces
_WORD = re.compile(
    r"[a-z]+(?:['’][a-z]+)?(?!\w)"
    r"|[-−+±]?\d(?:[\w.,:/’'\-]*\w)?"
    r"|[\u3040-\u30ff\u3400-\u9fff]"
    r"|[^\W\d_\u3040-\u30ff\u3400-\u9fff][^\W_\u3040-\u30ff\u3400-\u9fff]*(?:['’][^\W\d_]+)?"
    r"|[£$€¥₹¢%‰°<>≤≥≠=±−]|-(?=[£$€¥₹¢])"
)
_NAME = re.compile(r"\w+(?:[./\\@#:]+\w+)*")
_JOINT = re.compile(r"[./\\@#:_]")
# a negation here is also what limits a rule
_NEGATIONS = """
    no not none nothing nobody never neither nor cannot without except unless only
    nicht kein keine keinen keinem keiner keines nie niemals nichts niemand weder ohne außer nur
    pas ne non aucun aucune jamais rien personne sans sauf sin nunca ningún ninguna ninguno nada
    nadie tampoco salvo mai nessun nessuno nessuna senza niente não nenhum nenhuma sem niet geen
    nooit zonder
"""
_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    hundred thousand million billion half quarter third once twice double first second third
    fourth fifth sixth seventh eighth ninth tenth
    null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert
    tausend deux trois quatre cinq sept huit neuf dix vingt trente cent mille dos tres cuatro
    cinco siete ocho nueve diez veinte treinta cien mil
"""
_DATES = """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday
    saturday sunday mon tue wed thu fri sat sun today tomorrow yesterday
    januar februar märz mai juni juli oktober dezember montag dienstag mittwoch donnerstag freitag
    samstag sonntag janvier février mars avril juin juillet août septembre octobre novembre décembre
    lundi mardi mercredi jeudi vendredi samedi dimanche enero febrero marzo abril mayo junio julio
    agosto septiembre octubre noviembre diciembre lunes martes miércoles jueves viernes sábado
    domingo
"""
_CRITICAL_WORDS = frozenset(f"{_NEGATIONS} {_NUMBERS} {_DATES}".split())
_CRITICAL_CHARACTERS = frozenset("不没沒無无非未否勿零〇一二三四五六七八九十百千万萬億亿年月日")
_SYMBOLS = frozenset("£$€¥₹¢%‰°<>≤≥≠=±−-")


@dataclass(frozen=True)
class Wording:
    """What of a hit decides whether another one says the same."""

    hit: Hit

    @cached_property
    def words(self) -> list[str]:
        """Its words in lower case, without markup and white space."""
        return _WORD.findall(self.hit.text.lower())

    @cached_property
    def critical(self) -> tuple[tuple[str, ...], ...]:
        """Each number, negation and date, in order, with the words around it."""
        words = self.words
        return tuple(
            tuple(words[max(0, place - SURROUNDINGS) : place + SURROUNDINGS + 1])
            for place, word in enumerate(words)
            if _is_critical(word)
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What may be a name, in order: words with a capital letter, identifiers, paths, addresses.

        Their surroundings do not count: a text has too many of them.
        """
        found = _NAME.findall(self.hit.text)
        return tuple(name.lower() for name in found if name != name.lower() or _JOINT.search(name))

    @cached_property
    def headings(self) -> tuple[str, ...]:
        """The headings it stands under, in lower case, outermost first."""
        return tuple(" ".join(heading.lower().split()) for heading in self.hit.heading_path)


def _is_critical(word: str) -> bool:
    if word in _CRITICAL_WORDS or word in _CRITICAL_CHARACTERS:
        return True
    if word.isalpha():
        return False
    return word in _SYMBOLS or word.endswith(("n't", "n’t")) or any(map(str.isnumeric, word))
