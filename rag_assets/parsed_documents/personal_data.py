"""Personal data in what a parser gave, replaced before anything of it is kept."""

from dataclasses import dataclass, replace

from rag_assets.platform.settings import Settings
from rag_assets.privacy.redaction import (
    RedactionFailed,
    Redactor,
    redaction_fingerprint,
    redactor_of,
)

from .outcome import ErrorKind, Extracted, Failure, Outcome


@dataclass(frozen=True)
class PersonalData:
    """Replaces it in one source's documents.

    Attributes:
        fingerprint: of how; never empty.
    """

    redactor: Redactor
    fingerprint: str

    @classmethod
    def of(cls, settings: Settings, source: str) -> "PersonalData | None":
        """As the source is configured; None where personal data stays.

        Raises:
            ConfigurationError, MissingExtra: see ``Redactor``.
        """
        redactor = redactor_of(settings, source)
        return cls(redactor, redaction_fingerprint(settings, source)) if redactor else None

    def replaced(self, outcome: Outcome) -> Outcome:
        """A text, its title and its pages without personal data, or why there is none.

        Pages still begin where they did: their offsets move with the text.
        """
        try:
            if isinstance(outcome, Failure):
                return replace(outcome, message=self.redactor.redact(outcome.message).text)
            return self._text(outcome)
        except RedactionFailed as error:
            return Failure(ErrorKind.NOT_REDACTED, error.message, outcome.parser)

    def _text(self, extracted: Extracted) -> Extracted:
        redacted = self.redactor.redact(extracted.text)
        title = extracted.title
        return replace(
            extracted,
            text=redacted.text,
            title=self.redactor.redact(title).text if title else title,
            page_starts=redacted.offsets(extracted.page_starts),
        )
