"""API keys: ``rag_<id>_<secret>``, shown once, kept as a hash.

The secret is 256 random bits, so that a plain SHA-256 of it is as good as a slow password hash:
nobody can try that many, and a request need not wait for it. The id finds the row; the secret is
compared in constant time, with a row that does not exist as well.
"""

import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from cachetools import LRUCache

from rag_assets.platform.errors import StorageError
from rag_assets.query.access import Caller
from rag_assets.service_records.keys import ApiKey, ApiKeys

from .errors import IdentityUnavailable, Unauthorized
from .principal import ADMIN, SCOPES, Principal

PREFIX = "rag_"
ID_BYTES, SECRET_BYTES = 6, 32
USED_SECONDS = 60.0  # ``last_used_at`` is written at most so often
# while the database is down, keys that were seen shortly before go on: nobody can revoke one then
OUTAGE_SECONDS = 300.0
_FORM = re.compile(rf"{PREFIX}([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")
_NOBODY = "0" * 64

log = logging.getLogger(__name__)


class NewKey(NamedTuple):
    """A key at its birth: the only moment at which its text is known."""

    text: str
    key: ApiKey


class _Seen(NamedTuple):
    key: ApiKey | None
    at: float


def make_key(
    name: str,
    groups: Iterable[str],
    scopes: Iterable[str],
    expires_in: timedelta | None = None,
) -> NewKey:
    """Make a key; it is not stored yet."""
    key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
    now = datetime.now(UTC)
    key = ApiKey(
        key_id=key_id,
        name=name,
        key_sha256=hash_of(secret),
        groups=tuple(sorted(set(groups))),
        scopes=tuple(scope for scope in SCOPES if scope in set(scopes)),
        created_at=now,
        expires_at=None if expires_in is None else now + expires_in,
    )
    return NewKey(f"{PREFIX}{key_id}_{secret}", key)


def hash_of(secret: str) -> str:
    """What is stored of a secret."""
    return sha256(secret.encode()).hexdigest()


def is_key(credential: str) -> bool:
    """Whether a credential wants to be an API key, right or wrong."""
    return credential.startswith(PREFIX)


class KeyChecker:
    """Turns the text of a key into a principal.

    Args:
        keys: the stored keys.
        cache_seconds: how long a row is taken as it was read; 0: it is read every time.
    """

    def __init__(self, keys: ApiKeys, cache_seconds: float) -> None:
        self._keys = keys
        self._seconds = cache_seconds
        self._seen: LRUCache[str, _Seen] = LRUCache(10_000)
        self._used: LRUCache[str, float] = LRUCache(10_000)
        self._lock = threading.Lock()

    def principal(self, credential: str) -> Principal:
        """The principal of a key.

        Raises:
            Unauthorized: there is no such key, or it is revoked or expired.
            IdentityUnavailable: the database cannot be read, and the key was not seen shortly before.
        """
        form = _FORM.fullmatch(credential)
        if form is None:
            raise _invalid()
        key_id, secret = form[1], form[2]
        key = self._row(key_id)
        expected = _NOBODY if key is None else key.key_sha256
        same = hmac.compare_digest(hash_of(secret), expected)
        if key is None or not same:
            raise _invalid()
        state = key.state(datetime.now(UTC))
        if state != "active":
            raise Unauthorized(f"This API key is {state}.", "Ask an administrator for a new one.")
        self._note_use(key_id)
        caller = Caller.of(key.groups, authenticated=True)
        if ADMIN in key.scopes:
            caller = Caller(caller.groups, admin=True, authenticated=True)
        return Principal(f"key:{key_id}", caller, frozenset(key.scopes), "key")

    def _row(self, key_id: str) -> ApiKey | None:
        with self._lock:
            seen = self._seen.get(key_id)
        now = time.monotonic()
        if seen is not None and now - seen.at < self._seconds:
            return seen.key
        try:
            key = self._keys.get(key_id)
        except StorageError as error:
            if seen is not None and now - seen.at < OUTAGE_SECONDS:
                log.warning("API key %s goes on as it was last seen: %s", key_id, error)
                return seen.key
            raise IdentityUnavailable(
                "API keys cannot be checked: the platform database is out of reach.",
                "Try again in a moment.",
            ) from error
        if key is not None:  # ids that somebody makes up must not push real ones out
            with self._lock:
                self._seen[key_id] = _Seen(key, now)
        return key

    def _note_use(self, key_id: str) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._used.get(key_id, -USED_SECONDS) < USED_SECONDS:
                return
            self._used[key_id] = now
        try:
            self._keys.used(key_id, datetime.now(UTC))
        except StorageError as error:
            log.warning("the last use of API key %s was not noted: %s", key_id, error)


def _invalid() -> Unauthorized:
    return Unauthorized("This API key is not valid.", "Check that it was copied as a whole.")
