"""Logs: one form for everything that the process writes, with the ids of the request and its trace.

Fields of a line in JSON are listed in docs/operations.md. No secret and no personal data gets into one:
what the settings hold as a secret is replaced wherever it appears, so are tokens of requests and
passwords in addresses, and ``privacy.logs`` says what happens to personal data.
"""

import copy
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, SecretStr
from pythonjsonlogger.json import JsonFormatter

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import Settings
from rag_assets.platform.telemetry import trace_ids
from rag_assets.privacy.scrub import Scrubber

from .context import current_request

HIDDEN = "***"
# a secret that is shorter would hide ordinary words
SHORTEST_SECRET = 6
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OWN = ("rag_app", "rag_jobs", "evals", "rag_assets")
REQUEST_FIELDS = ("request_id", "route", "method", "principal", "answer_id")
_TOKEN = re.compile(r"(?i)\b(bearer|basic|api[-_ ]?key\W{1,3})\s*[\w.~+/=-]{8,}")
_PASSWORD = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")


def log_config(settings: Settings) -> dict[str, Any]:
    """The configuration of ``logging`` for a serving process; uvicorn takes it as ``log_config``.

    Raises:
        ConfigurationError: the level is none, or texts are to be hashed without a key.
    """
    level = settings.telemetry.log_level.upper()
    if level not in LEVELS:
        raise ConfigurationError(
            f"telemetry.log_level is '{settings.telemetry.log_level}'.",
            f"Choose one of {', '.join(LEVELS)}.",
        )
    Scrubber(settings.privacy)  # what cannot work is said at the start
    # lines of requests are our own, with ids: uvicorn's would tell paths and addresses
    routed = {"handlers": [], "propagate": True, "level": level}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": make_formatter, "settings": settings}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "stream": "ext://sys.stderr",
            }
        },
        # at DEBUG, libraries write what they send and receive: answers, uploads, credentials
        "root": {"handlers": ["stderr"], "level": max(level, "INFO", key=LEVELS.index)},
        "loggers": {
            **{name: {"level": level} for name in OWN},
            "uvicorn": routed,
            "uvicorn.error": routed,
            "uvicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
            # they say of every call to an LLM or a store what the traces say better
            **{
                name: {"level": max(level, "WARNING", key=LEVELS.index)}
                for name in ("httpx", "httpx2", "openai", "urllib3")
            },
        },
    }


def make_formatter(settings: Settings) -> logging.Formatter:
    """The formatter that the settings ask for."""
    clean = Cleaner(settings)
    if settings.telemetry.log_format == "json":
        return JsonLines(clean)
    return TextLines(clean)


class Cleaner:
    """Takes secrets and personal data out of a text.

    Args:
        settings: all of them: the secrets are among them.
    """

    def __init__(self, settings: Settings) -> None:
        found = {value for value in _secrets(settings) if len(value) >= SHORTEST_SECRET}
        self._secrets = sorted(found, key=len, reverse=True)
        self._scrub = Scrubber(settings.privacy)

    def __call__(self, text: str) -> str:
        """The text that may be written."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _PASSWORD.sub(HIDDEN, text)
        text = _TOKEN.sub(rf"\1 {HIDDEN}", text)
        return self._scrub(text)

    def record(self, record: logging.LogRecord, formatter: logging.Formatter) -> logging.LogRecord:
        """A copy of a record whose texts may be written, with the fields of its request."""
        copied = copy.copy(record)
        copied.msg, copied.args = self(record.getMessage()), ()
        if record.exc_info:
            copied.exc_text = self(formatter.formatException(record.exc_info))
            copied.exc_info = None
        if record.stack_info:
            copied.stack_info = self(record.stack_info)
        for name, value in _request_fields().items():
            if not hasattr(copied, name):
                setattr(copied, name, value)
        return copied


class JsonLines(JsonFormatter):
    """One JSON object a line.

    Args:
        clean: takes out what may not be written.
    """

    def __init__(self, clean: Cleaner) -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        return super().format(self._clean.record(record, self))

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Put the time first."""
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        super().add_fields(log_data, record, message_dict)
        log_data.pop("color_message", None)  # uvicorn's, for terminals


class TextLines(logging.Formatter):
    """A line for people: time, level, logger, message, and the ids in brackets.

    Args:
        clean: takes out what may not be written.
    """

    def __init__(self, clean: Cleaner) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        cleaned = self._clean.record(record, self)
        ids = {name: getattr(cleaned, name, "") for name in ("request_id", "answer_id", "trace_id")}
        known = [f"{name.removesuffix('_id')} {value}" for name, value in ids.items() if value]
        if hasattr(cleaned, "duration_ms"):
            cleaned.msg += f" in {cleaned.duration_ms} ms"
        if known:
            cleaned.msg += f" [{', '.join(known)}]"
        return super().format(cleaned)


def _request_fields() -> dict[str, str]:
    trace_id, span_id = trace_ids()
    fields = {"trace_id": trace_id, "span_id": span_id}
    request = current_request()
    if request is not None:
        fields |= {name: getattr(request, name) for name in REQUEST_FIELDS}
    return {name: value for name, value in fields.items() if value}


def _secrets(node: Any) -> Iterator[str]:
    """Every secret of the settings, in plain."""
    if isinstance(node, SecretStr):
        yield node.get_secret_value()
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _secrets(getattr(node, name))
    elif isinstance(node, dict):
        for value in node.values():
            yield from _secrets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _secrets(value)
