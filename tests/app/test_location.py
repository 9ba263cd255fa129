"""Sensors and schedules are known under the name of their code location: it is the same everywhere."""

import pytest
import yaml

from rag_app.commands.up import LOCATION
from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["workspace.yaml", "docker/workspace.yaml"])
def test_every_workspace_has_the_name_that_the_commands_use(name: str) -> None:
    workspace = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    (entry,) = workspace["load_from"]
    (location,) = entry.values()
    # 'ragline ui' and 'dagster dev' without a workspace take the module's name
    assert location.get("location_name", location.get("module_name")) == LOCATION


def test_so_has_the_code_server_of_the_containers() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    command = compose["services"]["code"]["command"]
    assert command[command.index("--location-name") + 1] == LOCATION
