"""What a source says of a document beside its text, without personal data.

The id and the address stay: they say which document it is, and are the only way back to it. The bytes
stay too, as the blob that the text is read from; what is made of them is redacted where they are
parsed.
"""

from dataclasses import replace

from rag_assets.privacy.redaction import Redactor

from .base import Fetched


def without_personal_data(fetched: Fetched, redactor: Redactor) -> Fetched:
    """A document whose title, attributes and problem name nobody.

    Raises:
        RedactionFailed: personal data could not be looked for.
    """
    return replace(
        fetched,
        title=redactor.redact(fetched.title).text if fetched.title else fetched.title,
        attributes=redactor.value(fetched.attributes),
        problem=redactor.redact(fetched.problem).text if fetched.problem else fetched.problem,
    )
