"""Settings: environment, then secret files, then ``.env``, then ``ragline.toml``, then defaults.

Every setting has an environment variable: prefix ``RAG_``, nested names joined by two underscores,
e.g. ``RAG_CHUNKING__MAX_TOKENS=200``; files of ``RAG_SECRETS_DIR`` are named like it. Relative
paths in ``ragline.toml`` count from that file.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import ConfigurationError
from .secret_files import SecretFiles, check_names
from .sections.alerts import AlertSettings
from .sections.documents import (
    ChunkingSettings,
    EncoderSettings,
    ParsingSettings,
    SourceSettings,
)
from .sections.evaluation import (
    EvaluationSettings,
    JudgeSettings,
    QuestionSetSettings,
)
from .sections.orchestration import OrchestrationSettings
from .sections.query import (
    CostSettings,
    LLMSettings,
    PriceSettings,
    QuerySettings,
)
from .sections.releases import (
    GateSettings,
    ReleaseSettings,
)
from .sections.service import (
    AuthSettings,
    CacheSettings,
    PrivacySettings,
    ServerSettings,
    TelemetrySettings,
)
from .storage import is_url

__all__ = [
    "AlertSettings",
    "AuthSettings",
    "CacheSettings",
    "ChunkingSettings",
    "CostSettings",
    "EncoderSettings",
    "EvaluationSettings",
    "GateSettings",
    "JudgeSettings",
    "LLMSettings",
    "OrchestrationSettings",
    "ParsingSettings",
    "PriceSettings",
    "PrivacySettings",
    "QuerySettings",
    "QuestionSetSettings",
    "ReleaseSettings",
    "ServerSettings",
    "Settings",
    "SourceSettings",
    "TelemetrySettings",
    "config_path",
    "load_settings",
    "origins",
]

CONFIG_FILE = "ragline.toml"
CONFIG_VARIABLE = "RAG_CONFIG"
SOURCE_NAME = r"^[a-z0-9][a-z0-9_]*(-[a-z0-9_]+)*$"


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
    orchestration: OrchestrationSettings = OrchestrationSettings()
    alerts: AlertSettings = AlertSettings()
    server: ServerSettings = ServerSettings()
    cache: CacheSettings = CacheSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    privacy: PrivacySettings = PrivacySettings()

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
        dotenv = _DotEnv(settings_cls, env_file=".env")
        return env_settings, SecretFiles(settings_cls), dotenv, init_settings


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
    check_names(Settings)
    try:
        return Settings(**values)
    except ConfigurationError:
        raise
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
        ("secret file", SecretFiles(Settings)()),
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
    for section, key in (
        ("query", "prompts_path"),
        ("llm", "tokenizer"),
        ("alerts", "templates_path"),
    ):
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
