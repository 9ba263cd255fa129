"""``ragline dashboard``: a folder, a single file, and what a script reads."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from rag_app.commands.dashboard import dashboard
from tests.conftest import Deploy


@pytest.fixture
def deployment(deploy: Deploy) -> Path:
    return deploy()


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(dashboard)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result


def test_it_lies_in_the_state_folder_unless_told_otherwise(deployment: Path) -> None:
    said = run().output
    index = deployment / ".ragline" / "dashboard" / "index.html"
    assert index.exists()
    assert f"Dashboard: {index}" in said.replace("\n", "")
    assert "ragline ingest" in said


def test_one_file_is_written_alone(deployment: Path) -> None:
    found = json.loads(run("--single-file", "out/report.html", "--json").output)
    file = deployment / "out" / "report.html"
    assert found["files"] == [str(file)]
    assert found["url"] == file.as_uri()
    assert found["releases"] == 0
    assert {item["status"] for item in found["findings"]} == {"unknown"}
    assert not (deployment / ".ragline" / "dashboard").exists()


def test_a_folder_and_a_file_are_written_together(deployment: Path) -> None:
    found = json.loads(
        run("--output", "site", "--single-file", "report.html", "--days", "7", "--json").output
    )
    assert sorted(found["files"]) == sorted(
        [str(deployment / "report.html"), str(deployment / "site" / "index.html")]
    )
    assert {item.suffix for item in (deployment / "site").iterdir()} == {".js", ".css", ".html"}
