"""What stands in the place of personal data: the name of its kind, or a stable pseudonym."""

import hashlib
import hmac
from typing import Literal

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import PrivacySettings

Mode = Literal["off", "mask", "hash"]
PSEUDONYM_LETTERS = 10
# letters only: digits could be taken for a number again
_TO_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst")


def replacement(kind: str, text: str, key: bytes | None) -> str:
    """What is written instead.

    Args:
        kind: of the personal data, e.g. ``EMAIL_ADDRESS``.
        text: that is replaced.
        key: of the pseudonyms; None masks. The same text gets the same pseudonym, whatever its
            spaces, hyphens and capitals; without the key nobody can tell from which.
    """
    if key is None:
        return f"[{kind}]"
    plain = "".join(char for char in text.casefold() if char.isalnum() or char in "@.")
    digest = hmac.new(key, f"{kind}:{plain}".encode(), hashlib.sha256).hexdigest()
    return f"[{kind}:{digest[:PSEUDONYM_LETTERS].translate(_TO_LETTERS)}]"


def key_of(settings: PrivacySettings, mode: Mode) -> bytes | None:
    """The key of the pseudonyms; None where personal data is masked.

    Raises:
        ConfigurationError: pseudonyms are wanted and there is no key.
    """
    if mode != "hash":
        return None
    key = settings.hash_key.get_secret_value()
    if not key:
        raise ConfigurationError(
            "Personal data is to be hashed, and privacy.hash_key is empty.",
            "Set RAG_PRIVACY__HASH_KEY to a long random text, or choose mask.",
        )
    return key.encode()
