"""Where the service listens without knowing who asks, and what the server believes of proxies."""

import pytest

from rag_app.access.exposure import check_exposure, is_loopback, server_options
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import AuthSettings, ServerSettings, Settings

HERE = [
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "[::1]",
    "localhost",
    "LOCALHOST",
    "a.localhost",
    "localhost.",
]
EVERYWHERE = ["0.0.0.0", "::", "[::]", "10.0.0.5", "192.168.1.2", "example.org", "", "::ffff:10.0.0.1",
              "localhost.example.org", "fe80::1%eth0"]  # fmt: skip


@pytest.mark.parametrize("host", HERE)
def test_the_loopback_address_needs_no_authentication(host: str) -> None:
    assert is_loopback(host)
    check_exposure(Settings(), host)


@pytest.mark.parametrize("host", EVERYWHERE)
def test_any_other_address_does(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError, match="Authentication is off") as caught:
        check_exposure(Settings(), host)
    assert "auth.enabled" in caught.value.hint
    check_exposure(Settings(auth=AuthSettings(enabled=True)), host)
    check_exposure(Settings(auth=AuthSettings(allow_anonymous_beyond_loopback=True)), host)


def test_forwarded_addresses_are_believed_of_configured_proxies_only() -> None:
    assert server_options(Settings())["proxy_headers"] is False
    behind = Settings(server=ServerSettings(trusted_proxies=["10.0.0.0/8"]))
    assert server_options(behind)["proxy_headers"] is True
    assert server_options(behind)["forwarded_allow_ips"] == ["10.0.0.0/8"]
    assert server_options(behind)["server_header"] is False
