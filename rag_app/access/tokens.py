"""Tokens of an identity provider (JWT, OIDC): checked, and turned into a principal."""

from collections.abc import Mapping
from typing import Any

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import AuthSettings
from rag_assets.query.access import Caller

from .errors import Unauthorized
from .jwks import SigningKeys
from .principal import ADMIN, SCOPES, Principal, known_scopes

# asymmetric ones only: whoever can verify a token must not be able to make one
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
LEEWAY_SECONDS = 30  # clocks of two machines differ
LONGEST_TOKEN = 16_384


class TokenChecker:
    """Checks tokens.

    Args:
        settings: issuer, audience, claims.

    Raises:
        ConfigurationError: issuer or audience is missing, the address is none, a scope does not exist.
    """

    def __init__(self, settings: AuthSettings) -> None:
        missing = [name for name in ("issuer", "audience") if not getattr(settings, name)]
        if missing:
            raise ConfigurationError(
                f"auth.jwks_url is set, but not auth.{missing[0]}.",
                "Without it, tokens that were made for others would be accepted.",
            )
        if not settings.jwks_url.startswith(("https://", "http://")):
            raise ConfigurationError(
                f"auth.jwks_url = '{settings.jwks_url}' is no web address.",
                "Take jwks_uri from the provider's /.well-known/openid-configuration.",
            )
        self._settings = settings
        self._default_scopes = known_scopes(settings.default_scopes)
        self._keys = SigningKeys(settings.jwks_url, settings.jwks_cache_seconds)

    def principal(self, token: str) -> Principal:
        """The principal of a token.

        Raises:
            Unauthorized: its form, signature, issuer, audience or time is wrong.
            IdentityUnavailable: the provider's keys are out of reach.
        """
        claims = self._claims(token)
        groups = _names(_claim(claims, self._settings.groups_claim), ",")
        scopes = self._scopes(claims)
        if groups & set(self._settings.admin_groups):
            scopes |= {ADMIN}
        caller = Caller.of(groups, authenticated=True)
        if ADMIN in scopes:
            caller = Caller(caller.groups, admin=True, authenticated=True)
        return Principal(f"user:{claims['sub']}", caller, frozenset(scopes), "token")

    def _claims(self, token: str) -> Mapping[str, Any]:
        import jwt

        if len(token) > LONGEST_TOKEN:
            raise Unauthorized("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS:
                raise Unauthorized("The token is signed with an algorithm that is not accepted.")
            found = self._keys.key(header.get("kid"))
            # a key set may leave the algorithm open; it never overrules one that it names
            key = jwt.PyJWK(dict(found), algorithm=found.get("alg") or algorithm)
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(f"The token is not valid: {_reason(error)}.") from error
        return claims

    def _scopes(self, claims: Mapping[str, Any]) -> set[str]:
        prefix = self._settings.scope_prefix
        named = _names(_claim(claims, self._settings.scopes_claim), " ")
        ours = {name.removeprefix(prefix) for name in named if name.startswith(prefix)}
        return (ours & set(SCOPES)) or set(self._default_scopes)


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name; dots lead into objects unless a claim really is called so."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _names(value: Any, separator: str) -> set[str]:
    """Names from a list, or from one text."""
    if isinstance(value, str):
        value = value.split(separator)
    if not isinstance(value, list | tuple):
        return set()
    return {name.strip() for name in value if isinstance(name, str) and name.strip()}


def _reason(error: Exception) -> str:
    """Why, in our words: the library's may repeat parts of the token."""
    import jwt

    reasons: list[tuple[type[Exception], str]] = [
        (jwt.ExpiredSignatureError, "it has expired"),
        (jwt.ImmatureSignatureError, "it is not valid yet"),
        (jwt.InvalidAudienceError, "it was made for another audience"),
        (jwt.InvalidIssuerError, "it comes from another issuer"),
        (jwt.MissingRequiredClaimError, "a claim is missing (exp, iss, aud and sub are needed)"),
        (jwt.InvalidSignatureError, "its signature is wrong"),
    ]
    return next((text for kind, text in reasons if isinstance(error, kind)), "it is malformed")
