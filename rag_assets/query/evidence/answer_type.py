"""What kind of thing a question asks for, and whether a sentence holds one. English and German."""

import re

_QUESTIONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "quantity",
            r"\bhow (?:many|much|long|often|far|old|tall|large|big|high|fast|deep|wide|soon)\b"
            r"|\bwie ?(?:viele?|lange?|oft|weit|alt|groß|hoch|schnell|spät|teuer)\b"
            r"|\b(?:what|which) (?:\w+ )?(?:percentage|percent|number|amount|share|rate|price|cost|"
            r"distance|population|age|size|limit|maximum|minimum|deadline)\b"
            r"|\bwelche[rns]? (?:anzahl|betrag|anteil|preis|höhe|frist)\b",
        ),
        (
            "date",
            r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bby when\b"
            r"|\bwann\b|\b(?:welche[rmns]?|welchen) (?:jahr|datum|tag|monat|zeit)\w*\b|\bseit wann\b",
        ),
        ("person", r"\bwho(?:m|se)?\b|\b(?:wer|wen|wem|wessen)\b"),
        (
            "place",
            r"\bwhere\b|\b(?:what|which) (?:country|city|state|place|town|region|river|continent)\b"
            r"|\bwo(?:her|hin)?\b|\bwelche[rmns]? (?:land|stadt|ort|region)\b",
        ),
        ("reason", r"\bwhy\b|\bwarum\b|\bwieso\b|\bweshalb\b"),
    )
)
_MONTHS = (
    r"jan(?:uary|uar)?|feb(?:ruary|ruar)?|march|märz|apr(?:il)?|may|mai|june?|juni|july?|juli"
    r"|aug(?:ust)?|sep(?:t|tember)?|oct(?:ober)?|okt(?:ober)?|nov(?:ember)?|dec(?:ember)?|dez(?:ember)?"
)
_QUANTITY = re.compile(
    r"\d|%|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|"
    r"fifty|hundred|thousand|million|billion|half|third|quarter|once|twice|every|daily|weekly|"
    r"monthly|ein(?:mal)?|zwei(?:mal)?|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|"
    r"hundert|tausend|hälfte|täglich|wöchentlich|monatlich)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    rf"\b\d{{3,4}}\b|\b\d{{1,2}}[:.]\d{{2}}\b|\b(?:{_MONTHS})\b|\bcentur|\bjahrhundert|\d ?(?:am|pm|uhr)\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:mon|diens|donners|frei|sams|sonn)tag"
    r"|\b(?:day|week|month|year|hour|minute|tag|woche|monat|jahr|stunde)(?:s|e|en|n)?\b"
    r"|\b(?:before|after|until|during|vor|nach|bis|während)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(?:because|since|due to|so that|in order to|therefore|as a result|reason|to \w+|weil|da|denn|"
    r"damit|wegen|deshalb|daher|grund|um)\b",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"(?<=[\w,;’'”\")] )[^\W\d_a-z]\w+|^\W*[^\W\d_a-z]\w+")
_ROLE = re.compile(
    r"\b(?:team|manager|director|officer|lead|head|department|committee|board|staff|leitung|abteilung|"
    r"you|they|he|she|everyone|anyone|\w+(?:er|or|ist|ant)s?)\b",
    re.IGNORECASE,
)


def expected_type(question: str) -> str:
    """``quantity``, ``date``, ``person``, ``place``, ``reason``, or empty when nothing is known."""
    first = [
        (match.start(), kind)
        for kind, pattern in _QUESTIONS
        if (match := pattern.search(question)) is not None
    ]
    return min(first, key=lambda found: found[0])[1] if first else ""


def type_fit(kind: str, question: str, sentence: str) -> float:
    """Whether a sentence holds what is asked for and the question does not already say.

    Returns:
        1 when it does, 0 when it does not, .5 when the question expects nothing in particular.
    """
    if not kind:
        return 0.5
    if kind == "quantity":
        return float(_QUANTITY.search(sentence) is not None)
    if kind == "date":
        return float(_DATE.search(sentence) is not None)
    if kind == "reason":
        return float(_REASON.search(sentence) is not None)
    asked = question.casefold()
    named = any(word.casefold() not in asked for word in _CAPITAL.findall(sentence))
    if named:
        return 1.0
    return 0.5 if kind == "person" and _ROLE.search(sentence) else 0.0
