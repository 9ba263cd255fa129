"""The keys that an identity provider signs tokens with, fetched from its JWKS address and kept.

They are fetched again when they are old, and at once when a token names a key that is not known (the
provider has changed its keys), but not more often than every few seconds. While the provider is down
the last keys go on, for a day at most.
"""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from .errors import IdentityUnavailable, Unauthorized

FETCH_SECONDS = 5.0
AGAIN_SECONDS = 5.0  # between two attempts, after a failure or for an unknown key
OUTAGE_SECONDS = 86_400.0
MOST_BYTES = 1 << 20
ASYMMETRIC = ("RSA", "EC", "OKP")

log = logging.getLogger(__name__)

JsonWebKey = Mapping[str, Any]


class SigningKeys:
    """The present keys of a provider. Safe to use from several threads.

    Args:
        url: of its JSON Web Key Set.
        cache_seconds: how long keys are taken as they were fetched.
    """

    def __init__(self, url: str, cache_seconds: float) -> None:
        self._url = url
        self._seconds = cache_seconds
        self._keys: list[JsonWebKey] = []
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = threading.Lock()

    def key(self, key_id: str | None) -> JsonWebKey:
        """The key of an id; without an id, the only key.

        Raises:
            Unauthorized: the provider has no such key.
            IdentityUnavailable: the provider is out of reach and no keys are known.
        """
        if self._is_old(self._seconds):
            self._refresh()
        found = self._find(key_id)
        if found is None and self._refresh():
            found = self._find(key_id)
        if found is not None:
            return found
        if self._is_old(OUTAGE_SECONDS):
            raise IdentityUnavailable(
                "Tokens cannot be checked: the identity provider's keys are out of reach.",
                "Try again in a moment; API keys work meanwhile.",
            )
        raise Unauthorized("The token is signed with a key that its issuer does not publish.")

    def _find(self, key_id: str | None) -> JsonWebKey | None:
        if self._is_old(OUTAGE_SECONDS):
            return None
        keys = self._keys
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.get("kid") == key_id), None)

    def _is_old(self, seconds: float) -> bool:
        return self._fetched_at is None or time.monotonic() - self._fetched_at >= seconds

    def _refresh(self) -> bool:
        """Fetch the keys unless that was tried a moment ago; whether they are new."""
        before = self._fetched_at
        with self._lock:
            if self._fetched_at != before:
                return True  # another thread was quicker
            now = time.monotonic()
            if self._tried_at is not None and now - self._tried_at < AGAIN_SECONDS:
                return False
            self._tried_at = now
            try:
                self._keys = fetch_keys(self._url)
            except (OSError, ValueError) as error:
                log.warning("the identity provider's keys cannot be fetched: %s", error)
                return False
            self._fetched_at = time.monotonic()
            return True


def fetch_keys(url: str) -> list[JsonWebKey]:
    """Fetch a key set; keys that are not for verifying signatures are left out.

    Raises:
        OSError: the address is out of reach or answers with an error.
        ValueError: what it answers is no key set.
    """
    import httpx

    try:
        with httpx.stream("GET", url, timeout=FETCH_SECONDS, follow_redirects=False) as response:
            response.raise_for_status()
            if response.is_redirect:
                raise ValueError("the address leads to another one")
            content = b""
            for part in response.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise ValueError("the key set is too large")
    except httpx.HTTPError as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    import json

    value = json.loads(content)
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer is no key set")
    usable: list[JsonWebKey] = [key for key in keys if isinstance(key, dict) and _verifies(key)]
    if not usable:
        raise ValueError("the key set has no key for signatures")
    return usable


def _verifies(key: Mapping[str, Any]) -> bool:
    return key.get("kty") in ASYMMETRIC and key.get("use", "sig") == "sig"
