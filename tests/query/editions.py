"""Releases that can be told apart by every sentence: each has an edition of its own."""

import re
import shutil
from pathlib import Path

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, Settings, SourceSettings
from rag_assets.releases.registry import Registry, Release
from tests.jobs.harness import run_stages

TOPICS = ("ferry", "lighthouse", "market", "library")
SECTIONS = ("Hours", "Prices", "Rules")
EDITION = re.compile(r"edition (\d+)")


def text_of(topic: str, edition: int) -> str:
    """A document of an edition: three sections, whose sentences all name it."""
    sections = [f"# The {topic} of edition {edition}"]
    for name in SECTIONS:
        body = (
            f"According to edition {edition} the {topic} opens {edition} hours after dawn. "
            f"In edition {edition} a ticket of the {topic} costs {edition} crowns. "
            f"Edition {edition} forbids dogs at the {topic}; edition {edition} allows cats."
        )
        sections.append(f"## {name} of edition {edition}\n\n{body}")
    return "\n\n".join(sections)


def question_of(topic: str) -> str:
    """A question that every edition of a document answers."""
    return f"When does the {topic} open, and what does it cost?"


def editions(*texts: str) -> list[int]:
    """The editions that some texts name, each once."""
    return sorted({int(found) for text in texts for found in EDITION.findall(text.lower())})


def deployment(folder: Path, models: Path) -> Platform:
    """A deployment without documents.

    Args:
        folder: of the deployment.
        models: where exported encoders are kept.
    """
    home, documents = folder / "home", folder / "documents"
    home.mkdir()
    documents.mkdir()
    models.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(models, target_is_directory=True)
    source = SourceSettings(path=str(documents), acl=["public"])
    chunking = ChunkingSettings(max_tokens=80)
    return Platform(Settings(home=str(home), sources={"docs": source}, chunking=chunking))


def write_edition(platform: Platform, edition: int) -> None:
    """Write the documents of an edition over those of the one before."""
    folder = Path(platform.settings.sources["docs"].path)
    for topic in TOPICS:
        (folder / f"{topic}.md").write_text(text_of(topic, edition), encoding="utf-8")


def release_edition(platform: Platform, edition: int) -> Release:
    """Write, ingest and release an edition."""
    write_edition(platform, edition)
    run_stages(platform)
    return live(platform)


def live(platform: Platform) -> Release:
    """The live release, which there is."""
    release = Registry(platform.database).live()
    assert release is not None
    return release


def copied(platform: Platform, folder: Path) -> Platform:
    """The same deployment in another folder, for a test to break."""
    shutil.copytree(platform.settings.home, folder, symlinks=True)
    return Platform(platform.settings.model_copy(update={"home": str(folder)}))
