"""What the service refuses, each with the HTTP status and headers that say so."""

from collections.abc import Mapping

from rag_assets.platform.errors import RaglineError


class Refused(RaglineError):
    """Base of everything that a caller is told with a status of its own.

    Attributes:
        status: the HTTP status.
        headers: response headers that belong to it.
    """

    status = 400

    def __init__(
        self, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint)
        self.headers: dict[str, str] = dict(headers or {})


class Unauthorized(Refused):
    """There is no credential, or it is not valid (any more)."""

    status = 401

    def __init__(self, message: str, hint: str = "", *, presented: bool = True) -> None:
        # RFC 6750: the error code only where a credential was presented
        error = ', error="invalid_token"' if presented else ""
        super().__init__(message, hint, {"WWW-Authenticate": f'Bearer realm="ragline"{error}'})


class Forbidden(Refused):
    """The credential is valid, but not for this."""

    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This needs the scope '{scope}'.",
            "Ask an administrator for a key or a group that has it.",
            {
                "WWW-Authenticate": f'Bearer realm="ragline", error="insufficient_scope", scope="{scope}"'
            },
        )


class ForeignRequest(Refused):
    """A web page of another place, or another host name, tried to use the service."""

    status = 403


class TooLarge(Refused):
    """The body of a request is larger than it may be."""

    status = 413


class UploadRefused(Refused):
    """A file that is not taken: its name, its type or its content."""

    status = 422


class UnsupportedFile(UploadRefused):
    """A file of a type that cannot be read, or that is not what its name says."""

    status = 415


class TooManyRequests(Refused):
    """A limit of the caller is used up.

    Attributes:
        retry_after: seconds until it makes sense to try again.
    """

    status = 429

    def __init__(
        self, message: str, *, retry_after: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(
            message,
            f"Try again in {retry_after} s.",
            {**(headers or {}), "Retry-After": str(retry_after)},
        )
        self.retry_after = retry_after


class IdentityUnavailable(Refused):
    """Credentials cannot be checked now: the issuer's keys or the database are out of reach."""

    status = 503

    def __init__(self, message: str, hint: str = "", *, retry_after: int = 10) -> None:
        super().__init__(message, hint, {"Retry-After": str(retry_after)})
