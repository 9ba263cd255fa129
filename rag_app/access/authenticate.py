"""From the ``Authorization`` header of a request to a principal."""

from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.service_records.keys import ApiKeys

from .errors import Unauthorized
from .exposure import is_loopback
from .keys import KeyChecker, is_key
from .principal import ANONYMOUS, FEEDBACK, READ, SCOPES, Principal
from .tokens import TokenChecker

HINT = "Send the header 'Authorization: Bearer <API key or token>'."


class Authenticator:
    """Says who asks. Safe to use from several threads.

    Checking a key reads the database, checking a token may ask the identity provider: call it from a
    worker thread, not from an event loop.

    Args:
        platform: its settings say how callers are identified, its database has the API keys.

    Raises:
        ConfigurationError: the settings for tokens are incomplete.
    """

    def __init__(self, platform: Platform) -> None:
        auth = platform.settings.auth
        self._anonymous = None if auth.enabled else anonymous(platform.settings.server.host)
        self._keys = KeyChecker(ApiKeys(platform.database), auth.key_cache_seconds)
        self._tokens = TokenChecker(auth) if auth.jwks_url else None

    @property
    def asks(self) -> bool:
        """Whether ``principal`` may have to ask the database or the identity provider."""
        return self._anonymous is None

    def principal(self, authorization: str | None) -> Principal:
        """The principal of a request.

        With authentication off everybody is ``anonymous``, whatever they send: many clients insist on
        sending some key.

        Args:
            authorization: the value of the header; None without one.

        Raises:
            Unauthorized: there is no valid credential.
            IdentityUnavailable: credentials cannot be checked now.
        """
        if self._anonymous is not None:
            return self._anonymous
        scheme, _, credential = (authorization or "").strip().partition(" ")
        credential = credential.strip()
        if not authorization:
            raise Unauthorized("This needs a credential.", HINT, presented=False)
        if scheme.lower() != "bearer" or not credential:
            raise Unauthorized("The Authorization header is not understood.", HINT)
        if is_key(credential):
            return self._keys.principal(credential)
        if self._tokens is None:
            raise Unauthorized("This is no API key.", HINT)
        return self._tokens.principal(credential)


def anonymous(host: str) -> Principal:
    """Everybody, where authentication is off.

    On the loopback address that is the person at the machine, who may do what the command line may;
    elsewhere anybody may ask, and nobody may change anything.

    Args:
        host: the address that the service listens on.
    """
    scopes = set(SCOPES) - {"admin"} if is_loopback(host) else {READ, FEEDBACK}
    return Principal(ANONYMOUS, Caller(), frozenset(scopes))
