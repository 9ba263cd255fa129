"""Opening object stores (S3, GCS, Azure and what speaks their protocols), through obstore."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# obstore takes these apart from the settings of the store, and aborts when they are mixed
_CLIENT_OPTIONS = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "http1_only",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "read_timeout",
        "root_certificate",
        "timeout",
        "user_agent",
    }
)


def open_store(url: str, options: Mapping[str, str]) -> "ObjectStore":
    """Open the store at a URL; nothing is read yet.

    Args:
        url: e.g. ``s3://bucket/prefix``.
        options: settings of the store and of its HTTP client, e.g. ``aws_region``, ``allow_http``.

    Raises:
        MissingExtra: obstore is not installed.
        ConfigurationError: the URL or an option is not understood.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise MissingExtra("obstore", "s3") from error
    client: dict[str, str] = {"connect_timeout": "10s"}
    store: dict[str, str] = {}
    for key, value in options.items():
        name = key.lower().removeprefix("aws_")
        if name in _CLIENT_OPTIONS:
            client[name] = value
        else:
            store[key] = value
    if url.startswith("memory:"):
        return from_url(url)
    # a store out of reach must be reported in seconds, not after the default of three minutes
    retry: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}
    try:
        settings: Any = store
        http: Any = client
        return from_url(url, config=settings, client_options=http, retry_config=retry)
    except (BaseError, ValueError) as error:
        raise ConfigurationError(
            f"The object store {url} cannot be opened: {store_reason(error)}.",
            "Correct 'path' of the source or 'storage_options' in the settings.",
        ) from error


def store_reason(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip().rstrip(".") or type(error).__name__
