"""``ragline plan`` in words and JSON."""

from pathlib import Path

import pytest

from tests.app.commands import ragline
from tests.conftest import Deploy


def test_a_plan_in_words_and_json(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    folder: Path = deploy()
    for name in ("boiler", "pool"):
        text = f"# The {name}\n\n## Service\n\nThe {name} is looked after in October.\n"
        (folder / "documents" / f"{name}.md").write_text(text)
    planned = ragline("plan", "--json").json
    assert {"nothing_to_do", "shards", "release", "work"} == planned.keys()
    assert planned["release"] == {"due": True, "reason": "there is no release yet"}
    work = planned["work"]
    assert work["exact"]
    assert (work["parse"], work["split"], work["embed"]) == (2, 2, 2)

    done = ragline("ingest", "--json").json
    assert (done["parsed"], done["embedded"]) == (work["parse"], work["embed"])
    assert done["chunks"] == work["chunks"]
    assert "Nothing to do" in ragline("plan").output

    monkeypatch.setenv("RAG_CHUNKING__HEADING_CONTEXT", "false")
    shown = ragline("plan")
    assert shown.code == 0, shown.errors
    said = " ".join(shown.output.split())
    for text in ("2 chunks then", "rows of a new table", "0 USD; self-hosted", "freed later"):
        assert text in said
    assert "A release is due: the configuration has changed." in said
    assert "0 documents; 0 were only renamed" in said
