"""Sections about evaluation: question sets, schedules, judges."""

from pydantic import Field, SecretStr

from .base import Section


class QuestionSetSettings(Section):
    """One set of golden questions."""

    path: str = Field(description="A .jsonl file or a BEIR folder.")
    source: str = Field(default="", description="Source whose documents a BEIR folder means.")
    split: str = Field(default="", description="Judgements of a BEIR folder; empty: the only ones.")
    gate: bool = Field(default=True, description="Whether promotion depends on it.")


class EvaluationSettings(Section):
    """What is evaluated, with which questions, when."""

    sets: dict[str, QuestionSetSettings] = Field(default={}, description="Question sets by name.")
    known_items: int = Field(
        default=100, ge=0, description="Questions made from the documents themselves; 0: none."
    )
    k: int = Field(default=10, ge=1, le=100, description="Cutoff of the retrieval metrics.")
    max_questions: int = Field(
        default=400, ge=20, description="Most questions of a set that are asked of a candidate."
    )
    max_answers: int = Field(
        default=60, ge=1, description="Most questions of a set that are answered and judged."
    )
    learn: bool = Field(
        default=True, description="Learn fusion and abstention for every candidate that has none."
    )
    balance: float = Field(
        default=0.1, ge=0, le=1, description="Most answerable questions refused, as a share."
    )
    rerankers: list[str] = Field(default=[], description="Rerankers to try when learning.")
    live_sample: int = Field(
        default=50, ge=0, description="Real answers of a day whose faithfulness is judged."
    )
    first_day: str = Field(
        default="2026-01-01",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The first day of the daily assets.",
    )
    answers_cron: str = Field(default="0 3 * * *", description="When answers are evaluated; UTC.")
    live_cron: str = Field(default="15 * * * *", description="When live answers are judged; UTC.")
    costs_cron: str = Field(default="30 0 * * *", description="When a day's costs are added up.")


class JudgeSettings(Section):
    """An OpenAI-compatible server that judges answers; vLLM first."""

    base_url: str = Field(default="", description="e.g. http://localhost:8000/v1; empty: no judge.")
    api_key: SecretStr = Field(default=SecretStr(""), description="Key of the server, if any.")
    model: str = Field(default="", description="Model name; empty: the only one the server has.")
    metrics: list[str] = Field(
        default=["ragas.*", "deepeval.*"],
        description="What is judged: <library>.<metric>, * for all of a library.",
    )
    concurrency: int = Field(default=4, ge=1, le=256, description="Judgements at the same time.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="Longest judgement.")
    retries: int = Field(default=1, ge=0, le=10, description="Further attempts at a judgement.")
    max_tokens: int = Field(default=1024, ge=16, description="Most tokens of one reply.")
    min_coverage: float = Field(
        default=0.8, ge=0, le=1, description="Share that must be judged for a score to count."
    )
