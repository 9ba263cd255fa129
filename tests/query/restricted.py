"""A released deployment in which every document of restricted access carries words of its own."""

from pathlib import Path
from typing import Any

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from tests.jobs.harness import run_stages

# name → groups; [] is a document without an ACL
ACLS: dict[str, list[str]] = {
    "welcome": ["public"],
    "salaries": ["people"],
    "merger": ["board"],
    "incident": ["people", "security"],
    "orphan": [],
    "quoting": ["o'neil"],
    "copy-public": ["public"],
    "copy-board": ["board"],
}
SHARED = (
    "Copies of the contract are kept for ten years in the archive of the company, and the "
    "original is sent to the notary before the end of the quarter."
)
SECTIONS = ("Scope", "Amounts", "Exceptions")


def canary(name: str) -> str:
    """A word that occurs in one document only: in its id, title, headings and every paragraph."""
    return "zq" + name.replace("-", "") + "xv"


def write_documents(folder: Path) -> None:
    """Write the documents; two of them say the same."""
    for name, groups in ACLS.items():
        word = canary(name)
        body = [f"# Policy {word}\n"]
        for section in SECTIONS:
            body.append(
                f"## {section} {word}\n\nThe policy {word} applies to travel, laptops and leave. "
                f"The limit is {len(name)} days according to {word}. Ask the {word} team when a "
                f"case is not covered by the {section.lower()} of the policy {word}.\n"
            )
        if name.startswith("copy"):
            body = [f"# Contract {word}\n\n{SHARED}\n"]
        acl = f"acl: [{', '.join(repr(group) for group in groups)}]\n" if groups else ""
        text = f'---\n{acl}attributes:\n  word: "{word}"\n---\n' + "\n".join(body)
        (folder / f"{word}.md").write_text(text, encoding="utf-8")


def released(folder: Path, models: Path) -> Platform:
    """Write, ingest and release the documents in a folder of their own.

    Args:
        folder: of the deployment.
        models: where exported encoders are kept.
    """
    home = folder / "home"
    home.mkdir()
    models.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(models, target_is_directory=True)
    (folder / "documents").mkdir()
    write_documents(folder / "documents")
    source = SourceSettings(path=str(folder / "documents"))
    chunking = ChunkingSettings(max_tokens=60)
    platform = Platform(Settings(home=str(home), sources={"docs": source}, chunking=chunking))
    run_stages(platform)
    return platform


def changed(platform: Platform, **sections: Any) -> Platform:
    """The same deployment with other settings."""
    return Platform(platform.settings.model_copy(update=sections))


def may_read(name: str, caller: Caller) -> bool:
    """The rule, in plain Python."""
    acl = ACLS[name]
    if caller.admin:
        return True
    return bool(({"public"} | caller.groups) & set(acl)) or (not acl and not caller.authenticated)


def forbidden_words(caller: Caller) -> set[str]:
    """Words that must not reach the caller by any way."""
    return {canary(name) for name in ACLS if not may_read(name, caller)}
