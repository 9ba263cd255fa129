"""Sending an alert to every configured channel, each on its own, none of them twice."""

import logging
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AlertSettings

from .alert import Alert, Delivery
from .channels import Channel, NotDelivered, TryAgain, configured_channels
from .render import render
from .sent import last_sent, remember_sent

logger = logging.getLogger(__name__)
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
LOCK_SECONDS = 60.0


def send_alert(platform: Platform, alert: Alert, now: datetime | None = None) -> list[Delivery]:
    """Send an alert to every configured channel that has not had it lately.

    A channel that fails is logged and keeps no other from being served; what it missed it gets when
    the same alert is raised again. Nothing is raised: an alert is never the reason of a failure.

    Args:
        platform: the deployment.
        alert: what is said; see there what it may hold.
        now: with a time zone; default: this moment.

    Returns:
        One delivery a channel; none where no channel is configured.
    """
    settings, now = platform.settings.alerts, now or datetime.now(UTC)
    channels = configured_channels(settings)
    if not channels or not alert.key:
        return _deliver(settings, channels, alert, now)
    with ExitStack() as stack:
        try:
            # another process may be about to send the same
            stack.enter_context(
                platform.lock("alerts", doing="sending an alert", timeout=LOCK_SECONDS)
            )
            sent = last_sent(platform, alert.key)
        except (RaglineError, OSError, SQLAlchemyError) as error:
            logger.warning("Cannot look up which alerts were sent, sending this one: %s", error)
            sent = {}
        known_after = now - timedelta(hours=settings.repeat_hours)
        due = [item for item in channels if sent.get(item.name, known_after) <= known_after]
        done = _deliver(settings, due, alert, now)
        fresh = {delivery.channel: now for delivery in done if delivery.status == "sent"}
        if fresh:
            try:
                remember_sent(platform, alert.key, sent | fresh)
            except (RaglineError, OSError) as error:
                logger.warning("Cannot remember that an alert was sent: %s", error)
    known = [Delivery(item.name, "known") for item in channels if item not in due]
    return sorted([*done, *known], key=lambda delivery: delivery.channel)


def _deliver(
    settings: AlertSettings, channels: Sequence[Channel], alert: Alert, now: datetime
) -> list[Delivery]:
    """Serve all channels at the same time: a slow one does not make the others wait."""
    if not channels:
        return []
    with ThreadPoolExecutor(len(channels), thread_name_prefix="alert") as pool:
        return list(pool.map(lambda channel: _deliver_to(settings, channel, alert, now), channels))


def _deliver_to(settings: AlertSettings, channel: Channel, alert: Alert, now: datetime) -> Delivery:
    deployment = settings.deployment or socket.gethostname()
    try:
        text, note = _rendered(settings, channel, alert, deployment, now)
        for attempt in Retrying(
            retry=retry_if_exception_type(TryAgain),
            stop=stop_after_attempt(settings.attempts),
            wait=wait_exponential_jitter(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
            reraise=True,
        ):
            with attempt:
                channel.deliver(text)
    except NotDelivered as error:
        # the reason only: what caused it may repeat the address, which can be a secret
        logger.error("The alert '%s' was not delivered by %s: %s", alert.kind, channel.name, error)
        return Delivery(channel.name, "failed", str(error))
    return Delivery(channel.name, "sent", note)


def _rendered(
    settings: AlertSettings, channel: Channel, alert: Alert, deployment: str, now: datetime
) -> tuple[str, str]:
    """The channel's text, and what is wrong with the template: then ours is used."""
    try:
        return render(channel.name, alert, deployment, now, settings.templates_path), ""
    except RaglineError as error:
        if not settings.templates_path:
            raise
        # bad news in the wrong dress is better than none
        logger.error("%s", error)
        told = replace(alert, fields={**alert.fields, "template": str(error)})
        return render(channel.name, told, deployment, now), str(error)
