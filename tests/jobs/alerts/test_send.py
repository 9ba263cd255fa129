"""Alerts reach real receivers, once, on every channel that works, and give no secret away."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import rag_jobs.alerts.send as sending
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AlertSettings, Settings
from rag_jobs.alerts import Alert, send_alert
from rag_jobs.alerts.sent import forget_sent
from tests.jobs.alerts.receivers import HttpReceiver, Mailbox, http_receiver, mailbox

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
ALERT = Alert(
    kind="run_failed",
    title="'ingest' of handbook failed",
    text='It met <@everyone> & a "quote".\nSecond line.',
    key="run_failed:ingest:handbook",
    fields={"partition": "handbook", "attempts": 3},
    links={"Run": "http://dagster.example/runs/1"},
)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(sending, "LONGEST_WAIT_SECONDS", 0.02)


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found


def platform_in(folder: Path, **values: Any) -> Platform:
    settings = AlertSettings.model_validate({"deployment": "acme", **values})
    return Platform(Settings(home=str(folder / "home"), alerts=settings))


def everywhere(folder: Path, web: HttpReceiver, box: Mailbox, **values: Any) -> Platform:
    return platform_in(
        folder,
        webhook_url=f"{web.url}/hook/s3cret",
        webhook_token="t0ken",
        slack_url=f"{web.url}/slack/s3cret",
        email_to=["ops@example.org", "data@example.org"],
        email_from="ragline@example.org",
        smtp_url=box.url,
        **values,
    )


def told(platform: Platform, alert: Alert = ALERT, now: datetime = NOW) -> dict[str, str]:
    return {item.channel: item.status for item in send_alert(platform, alert, now)}


def test_every_channel_gets_it_in_its_own_form(
    tmp_path: Path, web: HttpReceiver, box: Mailbox
) -> None:
    platform = everywhere(tmp_path, web, box)
    assert told(platform) == {"email": "sent", "slack": "sent", "webhook": "sent"}

    by_path = dict(zip(web.paths, zip(web.alerts, web.headers, strict=True), strict=True))
    body, headers = by_path["/hook/s3cret"]
    assert body == {
        "kind": "run_failed",
        "severity": "error",
        "title": ALERT.title,
        "text": ALERT.text,
        "key": ALERT.key,
        "fields": {"partition": "handbook", "attempts": 3},
        "links": {"Run": "http://dagster.example/runs/1"},
        "deployment": "acme",
        "at": NOW.isoformat(),
    }
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["content-type"] == "application/json"

    message, headers = by_path["/slack/s3cret"]
    assert set(message) == {"text"}
    assert "authorization" not in headers
    # nobody is called by what a failure says
    assert "&lt;@everyone&gt; &amp; a" in message["text"]
    assert "<http://dagster.example/runs/1|Run>" in message["text"]
    assert "• attempts: 3" in message["text"]

    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.org", "data@example.org"]
    assert mail["Subject"] == f"[Ragline acme] error: {ALERT.title}"
    assert mail["From"] == "ragline@example.org"
    text = mail.get_content().replace("\r\n", "\n")  # type: ignore[attr-defined]
    assert ALERT.text in text
    assert "partition: handbook\nattempts: 3\n" in text
    assert "Run: http://dagster.example/runs/1" in text


def test_the_same_alert_is_sent_once_until_it_is_due_again(
    tmp_path: Path, web: HttpReceiver
) -> None:
    platform = platform_in(tmp_path, webhook_url=web.url, repeat_hours=6)
    other = Alert(kind="late", title="late", key="late:handbook")
    assert told(platform) == {"webhook": "sent"}
    # another process of the same deployment knows of it
    again = platform_in(tmp_path, webhook_url=web.url, repeat_hours=6)
    assert told(again, now=NOW + timedelta(hours=5)) == {"webhook": "known"}
    assert told(again, other, NOW + timedelta(hours=5)) == {"webhook": "sent"}
    assert told(again, now=NOW + timedelta(hours=7)) == {"webhook": "sent"}
    unkeyed = Alert(kind="test", title="test")
    assert [told(platform, unkeyed), told(platform, unkeyed)] == [{"webhook": "sent"}] * 2
    assert [alert["kind"] for alert in web.alerts] == [
        *("run_failed", "late", "run_failed"),
        *("test", "test"),
    ]
    assert forget_sent(platform, NOW + timedelta(hours=6)) == 1
    assert told(platform, other, NOW + timedelta(hours=6)) == {"webhook": "sent"}


def test_a_channel_that_is_busy_is_tried_again(
    tmp_path: Path, web: HttpReceiver, box: Mailbox
) -> None:
    web.replies, box.replies = [503, 429], ["451 later"]
    platform = platform_in(tmp_path, webhook_url=web.url, email_to=["a@b.c"], smtp_url=box.url)
    assert told(platform) == {"email": "sent", "webhook": "sent"}
    assert len(web.bodies) == 3
    assert len(box.mails) == 1


def test_one_that_refuses_is_not_tried_again_and_stops_no_other(
    tmp_path: Path, web: HttpReceiver, box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    web.replies = [403]
    platform = platform_in(
        tmp_path, webhook_url=f"{web.url}/s3cret", email_to=["a@b.c"], smtp_url=box.url
    )
    with caplog.at_level(logging.DEBUG, "rag_jobs"):
        assert told(platform) == {"email": "sent", "webhook": "failed"}
    assert len(web.bodies) == 1
    assert "webhook: HTTP status 403" in caplog.text
    assert "s3cret" not in caplog.text
    # what it missed it gets the next time; the other does not get it twice
    assert told(platform, now=NOW + timedelta(minutes=1)) == {"email": "known", "webhook": "sent"}
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"slack_url": "http://127.0.0.1:9/s3cret"}, "no reply"),
        ({"slack_url": "gopher://s3cret"}, "not a valid http"),
        ({"email_to": ["a@b.c"], "smtp_url": "smtp://me:s3cret@127.0.0.1:9"}, "no reply"),
        ({"email_to": ["a@b.c"], "smtp_url": "http://s3cret"}, "smtp://host:port"),
    ],
)
def test_a_channel_out_of_reach_is_no_failure_of_ours(
    tmp_path: Path, values: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    platform = platform_in(tmp_path, attempts=2, timeout_seconds=2, **values)
    with caplog.at_level(logging.DEBUG):
        (delivery,) = send_alert(platform, ALERT)
    assert delivery.status == "failed"
    assert reason in delivery.reason
    assert "s3cret" not in caplog.text + delivery.reason


def test_a_receiver_that_is_silent_is_given_up(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        platform = platform_in(tmp_path, webhook_url=url, timeout_seconds=0.3, attempts=2)
        (delivery,) = send_alert(platform, ALERT)
    assert (delivery.status, delivery.reason) == ("failed", "no reply (ReadTimeout)")


def test_a_login_is_refused_where_the_server_offers_none(tmp_path: Path, box: Mailbox) -> None:
    url = box.url.replace("smtp://", "smtp://user:s3cret@")
    platform = platform_in(tmp_path, email_to=["a@b.c"], smtp_url=url)
    (delivery,) = send_alert(platform, ALERT)
    assert delivery.reason == "the SMTP server offers no login"


def test_a_deployment_writes_its_own_templates(
    tmp_path: Path, web: HttpReceiver, box: Mailbox
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    template = '{{ {"summary": alert.title, "who": deployment} | tojson }}'
    (templates / "webhook.jinja").write_text(template)
    platform = platform_in(
        tmp_path,
        webhook_url=web.url,
        email_to=["a@b.c"],
        smtp_url=box.url,
        templates_path=str(templates),
    )
    assert told(platform) == {"email": "sent", "webhook": "sent"}
    assert web.alerts == [{"summary": ALERT.title, "who": "acme"}]
    assert box.mails[0][1]["Subject"].startswith("[Ragline acme]")


@pytest.mark.parametrize("template", ["{{ alert.nothing }}", "{% if %}", "{{ 1 / 0 }}", None])
def test_a_broken_template_gives_way_to_ours(
    tmp_path: Path, web: HttpReceiver, template: str | None
) -> None:
    templates = tmp_path / "templates"
    if template is not None:
        templates.mkdir()
        (templates / "webhook.jinja").write_text(template)
    platform = platform_in(tmp_path, webhook_url=web.url, templates_path=str(templates))
    (delivery,) = send_alert(platform, ALERT)
    assert delivery.status == "sent"
    assert str(templates) in delivery.reason
    assert web.alerts[0]["title"] == ALERT.title
    assert str(templates) in web.alerts[0]["fields"]["template"]


def test_lines_in_a_title_are_no_headers(tmp_path: Path, box: Mailbox) -> None:
    platform = platform_in(tmp_path, email_to=["a@b.c"], smtp_url=box.url)
    alert = Alert(kind="test", title="one\nBcc: you@example.org\n\ntwo", text="x" * 5000)
    assert told(platform, alert) == {"email": "sent"}
    ((recipients, mail),) = box.mails
    assert recipients == ["a@b.c"]
    assert mail["Bcc"] is None
    assert mail["Subject"].endswith("one Bcc: you@example.org two")
    assert 2000 <= len(mail.get_content()) < 2300  # type: ignore[attr-defined]


def test_a_platform_that_cannot_be_written_keeps_no_alert_back(
    tmp_path: Path, web: HttpReceiver
) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    platform = platform_in(tmp_path, webhook_url=web.url)
    assert told(platform) == {"webhook": "sent"}


def test_without_channels_nothing_is_done(tmp_path: Path) -> None:
    assert send_alert(platform_in(tmp_path), ALERT) == []
    assert not (tmp_path / "home").exists()
