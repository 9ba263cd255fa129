"""What happens to a folder of documents: regressions and harmless changes."""

from pathlib import Path

SIDECAR = ".meta.toml"
LOCKED_OUT = "After eight wrong attempts the account is locked for 20 minutes."


def files_of(documents: Path) -> list[Path]:
    """All documents, without the sidecar files."""
    return sorted(
        path for path in documents.rglob("*") if path.is_file() and not path.name.endswith(SIDECAR)
    )


def drop_half(documents: Path) -> set[str]:
    """Delete every other document of the source ``handbook``; returns their ids."""
    dropped = files_of(documents)[::2]
    for path in dropped:
        path.unlink()
        path.with_name(path.name + SIDECAR).unlink(missing_ok=True)
    return {f"handbook/{path.relative_to(documents).as_posix()}" for path in dropped}


def edit(documents: Path) -> None:
    """Add a sentence to a document."""
    path = documents / "it" / "laptop-lifecycle.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n\nThe help desk answers questions about this page.\n", "utf-8")


def reword(documents: Path) -> None:
    """Say what a golden question quotes in other words."""
    path = documents / "it" / "accounts-and-vpn.md"
    text = path.read_text(encoding="utf-8")
    assert LOCKED_OUT in text
    said = "Whoever mistypes the password eight times is locked out for 20 minutes."
    path.write_text(text.replace(LOCKED_OUT, said), encoding="utf-8")


def add(documents: Path) -> None:
    """Add a document."""
    text = "# The boat\n\nThe rowing boat at the pier belongs to the sports club of the company.\n"
    (documents / "office" / "boat.md").write_text(text, encoding="utf-8")


def rename(documents: Path) -> None:
    """Rename a document that no golden question needs."""
    (documents / "office" / "bees.md").rename(documents / "office" / "hives.md")


def delete(documents: Path) -> None:
    """Delete a document that no golden question needs."""
    (documents / "office" / "choir.md").unlink()
