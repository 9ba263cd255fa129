"""Sections about the service: where it listens, who may use it, and how much."""

from typing import Literal

from pydantic import Field, SecretStr

from .base import Section


class AuthSettings(Section):
    """Whether readers are identified, and how."""

    enabled: bool = Field(
        default=False, description="When on, documents without an ACL are for admins only."
    )
    allow_anonymous_beyond_loopback: bool = Field(
        default=False, description="Serve without authentication on other addresses too."
    )
    jwks_url: str = Field(default="", description="JWT/OIDC: where the issuer's keys are.")
    issuer: str = Field(default="", description="JWT/OIDC: the issuer that tokens must name.")
    audience: str = Field(default="", description="JWT/OIDC: the audience that tokens must name.")
    groups_claim: str = Field(
        default="groups", description="JWT/OIDC: the claim with the groups; dots lead into objects."
    )
    scopes_claim: str = Field(default="scope", description="JWT/OIDC: the claim with the scopes.")
    scope_prefix: str = Field(
        default="ragline:", description="JWT/OIDC: how our scopes begin in a token."
    )
    default_scopes: list[str] = Field(
        default=["read", "feedback"], description="JWT/OIDC: of a token that names none of ours."
    )
    admin_groups: list[str] = Field(
        default=[], description="Groups whose members are administrators."
    )
    jwks_cache_seconds: float = Field(default=300.0, gt=0, description="How long keys are kept.")
    key_cache_seconds: float = Field(
        default=1.0, ge=0, description="A revoked API key works at most so long."
    )
    audit_reads: bool = Field(
        default=True, description="Questions, searches and lineage are in the audit log too."
    )


class ServerSettings(Section):
    """The HTTP service."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(default=1, ge=1, description="Processes that answer requests.")
    max_body_mb: float = Field(default=2.0, gt=0, description="Larger requests are refused.")
    max_upload_mb: float = Field(default=50.0, gt=0, description="Larger uploads are refused.")
    cors_origins: list[str] = Field(default=[], description="Web pages elsewhere that may call.")
    allowed_hosts: list[str] = Field(
        default=[],
        description="Host names that requests may ask for; empty: any, but on loopback only its own.",
    )
    trusted_proxies: list[str] = Field(
        default=[], description="Addresses whose X-Forwarded-For is believed; empty: nobody's."
    )
    uploads_source: str = Field(
        default="", description="The folder source that uploads go to; empty: no uploads."
    )
    rate_limit: str = Field(
        default="120/minute", description="Requests of one caller, e.g. 120/minute; empty: none."
    )
    daily_quota: int = Field(
        default=0, ge=0, description="Questions of one caller a day; 0: no limit."
    )
    max_concurrent_questions: int = Field(
        default=64, ge=1, description="Questions answered at the same time by one process."
    )
    shutdown_seconds: float = Field(
        default=30.0, ge=0, description="Running answers get so long to finish at the end."
    )
    database_seconds: float = Field(
        default=5.0,
        ge=2,
        description="Nobody waits longer for PostgreSQL to answer, but erasures and migrations.",
    )
    # one that imports on a busy machine is silent for some seconds
    worker_silence_seconds: float = Field(
        default=30.0,
        ge=5,
        description="A process that hangs for so long is ended; of several workers, replaced.",
    )


class CacheSettings(Section):
    """Answers and query vectors that are kept for the next caller with the same rights."""

    enabled: bool = Field(default=True, description="Keep answers and vectors.")
    redis_url: SecretStr = Field(
        default=SecretStr(""), description="Shared by processes and machines; empty: in-process."
    )
    ttl_seconds: float = Field(default=3600.0, gt=0, description="How long an answer is kept.")
    max_entries: int = Field(default=1000, ge=1, description="Most entries kept in a process.")
    semantic: bool = Field(default=False, description="Serve answers to very similar questions.")
    semantic_similarity: float = Field(
        default=0.97, gt=0, le=1, description="Least cosine of questions that count as the same."
    )


class TelemetrySettings(Section):
    """Logs, metrics and traces of the service."""

    log_format: Literal["text", "json"] = Field(
        default="text", description="json: one object a line."
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    metrics: Literal["loopback", "everyone", "admin", "off"] = Field(
        default="loopback",
        description="Who reads /metrics; loopback: this machine, and administrators.",
    )
    otlp_endpoint: str = Field(default="", description="OpenTelemetry collector; empty: no traces.")
    otlp_headers: dict[str, SecretStr] = Field(
        default={}, description="Headers for the collector, e.g. a key."
    )
    service_name: str = Field(default="ragline", description="Name in the traces.")
    trace_content: bool = Field(
        default=False, description="Put questions and answers into the traces."
    )


PersonalData = Literal["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS"]


class PrivacySettings(Section):
    """Personal data in documents and logs."""

    logs: Literal["off", "mask", "hash"] = Field(
        default="mask",
        description="What logs, and details in the audit log, show of personal data.",
    )
    feedback: Literal["off", "mask", "hash"] = Field(
        default="mask", description="What is kept of personal data in comments of readers."
    )
    hash_key: SecretStr = Field(
        default=SecretStr(""),
        description="hash: key of the pseudonyms; who has it can test guesses.",
    )
    phone_regions: list[str] = Field(
        default=["US", "GB", "DE", "FR", "CA"],
        description="Countries whose national phone numbers are known; others with +.",
    )
    entities: list[PersonalData] = Field(
        default=["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS"],
        description="Kinds of personal data that are looked for.",
    )
