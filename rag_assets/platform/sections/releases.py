"""Sections about releases: gates and how long releases are kept."""

from typing import Literal

from pydantic import Field

from .base import Section


class GateSettings(Section):
    """What a candidate release must satisfy."""

    max_quarantine_share: float = Field(
        default=0.5, ge=0, le=1, description="Most quarantined documents."
    )
    retrieval_margin: float = Field(
        default=0.02, ge=0, le=1, description="How much worse than the live release nDCG may be."
    )
    answers: bool = Field(
        default=False, description="Answer questions before every promotion, and gate on it."
    )
    answer_margin: float = Field(
        default=0.05, ge=0, le=1, description="How much worse the answers may be."
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="Worse counts only beyond chance at this level."
    )
    wider_access: Literal["warn", "block", "allow"] = Field(
        default="warn", description="When documents can be read by more people than before."
    )
    replay: Literal["warn", "block", "off"] = Field(
        default="warn", description="When real questions are answered otherwise than before."
    )
    replay_days: int = Field(default=7, ge=1, description="Real questions of so many days back.")
    replay_questions: int = Field(
        default=100, ge=1, description="Most real questions that are asked again."
    )
    replay_overlap: float = Field(
        default=0.5, ge=0, le=1, description="Least mean overlap of what is found, old and new."
    )


class ReleaseSettings(Section):
    """How long releases stay readable, and how soon what was deleted must be gone everywhere."""

    keep_days: float = Field(
        default=30.0, ge=0, description="Releases that are not live stay readable so long."
    )
    keep_last: int = Field(
        default=3, ge=0, description="The newest retired releases stay readable however old."
    )
    erase_within_days: float = Field(
        default=30.0, ge=0, description="Deleted documents must have left every trace by then."
    )
    verify_cron: str = Field(
        default="45 3 * * *", description="When the live release and its deletions are checked."
    )
    maintenance_cron: str = Field(
        default="0 4 * * 0", description="When old releases are retired; UTC."
    )
