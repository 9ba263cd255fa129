"""The program that looks for personal data in documents: ``python -m rag_assets.privacy.finder``.

It reads one JSON value a line from standard input: first the settings, then texts; for each text it
writes a line with the spans that it found. It is a process of its own because presidio brings spaCy
along, and that torch where it is installed: ten seconds and half a gigabyte that an ingest, which
needs neither, should not carry. Only recognizers by pattern and check digits are used; no language
model is loaded.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

# anything that may be an address or a number: only such lines are looked at closely
WORTH_A_LOOK = re.compile(r"@|\d(?:\D{0,4}\d){3}|[0-9a-fA-F]:[0-9a-fA-F]{0,4}:")
# what Markdown puts between the characters of an address, and what belongs to one
_OF_AN_ADDRESS = re.compile(r"[\w.+\\-]")
_NOT_PERSONAL = ("127.0.0.1", "0.0.0.0", "::1", "::")
Span = tuple[int, int, str, float]


def find(text: str, recognizers: list[Any]) -> list[tuple[int, int, str]]:
    """The personal data in a text: start, end and kind, in order and without overlaps."""
    found: list[Span] = []
    start = 0
    for line in text.splitlines(keepends=True):
        if WORTH_A_LOOK.search(line):
            found += [
                (start + first, start + last, kind, score)
                for first, last, kind, score in _in_line(line, recognizers)
            ]
        start += len(line)
    return list(_merged(found))


def _in_line(line: str, recognizers: list[Any]) -> Iterator[Span]:
    for recognizer in recognizers:
        for result in recognizer.analyze(line, recognizer.supported_entities, None):
            start, end = result.start, result.end
            if line[start:end] in _NOT_PERSONAL:
                continue
            if result.entity_type == "EMAIL_ADDRESS":
                while start and _OF_AN_ADDRESS.match(line[start - 1]):
                    start -= 1
            yield start, end, result.entity_type, result.score


def _merged(spans: list[Span]) -> Iterator[tuple[int, int, str]]:
    """Spans that overlap become one, of the surest kind."""
    current: Span | None = None
    for start, end, kind, score in sorted(spans):
        if current is not None and start < current[1]:
            best = (kind, score) if score > current[3] else current[2:]
            current = (current[0], max(end, current[1]), *best)
            continue
        if current is not None:
            yield current[:3]
        current = (start, end, kind, score)
    if current is not None:
        yield current[:3]


def make_recognizers(kinds: list[str], regions: list[str]) -> list[Any]:
    """The recognizers of some kinds of personal data.

    Args:
        kinds: as ``privacy.entities`` names them.
        regions: countries whose national phone numbers are known.
    """
    from presidio_analyzer.predefined_recognizers import (
        CreditCardRecognizer,
        EmailRecognizer,
        IbanRecognizer,
        IpRecognizer,
        PhoneRecognizer,
    )

    class AnyEmailRecognizer(EmailRecognizer):
        """Without a look at the list of public domains, which would be fetched from the internet."""

        def validate_result(self, pattern_text: str) -> bool | None:
            return None

    made: dict[str, Callable[[], Any]] = {
        "EMAIL_ADDRESS": AnyEmailRecognizer,
        "PHONE_NUMBER": lambda: PhoneRecognizer(supported_regions=regions),
        "CREDIT_CARD": CreditCardRecognizer,
        "IBAN_CODE": IbanRecognizer,
        "IP_ADDRESS": IpRecognizer,
    }
    return [made[kind]() for kind in kinds]


def main() -> None:
    """Answer until standard input ends."""
    # libraries that print must not print between the answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # spaCy imports torch only to see whether it is there
    sys.modules["torch"] = None  # type: ignore[assignment]
    lines = iter(sys.stdin.buffer)
    settings = json.loads(next(lines))
    recognizers = make_recognizers(settings["kinds"], settings["regions"])
    for line in lines:
        answers.write(json.dumps(find(json.loads(line), recognizers)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
