#!/usr/bin/env python3
"""Make the secrets of docker/compose.yaml in docker/secrets; those that are there already stay.

Needs only Python: python3 docker/make_secrets.py [FOLDER]. To change one, delete its file, run
this again, and change it where it is used (see docs/deployment.md). The key of an LLM server that is
not the one of the compose file is put into rag_llm__api_key by hand.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

DEFAULT_FOLDER = Path(__file__).parent / "secrets"
PASSWORDS = (
    "postgres_password",
    "platform_password",
    "dagster_password",
    "redis_password",
    "grafana_admin_password",
    "grafana_database_password",
    "rag_llm__api_key",
)
# file name → its text, from the passwords
DERIVED: dict[str, Callable[[Callable[[str], str]], str]] = {
    "rag_database_url": lambda get: (
        f"postgresql+psycopg2://platform:{get('platform_password')}@postgres:5432/platform"
    ),
    "rag_orchestration__database_url": lambda get: (
        f"postgresql+psycopg2://dagster:{get('dagster_password')}@postgres:5432/dagster"
    ),
    "rag_cache__redis_url": lambda get: f"redis://:{get('redis_password')}@redis:6379/2",
    "rag_orchestration__celery_broker": lambda get: (
        f"redis://:{get('redis_password')}@redis:6379/0"
    ),
    "rag_orchestration__celery_backend": lambda get: (
        f"redis://:{get('redis_password')}@redis:6379/1"
    ),
    "redis_auth.conf": lambda get: f"requirepass {get('redis_password')}",
    "vllm.yaml": lambda get: f"api-key: {get('rag_llm__api_key')}",
}


def make(folder: Path) -> list[str]:
    """Make what is missing.

    Args:
        folder: where the files go; others cannot look into it.

    Returns:
        The names of the files that were made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # containers read the files as other users: the folder keeps everybody else out
    folder.chmod(0o700)
    made = [name for name in PASSWORDS if _write(folder / name, secrets.token_hex(24))]

    def get(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8").strip()

    return made + [name for name, text in DERIVED.items() if _write(folder / name, text(get))]


def _write(path: Path, text: str) -> bool:
    if path.exists():
        return False
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o444)
    return True


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FOLDER
    names = make(place)
    print(f"Made in {place}: {', '.join(names)}." if names else f"All secrets are in {place}.")
