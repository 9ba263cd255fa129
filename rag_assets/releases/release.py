"""A release as one row of the registry, and a candidate beside the release that it would replace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Release:
    """One row of the registry.

    Attributes:
        id: counts up from 1.
        status: candidate, live, retired or rejected.
        reason: why it was rejected or retired.
        table_name, lance_version: where its rows are; also tagged ``release-<id>`` in Lance.
        fingerprints: of parser, chunker and encoder.
        partitions: digest of every shard's part of the index.
        documents, chunks: how many are in the index.
        manifest_sha256: the same for the same documents and configuration on every machine.
        metrics: gate → verdict, passed, explanation and its numbers.
        run_id: the Dagster run that made it.
        parameters: how it is searched, as learned from golden questions (``QueryParameters``); None
            where nothing was learned.
        configuration: the settings it was made with, see ``configuration_of``; None for releases
            that an older version made.
        judged_with: fingerprint of gates and questions when its gates spoke; empty before.
        removed_at: when its version was cleaned up; None while it can be read.
    """

    id: int
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    status: str
    reason: str
    table_name: str
    lance_version: int
    fingerprints: dict[str, str]
    partitions: dict[str, str]
    documents: int
    chunks: int
    manifest_sha256: str
    metrics: dict[str, Any]
    run_id: str
    parameters: dict[str, Any] | None = None
    configuration: dict[str, Any] | None = None
    judged_with: str = ""
    removed_at: datetime | None = None

    @property
    def readable(self) -> bool:
        """Whether its version is kept."""
        return self.removed_at is None

    @property
    def failed_gates(self) -> dict[str, str]:
        """The gates that stand in the way of its promotion, with their explanations."""
        return {
            name: gate.get("explanation", "")
            for name, gate in self.metrics.items()
            # releases made by older versions say only whether a gate passed
            if gate.get("verdict", "" if gate.get("passed") else "failed") == "failed"
        }

    @property
    def tag(self) -> str:
        """The Lance tag of the release."""
        return f"release-{self.id}"


@dataclass(frozen=True)
class Candidate:
    """What is about to be released.

    Attributes:
        release: the candidate; the live release where nothing has changed since.
        live: the release that readers use now, if there is one.
    """

    release: Release
    live: Release | None

    @property
    def unchanged(self) -> bool:
        """Whether the live release already is what the tables say."""
        return self.release.status == "live"
