"""What the service writes into the audit log.

Changes are written before their answer is sent, and a change that cannot be recorded is refused.
Questions are many: they are handed to a thread that writes them together, and go on without the
log when the database is down.
"""

import logging
import queue
import threading
from collections.abc import Mapping
from typing import Any

from rag_assets.platform.errors import StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.privacy.scrub import Scrubber
from rag_assets.service_records.audit import AuditEntry, AuditLog

from .principal import Principal

# what only reads; everything else changes something
READS = frozenset(
    {"ask", "chat", "search", "lineage", "document.read", "documents.list", "audit.list"}
)
FLUSH_SECONDS = 0.5
MOST_WAITING = 10_000
BATCH = 500
MOST_DENIALS = 120  # a minute; more of them are counted, not written one by one
_END = None

log = logging.getLogger(__name__)


class Audit:
    """Records what principals do. Safe to use from several threads.

    Args:
        platform: its database holds the log.
    """

    def __init__(self, platform: Platform) -> None:
        from limits.storage import MemoryStorage

        self._log = AuditLog(platform.database)
        self._scrub = Scrubber(platform.settings.privacy)
        self._reads = platform.settings.auth.audit_reads
        self._waiting: queue.Queue[AuditEntry | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._ending = threading.Event()
        self._denials = MemoryStorage()
        self._unwritten = 0

    def record(
        self,
        principal: Principal | str,
        action: str,
        target: str,
        outcome: str,
        release_id: int | None = None,
        request_id: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record one action; see docs/security.md for the names.

        Args:
            principal: who; a name where there is no principal (a credential that is not valid).
            action: what.
            target: on what: the id of an answer, document, release or key.
            outcome: ``ok``, ``denied`` or ``failed``.
            release_id: the release it was done under.
            request_id: of the request.
            details: names and numbers; texts are written as their hash, personal data as
                ``privacy.logs`` says.

        Raises:
            StorageError: a change could not be recorded.
        """
        if action in READS and outcome != "denied" and not self._reads:
            return
        values = self._scrub.value(dict(details or {}))
        if outcome == "denied" and not self._take_denial(values):
            return
        entry = AuditEntry(
            principal=principal if isinstance(principal, str) else principal.name,
            action=action,
            target=target,
            outcome=outcome,
            release_id=release_id,
            request_id=request_id,
            details=values,
        )
        if action in READS or outcome == "denied":
            self._later(entry)
        else:
            self._log.append([entry])

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything that was recorded so far is written."""
        with self._lock:
            thread = self._thread
        if thread is None:
            return
        waiter = threading.Thread(target=self._waiting.join, daemon=True)
        waiter.start()
        waiter.join(timeout)
        if waiter.is_alive():
            log.error("the audit log was not written within %.0f s", timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Write what is left and end the thread."""
        with self._lock:
            self._closed, thread = True, self._thread
        if thread is not None:
            self._ending.set()
            self._waiting.put(_END)
            thread.join(timeout)

    def _later(self, entry: AuditEntry) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
                self._thread.start()
            closed = self._closed
        try:
            if closed:
                raise queue.Full
            self._waiting.put_nowait(entry)
        except queue.Full:
            self._append([entry])

    def _write(self) -> None:
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            if batch[0] is not _END:
                # others come within a moment: one transaction for all of them
                self._gather(batch)
            entries = [entry for entry in batch if entry is not None]
            ended = len(entries) < len(batch)
            self._append(entries)
            for _ in batch:
                self._waiting.task_done()

    def _gather(self, batch: list[AuditEntry | None]) -> None:
        # not woken by every one of them: that would take time from the questions themselves
        if self._waiting.qsize() < BATCH:
            self._ending.wait(FLUSH_SECONDS)
        while len(batch) < BATCH and batch[-1] is not _END:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                return

    def _append(self, entries: list[AuditEntry]) -> None:
        try:
            self._log.append(entries)
        except StorageError as error:
            lost = counted(
                len(entries), "entry of the audit log is", "entries of the audit log are"
            )
            log.error("%s lost: %s", lost, error)

    def _take_denial(self, details: dict[str, Any]) -> bool:
        """Whether a denial is written: a flood of them must not fill the disk."""
        with self._lock:
            if self._denials.incr("denials", 60) > MOST_DENIALS:
                self._unwritten += 1
                return False
            if self._unwritten:
                details["denials_not_written_before"] = self._unwritten
                self._unwritten = 0
            return True
