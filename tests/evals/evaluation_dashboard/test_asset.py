"""The asset: the page on the disk, numbers to plot and the figures as pictures."""

import base64
import re
from pathlib import Path

import dagster as dg
import pytest

from evals.evaluation_dashboard import asset as room
from evals.evaluation_dashboard.asset import dashboard_folder, evaluation_dashboard_asset
from evals.evaluation_dashboard.data import DashboardData
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .history import REJECTED


def materialized(platform: Platform) -> dict[str, dg.MetadataValue]:
    asset = evaluation_dashboard_asset(platform.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset], resources={"platform": platform}, instance=instance)
    [event] = result.asset_materializations_for_node("evaluation_dashboard")
    return dict(event.metadata)


def test_it_writes_the_page_and_shows_its_figures(
    data: DashboardData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "dashboard_data", lambda platform, now: data)  # of another day
    platform = Platform(Settings(home=str(tmp_path)))
    found = materialized(platform)
    index = dashboard_folder(platform) / "index.html"
    assert f"Release {REJECTED}" in index.read_text()
    assert found["path"].value == str(index)
    assert found["questions_regressed"].value == data.regressed.height
    assert found["findings_bad"].value == 2
    pictures = {name: value.value for name, value in found.items() if name.startswith("figure_")}
    assert len(pictures) == 9
    for text in pictures.values():
        encoded = re.search(r"data:image/png;base64,([^)]+)\)", str(text))
        assert encoded is not None
        assert len(encoded[1]) < 60_000
        assert base64.b64decode(encoded[1]).startswith(b"\x89PNG")


def test_without_anything_to_show_it_succeeds_and_says_what_to_do(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    found = materialized(platform)
    assert found["findings_unknown"].value == 2
    assert not [name for name in found if name.startswith("figure_")]
    assert "ragline ingest" in (dashboard_folder(platform) / "index.html").read_text()


def test_it_comes_after_everything_it_shows() -> None:
    asset = evaluation_dashboard_asset(Settings())
    assert {key.to_user_string() for key in asset.dependency_keys} == {
        "retrieval_evaluation",
        "answer_evaluation",
        "release",
        "query_log",
        "live_faithfulness",
        "query_costs",
    }
