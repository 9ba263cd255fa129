"""Where alerts go: a webhook, a Slack-compatible incoming webhook, e-mail.

A channel delivers one rendered text, once. It raises ``TryAgain`` when another attempt may succeed
and ``NotDelivered`` when it cannot; neither names the channel's address, which may be a secret.
"""

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from rag_assets.platform.settings import AlertSettings

BUSY = frozenset({408, 425, 429})
SMTP_PORTS = {"smtp": 25, "smtps": 465}


class NotDelivered(Exception):
    """A channel did not take an alert."""


class TryAgain(NotDelivered):
    """It may take it at another attempt."""


class Channel(NamedTuple):
    """A configured channel: its name, and what delivers a rendered text to it."""

    name: str
    deliver: Callable[[str], None]


def configured_channels(settings: AlertSettings) -> list[Channel]:
    """The channels that the settings name."""
    channels = []
    if settings.webhook_url.get_secret_value():
        headers = {"content-type": "application/json"}
        if token := settings.webhook_token.get_secret_value():
            headers["authorization"] = f"Bearer {token}"
        url = settings.webhook_url.get_secret_value()
        channels.append(Channel("webhook", _poster(url, headers, settings.timeout_seconds)))
    if settings.slack_url.get_secret_value():
        headers = {"content-type": "application/json"}
        url = settings.slack_url.get_secret_value()
        channels.append(Channel("slack", _poster(url, headers, settings.timeout_seconds)))
    if settings.email_to:
        channels.append(Channel("email", lambda text: _mail(settings, text)))
    return channels


def _poster(url: str, headers: dict[str, str], seconds: float) -> Callable[[str], None]:
    def post(text: str) -> None:
        import httpx

        try:
            with httpx.Client(timeout=seconds) as client:
                # the status is all that counts: a body that never ends is not waited for
                with client.stream("POST", url, content=text.encode(), headers=headers) as response:
                    status = response.status_code
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            raise NotDelivered("the address is not a valid http(s) URL") from error
        except httpx.HTTPError as error:
            raise TryAgain(f"no reply ({type(error).__name__})") from error
        if status in BUSY or status >= 500:
            raise TryAgain(f"HTTP status {status}")
        if not 200 <= status < 300:
            raise NotDelivered(f"HTTP status {status}")

    return post


def _mail(settings: AlertSettings, text: str) -> None:
    subject, _, body = text.strip().partition("\n")
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = settings.email_from
    message["To"] = ", ".join(settings.email_to)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=settings.email_from.rpartition("@")[2] or None)
    message.set_content(body.strip() + "\n")
    try:
        with _smtp(settings) as server:
            refused = server.send_message(message)
    except smtplib.SMTPResponseException as error:
        # 4xx: later; 5xx: never (RFC 5321, 4.2.1)
        kind = TryAgain if 400 <= error.smtp_code < 500 else NotDelivered
        raise kind(f"SMTP status {error.smtp_code}") from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        kind = TryAgain if all(400 <= code < 500 for code in codes) else NotDelivered
        raise kind(f"every recipient was refused (SMTP status {max(codes)})") from error
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise TryAgain(f"no reply ({type(error).__name__})") from error
    except (smtplib.SMTPException, ValueError) as error:
        raise NotDelivered(f"the e-mail cannot be sent ({type(error).__name__})") from error
    if refused:
        raise NotDelivered(f"{len(refused)} of {len(settings.email_to)} recipients were refused")


def _smtp(settings: AlertSettings) -> smtplib.SMTP:
    """A connection that is encrypted where the server can, and logged in where the URL says so."""
    parts = urlsplit(settings.smtp_url.get_secret_value())
    if parts.scheme not in SMTP_PORTS or not parts.hostname:
        raise NotDelivered("alerts.smtp_url is not smtp://host:port or smtps://host:port")
    port, seconds = parts.port or SMTP_PORTS[parts.scheme], settings.timeout_seconds
    tls = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(parts.hostname, port, timeout=seconds, context=tls)
    else:
        server = smtplib.SMTP(parts.hostname, port, timeout=seconds)
    try:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=tls)
            server.ehlo()
        if parts.username:
            if parts.scheme == "smtp" and not server.has_extn("auth"):
                raise NotDelivered("the SMTP server offers no login")
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server
