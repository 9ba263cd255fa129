"""Settings: environment, then ``.env``, then ``ragline.toml``, then defaults.

Every setting has an environment variable: prefix ``RAG_``, nested names joined by two underscores,
e.g. ``RAG_CHUNKING__MAX_TOKENS=200``. Relative paths in ``ragline.toml`` count from that file.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import ConfigurationError
from .storage import is_url

CONFIG_FILE = "ragline.toml"
CONFIG_VARIABLE = "RAG_CONFIG"
SOURCE_NAME = r"^[a-z0-9][a-z0-9_]*(-[a-z0-9_]+)*$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """One source of documents."""

    kind: Literal["folder", "jsonl"] = "folder"
    path: str = Field(description="A folder, a .jsonl file, or an object-store URL of one.")
    include: list[str] = Field(default=["**/*"], description="Glob patterns of what is a document.")
    exclude: list[str] = Field(default=[], description="Glob patterns of what is not.")
    shards: int = Field(default=1, ge=1, le=4096, description="How many partitions the source has.")
    acl: list[str] = Field(
        default=[], description="Groups that may read; 'public' is everyone; [] is nobody by rule."
    )
    attributes: dict[str, Any] = Field(default={}, description="Attributes of every document.")


class ParsingSettings(_Section):
    """How files become text."""

    workers: int = Field(default=0, ge=0, description="Worker processes; 0: one per CPU core.")
    timeout_seconds: float = Field(default=60.0, gt=0, description="Time limit for one file.")
    memory_mb: int = Field(default=4096, ge=256, description="Memory limit of one worker.")
    recycle_after: int = Field(
        default=2000, ge=1, description="Files a worker reads before it is replaced."
    )
    max_file_mb: float = Field(
        default=100.0, gt=0, description="Larger files are quarantined unread."
    )
    max_text_mb: float = Field(
        default=50.0, gt=0, description="Longer extracted texts are quarantined."
    )
    max_attempts: int = Field(
        default=3, ge=1, description="Attempts before a file is left in quarantine."
    )
    retry_seconds: float = Field(
        default=3600.0, ge=0, description="Wait before the first retry; doubles."
    )


class ChunkingSettings(_Section):
    """How text becomes passages."""

    splitter: str = Field(
        default="structure", description="structure, recursive, fixed, sentence or semantic."
    )
    max_tokens: int = Field(
        default=200, ge=16, description="Most tokens of a passage with its context."
    )
    overlap_tokens: int = Field(
        default=0, ge=0, description="Tokens shared by neighbours (recursive, fixed)."
    )
    heading_context: bool = Field(
        default=True, description="Embed the title and headings with the text."
    )


class EncoderSettings(_Section):
    """Which model makes the vectors."""

    backend: Literal["compiled", "sentence-transformers", "openai"] = "compiled"
    model: str = Field(default="all-MiniLM-L6-v2", description="Name or path of the model.")
    batch_size: int = Field(default=16, ge=1)
    device: str = Field(default="", description="sentence-transformers device; empty: choose.")
    base_url: str = Field(default="", description="openai: address of the embeddings endpoint.")
    api_key: SecretStr = Field(default=SecretStr(""), description="openai: key of the endpoint.")
    dimensions: int = Field(
        default=0, ge=0, description="openai: length of the vectors; 0: ask once."
    )
    max_input_tokens: int = Field(default=0, ge=0, description="openai: the model's limit; 0: 512.")
    keep_unused_days: float = Field(
        default=30.0, ge=0, description="Vectors no longer used are kept so long."
    )


class GateSettings(_Section):
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


class ReleaseSettings(_Section):
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


class QuestionSetSettings(_Section):
    """One set of golden questions."""

    path: str = Field(description="A .jsonl file or a BEIR folder.")
    source: str = Field(default="", description="Source whose documents a BEIR folder means.")
    split: str = Field(default="", description="Judgements of a BEIR folder; empty: the only ones.")
    gate: bool = Field(default=True, description="Whether promotion depends on it.")


class EvaluationSettings(_Section):
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


class JudgeSettings(_Section):
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


class QuerySettings(_Section):
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


class LLMSettings(_Section):
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


class PriceSettings(_Section):
    """The price of a hosted model, in USD for a million tokens."""

    prompt: float = Field(ge=0, description="USD per million prompt tokens.")
    completion: float = Field(ge=0, description="USD per million completion tokens.")


class CostSettings(_Section):
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


class AuthSettings(_Section):
    """Whether readers are identified."""

    enabled: bool = Field(
        default=False, description="When on, documents without an ACL are for admins only."
    )


class _DotEnv(DotEnvSettingsSource):
    """A ``.env`` file is shared with other programs: names that are not ours are left alone."""

    def __call__(self) -> dict[str, Any]:
        return {
            key: value for key, value in super().__call__().items() if key in Settings.model_fields
        }


class Settings(BaseSettings):
    """All settings of a deployment."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_", env_nested_delimiter="__", extra="forbid", frozen=True, env_file=".env"
    )

    home: str = Field(
        default=".ragline", description="All state: a folder, or an object-store URL."
    )
    state_dir: str = Field(
        default="", description="Local state apart from home, e.g. when that is a URL or shared."
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="Platform database; default SQLite under the state folder.",
    )
    dagster_url: str = Field(
        default="http://127.0.0.1:3000", description="Address of the Dagster UI, for links."
    )
    storage_options: dict[str, SecretStr] = Field(default={}, description="Object-store options.")
    sources: dict[str, SourceSettings] = {}
    parsing: ParsingSettings = ParsingSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    encoder: EncoderSettings = EncoderSettings()
    gates: GateSettings = GateSettings()
    releases: ReleaseSettings = ReleaseSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    judge: JudgeSettings = JudgeSettings()
    query: QuerySettings = QuerySettings()
    llm: LLMSettings = LLMSettings()
    cost: CostSettings = CostSettings()
    auth: AuthSettings = AuthSettings()

    @field_validator("sources")
    @classmethod
    def _source_names(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        import re

        for name in sources:
            if not re.match(SOURCE_NAME, name) or "--" in name:
                raise ValueError(
                    f"source name '{name}' must be lower-case letters, digits, '_' or single '-'"
                )
        return sources

    @property
    def state_path(self) -> Path:
        """The local folder for what cannot live in an object store (locks, Dagster, models)."""
        if self.state_dir:
            return Path(self.state_dir).expanduser().absolute()
        if is_url(self.home):
            return Path(".ragline").absolute()
        return Path(self.home.removeprefix("file://")).expanduser().absolute()

    @property
    def home_location(self) -> str:
        """Where tables, blobs and LanceDB are: an absolute local path or a URL."""
        if is_url(self.home):
            return self.home
        return str(Path(self.home.removeprefix("file://")).expanduser().absolute())

    @property
    def dagster_home(self) -> Path:
        """The folder of the Dagster instance; the variable ``DAGSTER_HOME`` wins."""
        return Path(os.environ.get("DAGSTER_HOME") or self.state_path / "dagster").absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, _DotEnv(settings_cls, env_file=".env"), init_settings


class Origin(NamedTuple):
    """One effective setting: dotted name, value (secrets masked) and where it came from."""

    name: str
    value: Any
    source: str


def config_path() -> Path:
    """The configuration file: ``RAG_CONFIG``, or ``ragline.toml`` in the working folder."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE).absolute()


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings of this deployment.

    Args:
        path: the configuration file; default ``config_path()``. A default file that does not exist
            is the same as an empty one; a file that was named must exist.

    Raises:
        ConfigurationError: the file is missing or not TOML, a key is unknown, a value impossible.
    """
    path = path or config_path()
    values = _read_file(path)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _explain(error, path) from None
    except Exception as error:
        # pydantic-settings wraps a value that is not JSON in an error of its own
        raise ConfigurationError(
            f"A RAG_ variable cannot be read: {error}.", "Correct its value."
        ) from error


def origins(settings: Settings, path: Path | None = None) -> list[Origin]:
    """List every effective setting with its source, secrets masked."""
    path = path or config_path()
    layers = [
        ("environment", EnvSettingsSource(Settings)()),
        (".env", _DotEnv(Settings, env_file=".env")()),
        (path.name, _read_file(path)),
    ]

    def source_of(name: str) -> str:
        for label, layer in layers:
            node: Any = layer
            for part in name.split("."):
                if not isinstance(node, dict) or part not in node:
                    break
                node = node[part]
            else:
                return label
        return "default"

    return [
        Origin(name, value, source_of(name))
        for name, value in _flatten(settings.model_dump(mode="json"))
    ]


def _flatten(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value and not prefix.endswith("attributes."):
        return [item for key, child in value.items() for item in _flatten(child, f"{prefix}{key}.")]
    return [(prefix.rstrip("."), value)]


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        if os.environ.get(CONFIG_VARIABLE):
            raise ConfigurationError(
                f"The configuration file {path} does not exist.",
                f"Create it or correct the variable {CONFIG_VARIABLE}.",
            )
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}.", "Correct that line."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    base = path.parent
    for key in ("home", "state_dir"):
        if isinstance(values.get(key), str):
            values[key] = _absolute(values[key], base)
    for section, key in (("query", "prompts_path"), ("llm", "tokenizer")):
        node = values.get(section)
        if isinstance(node, dict) and isinstance(node.get(key), str):
            node[key] = _absolute(node[key], base)
    evaluation = values.get("evaluation")
    for located in (
        values.get("sources"),
        evaluation.get("sets") if isinstance(evaluation, dict) else None,
    ):
        for node in located.values() if isinstance(located, dict) else ():
            if isinstance(node, dict) and isinstance(node.get("path"), str):
                node["path"] = _absolute(node["path"], base)
    return values


def _absolute(location: str, base: Path) -> str:
    if not location or is_url(location):
        return location
    return str((base / Path(location.removeprefix("file://")).expanduser()).absolute())


def _explain(error: ValidationError, path: Path) -> ConfigurationError:
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(
                str(item["loc"][-1]), _known_keys(item["loc"][:-1]), n=1
            )
            guess = f"; did you mean '{near[0]}'?" if near else ""
            problems.append(f"unknown key '{name}'{guess}")
        else:
            problems.append(f"'{name}': {item['msg']}")
    return ConfigurationError(
        f"The settings are not valid ({path.name} or RAG_ variables): " + "; ".join(problems) + ".",
        "Run 'ragline config --help' for the names, and correct them.",
    )


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for part in location:
        if model is Settings and part == "sources":
            model = SourceSettings
        elif model is SourceSettings:
            continue
        else:
            field = getattr(model, "model_fields", {}).get(part)
            model = field.annotation if field else None
    return list(getattr(model, "model_fields", {}))
