"""Sections about the query path: search, answers, LLM, cost."""

from typing import Literal

from pydantic import Field, SecretStr

from .base import Section


class QuerySettings(Section):
    """How questions are searched and answered."""

    limit: int = Field(
        default=10, ge=1, le=100, description="Passages returned, and read for an answer."
    )
    candidates: int = Field(
        default=100, ge=1, le=1000, description="Passages each leg of the search gives."
    )
    fusion: Literal["learned", "weighted", "rrf"] = Field(
        default="learned", description="learned: what the release learned, else weighted."
    )
    fusion_weight: float = Field(
        default=0.5, ge=0, le=1, description="Share of the dense leg, if not learned."
    )
    reranker: Literal["learned", "none", "late_interaction", "cross_encoder", "term_overlap"] = (
        Field(default="learned", description="learned: what the release learned, else none.")
    )
    rerank_candidates: int = Field(
        default=30, ge=1, le=200, description="Passages a reranker looks at."
    )
    cross_encoder_model: str = Field(
        default="", description="Name or path of the cross-encoder's model."
    )
    expansion: Literal["none", "multi_query", "hyde"] = Field(
        default="none", description="Let the LLM rephrase the question before the search."
    )
    near_duplicate: float = Field(
        default=0.9, gt=0, le=1, description="Likeness from which a passage counts as a copy."
    )
    neighbours: int = Field(
        default=1, ge=0, le=10, description="Chunks before and after a hit that an LLM reads too."
    )
    context_tokens: int = Field(
        default=3000, ge=100, description="Most tokens of passages in a prompt."
    )
    min_relevance: float = Field(
        default=0.0, ge=0, le=1, description="Passages below this share of the best are left out."
    )
    abstain: bool = Field(
        default=True, description="Say so when the evidence is below the learned threshold."
    )
    answerer: Literal["auto", "extractive", "llm"] = Field(
        default="auto", description="auto: the LLM where one is configured, else extractive."
    )
    task: str = Field(
        default="question_answering",
        description="Prompt: question_answering, support, research_summary, code, or your own.",
    )
    prompts_path: str = Field(
        default="", description="Folder of prompt templates (<task>.jinja) that win over ours."
    )
    max_question_chars: int = Field(default=4000, ge=1)
    log: Literal["full", "hashed", "off"] = Field(
        default="full",
        description="What is kept of questions and answers; hashed: no texts; off: no lineage.",
    )
    refresh_seconds: float = Field(
        default=1.0, ge=0, description="How often an open engine looks for a newer release."
    )


class LLMSettings(Section):
    """An OpenAI-compatible server that writes answers; vLLM first."""

    base_url: str = Field(default="", description="e.g. http://localhost:8000/v1; empty: no LLM.")
    api_key: SecretStr = Field(default=SecretStr(""), description="Key of the server, if any.")
    model: str = Field(default="", description="Model name; empty: the only one the server has.")
    timeout_seconds: float = Field(
        default=30.0, gt=0, description="Longest silence: to the first token, and between tokens."
    )
    total_seconds: float = Field(default=120.0, gt=0, description="Longest answer.")
    retries: int = Field(default=2, ge=0, le=10, description="Further attempts before any token.")
    breaker_failures: int = Field(
        default=5, ge=1, description="Failures in a row after which the server is left alone."
    )
    breaker_seconds: float = Field(
        default=30.0, gt=0, description="How long it is left alone before it is tried again."
    )
    max_answer_tokens: int = Field(default=512, ge=1)
    context_window: int = Field(
        default=0, ge=0, description="Tokens of the model; 0: as the server says, else 4096."
    )
    temperature: float = Field(default=0.0, ge=0, le=2)
    structured: bool = Field(
        default=False, description="Ask for JSON by schema (answer and markers) instead of text."
    )
    tokenizer: str = Field(
        default="", description="tokenizer.json of the model; empty: a safe estimate."
    )


class PriceSettings(Section):
    """The price of a hosted model, in USD for a million tokens."""

    prompt: float = Field(ge=0, description="USD per million prompt tokens.")
    completion: float = Field(ge=0, description="USD per million completion tokens.")


class CostSettings(Section):
    """What queries cost."""

    prices: dict[str, PriceSettings] = Field(
        default={}, description="Hosted models: prices by model name."
    )
    gpu_hour_usd: float = Field(
        default=0.0, ge=0, description="Self-hosted: price of the server's GPUs for an hour."
    )
    gpu_tokens_per_second: float = Field(
        default=0.0, ge=0, description="Self-hosted: measured throughput, all callers together."
    )
