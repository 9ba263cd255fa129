"""Personal data in short texts of programs: log lines, comments, reasons. Rather too much than too little.

Documents are read by ``redaction.py`` with presidio, which takes seconds and half a gigabyte to import;
a service that writes a log line can have neither. Here whatever looks like an address or a long
number is replaced, whether or not its check digits are right.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from rag_assets.platform.settings import PrivacySettings

from .pseudonyms import Mode, key_of, replacement

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{2,4}){3,8}\b")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_MAYBE_PHONE = re.compile(r"\d(?:\D{0,3}\d){6}")
_PATTERNS = {"EMAIL_ADDRESS": _EMAIL, "IBAN_CODE": _IBAN, "CREDIT_CARD": _CARD}
Span = tuple[int, int, str]


class Scrubber:
    """Replaces personal data in short texts.

    Args:
        settings: the section ``[privacy]``.
        mode: what happens to it; default that of ``logs``.

    Raises:
        ConfigurationError: texts are to be hashed, and there is no key.
    """

    def __init__(self, settings: PrivacySettings, mode: Mode | None = None) -> None:
        mode = settings.logs if mode is None else mode
        self._off = mode == "off"
        self._kinds = frozenset(settings.entities)
        self._regions = settings.phone_regions
        self._key = key_of(settings, mode)

    def __call__(self, text: str) -> str:
        """The text without personal data."""
        if self._off or not text:
            return text
        parts, end = [], 0
        for start, stop, kind in _in_order(self._found(text)):
            parts += [text[end:start], replacement(kind, text[start:stop], self._key)]
            end = stop
        return "".join([*parts, text[end:]])

    def value(self, value: Any) -> Any:
        """A JSON value without personal data in its texts; names of keys stay."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _found(self, text: str) -> Iterator[Span]:
        for kind, pattern in _PATTERNS.items():
            if kind in self._kinds:
                yield from ((*match.span(), kind) for match in pattern.finditer(text))
        if "IP_ADDRESS" in self._kinds:
            yield from _addresses(text)
        if "PHONE_NUMBER" in self._kinds and _MAYBE_PHONE.search(text):
            yield from _phones(text, self._regions)


def _addresses(text: str) -> Iterator[Span]:
    """Addresses of the public internet: those of one's own network say who serves, not who asks."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                public = ipaddress.ip_address(match[0]).is_global
            except ValueError:
                continue
            if public:
                yield (*match.span(), "IP_ADDRESS")


def _phones(text: str, regions: list[str]) -> Iterator[Span]:
    import phonenumbers

    for region in regions:
        for match in phonenumbers.PhoneNumberMatcher(text, region):
            yield match.start, match.end, "PHONE_NUMBER"


def _in_order(spans: Iterator[Span]) -> Iterator[Span]:
    """The spans without overlaps: the one that begins first, and of those the longest."""
    end = 0
    for start, stop, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            yield start, stop, kind
            end = stop
