"""Settings from files: a folder with one secret a file, as Docker and Kubernetes mount them.

``RAG_SECRETS_DIR=/run/secrets`` names the folder. A file is called as the variable would be, in
either case: ``rag_database_url``, ``RAG_LLM__API_KEY``. So a secret is neither in the environment
of a process, which its children and crash reports see, nor in an image or a file of settings. The
folder may hold other programs' secrets too: only names that start with ``rag_`` are read.
"""

import difflib
import os
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, NestedSecretsSettingsSource

from .errors import ConfigurationError

SECRETS_VARIABLE = "RAG_SECRETS_DIR"
PREFIX = "rag_"


class SecretFiles(NestedSecretsSettingsSource):
    """The source of settings that reads them from the files of ``RAG_SECRETS_DIR``, if that is set."""

    def __init__(self, settings_class: type[BaseSettings]) -> None:
        super().__init__(
            settings_class,  # type: ignore[arg-type]  # a class is taken too, and its annotation does not say so
            secrets_dir=os.environ.get(SECRETS_VARIABLE) or None,
            secrets_dir_missing="ok",
        )

    def __call__(self) -> dict[str, Any]:
        """The settings that the files hold.

        Raises:
            ConfigurationError: there is no such folder, a file cannot be read, or its name is that
                of no setting.
        """
        return super().__call__()

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        """What the files hold, by their names."""
        if not path.is_dir():
            raise ConfigurationError(
                f"{SECRETS_VARIABLE} names {path}, which is no folder.",
                "Correct it, or unset it when no secrets are kept in files.",
            )
        found = {}
        for file in sorted(path.iterdir()):
            if file.name.lower().startswith(PREFIX) and not file.is_dir():
                try:
                    found[file.name] = file.read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    why = getattr(error, "strerror", None) or "it is not UTF-8 text"
                    raise ConfigurationError(
                        f"The secret {file} cannot be read: {why}.",
                        "Let the user that Ragline runs as read it.",
                    ) from error
        return found


def check_names(settings_class: type[BaseSettings]) -> None:
    """Refuse a secret file that is meant for Ragline and belongs to no setting.

    Raises:
        ConfigurationError: its name is wrong; the message says which may be meant.
    """
    folder = os.environ.get(SECRETS_VARIABLE)
    if not folder:
        return
    fields = settings_class.model_fields
    for name in SecretFiles.load_secrets(Path(folder).expanduser()):
        section = name.lower().removeprefix(PREFIX).split("__")[0]
        if section not in fields:
            near = difflib.get_close_matches(section, fields, n=1)
            guess = f" Did you mean '{PREFIX}{near[0]}'?" if near else ""
            raise ConfigurationError(
                f"The secret file '{name}' in {folder} is named like no setting.",
                f"Name it like the variable, e.g. 'rag_database_url'.{guess}",
            )
