"""``ragline verify`` as a person or a script runs it."""

from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from tests.app.commands import ragline
from tests.conftest import Deploy
from tests.jobs.harness import run_stages


@pytest.fixture
def deployment(deploy: Deploy) -> Path:
    folder = deploy()
    (folder / "documents" / "leave.md").write_text("# Leave\n\nThirty days of holiday a year.")
    run_stages(Platform(load_settings()))
    return folder


def test_verify_says_what_is_wrong_and_repairs_it(deployment: Path) -> None:
    sound = ragline("verify", "--json")
    assert sound.code == 0, sound.errors
    assert sound.json["ok"]
    assert sound.json["compared"]["rows"] == 1

    blob = next((deployment / ".ragline" / "blobs").glob("*/*"))
    blob.unlink()
    wrong = ragline("verify", "--json")
    assert wrong.code == 1
    assert [item["kind"] for item in wrong.json["disagreements"]] == ["missing_blobs"]
    shown = ragline("verify")
    assert shown.code == 1
    assert "missing_blobs" in shown.output

    mended = ragline("verify", "--repair", "--json")
    assert mended.code == 0, mended.errors
    assert mended.json["repair"]["after"]["ok"]
    assert blob.exists()
    assert "Everything agrees." in ragline("verify", "--all").output


def test_a_release_that_is_not_there_is_refused(deployment: Path) -> None:
    unknown = ragline("verify", "--release", "9", "--json")
    assert unknown.code == 1
    assert unknown.json["error"]["type"] == "NoRelease"
    assert ragline("verify", "--release", "1", "--all").code != 0
