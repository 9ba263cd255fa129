"""Releases on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class GateOut(BaseModel):
    """What one gate said."""

    verdict: str = Field(description="passed, failed, warned or not judged")
    explanation: str | None = Field(description="For callers with the scope `releases`.")


class ReleaseOut(BaseModel):
    """One release."""

    id: int
    status: str = Field(description="candidate, live, retired or rejected")
    readable: bool = Field(description="Whether it can still be asked.")
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    source_lag_seconds: float = Field(description="Since it was made.")
    documents: int
    chunks: int
    manifest_sha256: str
    fingerprints: dict[str, str] = Field(description="Of parser, chunker and encoder.")
    reason: str | None = Field(
        description="Why it was rejected or retired; for callers with the scope `releases`."
    )


class ReleaseEventOut(BaseModel):
    """What happened to a release."""

    at: datetime
    event: str
    actor: str
    reason: str


class ReleaseDetails(ReleaseOut):
    """One release, what its gates said and what happened to it."""

    gates: dict[str, GateOut]
    parameters: dict[str, Any] | None = Field(description="How it is searched, as learned.")
    events: list[ReleaseEventOut] = Field(
        description="Oldest first; for callers with the scope `releases`."
    )


class HoldOut(BaseModel):
    """Promotions are held back: candidates are judged, and wait for a person."""

    model_config = ConfigDict(from_attributes=True)

    since: datetime
    actor: str
    reason: str


class ReleaseList(BaseModel):
    """Releases, newest first."""

    releases: list[ReleaseOut]
    next: int | None = Field(description="`before` of the next page; null on the last one.")
    live: int | None = Field(description="The id of the live release, on whatever page it is.")
    hold: HoldOut | None = Field(description="Set while promotions are held back.")


class Promotion(BaseModel):
    """Why a release is promoted, and what is accepted with it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "ok"}]})

    accept: list[str] = Field(
        default=[], max_length=20, description="Gates that failed and are accepted; with a reason."
    )
    reason: str = Field(default="", max_length=1000, description="Kept in the history.")


class Rollback(BaseModel):
    """Why an earlier release is made live again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "…"}]})

    reason: str = Field(default="", max_length=1000, description="Kept in the history.")
