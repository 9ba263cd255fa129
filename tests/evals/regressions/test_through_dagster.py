"""The same by the command that people run: ``ragline ingest``, with Dagster, its jobs and checks."""

from pathlib import Path

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_assets.releases.registry import Registry
from tests.app.commands import ragline
from tests.conftest import Deploy

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Ivy", "Larch")


def station(number: int, name: str) -> str:
    """A short document of which several questions can be made."""
    return (
        f"# Station {name}\n\n"
        f"The weather station {name} was built in {1950 + number} by the harbour office of the town. "
        f"Its wind sensor stands {10 + number} metres above the roof of the old {name} warehouse. "
        f"The keeper of {name} reads the rain gauge every morning at {6 + number} past seven. "
        f"Spare batteries for {name} are kept in the blue cabinet behind door number {40 + number}. "
        f"Storm warnings from {name} reach the lighthouse on channel {number + 3} of the radio.\n"
    )


def test_half_of_the_documents_dropped(deploy: Deploy) -> None:
    documents: Path = deploy() / "documents"
    for number, name in enumerate(NAMES):
        (documents / f"{name}.md").write_text(station(number, name), encoding="utf-8")
    first = ragline("ingest", "--json")
    assert first.code == 0, first.errors
    for name in NAMES[::2]:
        (documents / f"{name}.md").unlink()

    second = ragline("ingest", "--json")

    assert second.code == 1
    assert "release.retrieval_quality" in second.json["failed"]["release"]
    assert second.json["release"] == first.json["release"]
    assert not second.json["released"]
    registry = Registry(Platform(load_settings()).database)
    rejected = registry.all()[0]
    assert rejected.status == "rejected"
    assert "retrieval_quality: worse than the live release: known_items" in rejected.reason
    found = ragline("search", "Where does the wind sensor of station Alder stand?", "--json")
    assert found.code == 0, found.errors
    assert "docs/Alder.md" in found.output
