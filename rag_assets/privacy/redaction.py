"""Documents without their personal data: found by ``finder.py``, replaced here, offsets kept right."""

import importlib.util
import json
import subprocess
import sys
import threading
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rag_assets.platform.errors import MissingExtra, RaglineError
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.settings import PrivacySettings, Settings

from .finder import WORTH_A_LOOK
from .pseudonyms import Mode, key_of, replacement

STAGE_VERSION = 1
# the first text waits for the program to start
START_SECONDS = 120.0
SECONDS_PER_TEXT = 60.0
SECONDS_PER_MEGABYTE = 60.0


class RedactionFailed(RaglineError):
    """Personal data could not be looked for; the document must not be used as it is."""


@dataclass(frozen=True)
class Redacted:
    """A text without personal data.

    Attributes:
        edits: for every replacement its start and end in the old text, and its length now.
    """

    text: str
    edits: tuple[tuple[int, int, int], ...] = ()

    def offsets(self, old: Sequence[int]) -> list[int]:
        """Where places of the old text are now; inside of what was replaced: at its beginning."""
        ends = [end for _, end, _ in self.edits]
        shifts = [0]
        for start, end, length in self.edits:
            shifts.append(shifts[-1] + length - (end - start))
        moved = []
        for place in old:
            index = bisect_right(ends, place)
            inside = index < len(self.edits) and place > self.edits[index][0]
            moved.append((self.edits[index][0] if inside else place) + shifts[index])
        return moved


class Redactor:
    """Replaces personal data. The program behind it starts with the first text; ``close`` ends it.

    Args:
        settings: the section ``[privacy]``.
        mode: mask or hash.

    Raises:
        ConfigurationError: hash without a key.
        MissingExtra: presidio is not installed.
    """

    def __init__(self, settings: PrivacySettings, mode: Mode) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if importlib.util.find_spec("presidio_analyzer") is None:
            raise MissingExtra("presidio-analyzer", "privacy")
        self._key = key_of(settings, mode)
        self._shape = {"kinds": list(settings.entities), "regions": list(settings.phone_regions)}
        self._lock = threading.Lock()

    def __enter__(self) -> "Redactor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._process is not None:
            self._end()

    def redact(self, text: str) -> Redacted:
        """A text without personal data.

        Raises:
            RedactionFailed: it could not be looked for.
        """
        if not WORTH_A_LOOK.search(text):
            return Redacted(text)
        parts: list[str] = []
        edits: list[tuple[int, int, int]] = []
        done = 0
        for start, end, kind in self._find(text):
            new = replacement(kind, text[start:end], self._key)
            parts += [text[done:start], new]
            edits.append((start, end, len(new)))
            done = end
        return Redacted("".join([*parts, text[done:]]), tuple(edits))

    def value(self, value: Any) -> Any:
        """A JSON value without personal data in its texts; names of keys stay."""
        if isinstance(value, str):
            return self.redact(value).text
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value

    def close(self) -> None:
        """End the program."""
        with self._lock:
            self._end()

    def _find(self, text: str) -> list[tuple[int, int, str]]:
        with self._lock:
            wait = SECONDS_PER_TEXT + SECONDS_PER_MEGABYTE * len(text) / 1e6
            if self._process is None:
                wait += START_SECONDS
                self._start()
            process = self._process
            assert process is not None
            assert process.stdout is not None
            guard = threading.Timer(wait, process.kill)
            guard.start()
            try:
                self._send(text)
                line = process.stdout.readline()
            except OSError:
                line = b""
            finally:
                guard.cancel()
            if not line.endswith(b"\n"):
                self._end()
                raise RedactionFailed(
                    "Personal data could not be looked for: the program ended or took too long.",
                    "Run the ingest again; the document is not used until then.",
                )
            return [(start, end, kind) for start, end, kind in json.loads(line)]

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rag_assets.privacy.finder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._send(self._shape)

    def _send(self, value: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # ASCII: a lone surrogate passes too
        self._process.stdin.write(json.dumps(value).encode() + b"\n")
        self._process.stdin.flush()

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what it did not take any more
                    pipe.close()
        process.wait()


def redaction_fingerprint(settings: Settings, source: str) -> str:
    """What decides how a source's documents are redacted; empty where they are not.

    Raises:
        ConfigurationError: hash without a key.
    """
    configured = settings.sources.get(source)
    if configured is None or configured.personal_data == "off":
        return ""
    privacy = settings.privacy
    key = key_of(privacy, configured.personal_data)
    return fingerprint(
        {
            "version": STAGE_VERSION,
            "mode": configured.personal_data,
            "kinds": sorted(privacy.entities),
            "regions": sorted(privacy.phone_regions),
            # a pseudonym tells one key from another, and nobody which it is
            "key": replacement("KEY", "fingerprint", key) if key else "",
        }
    )


def redactor_of(settings: Settings, source: str) -> Redactor | None:
    """The redactor of a source's documents; None where they are left as they are.

    Raises:
        ConfigurationError, MissingExtra: see ``Redactor``.
    """
    configured = settings.sources.get(source)
    if configured is None or configured.personal_data == "off":
        return None
    return Redactor(settings.privacy, configured.personal_data)
