"""Prometheus and Grafana: valid for Prometheus' own tools, and every number they show exists."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from rag_app.api.app import create_app
from rag_assets.platform.platform import Platform
from tests.conftest import DEFAULT_SETTINGS, Deploy
from tests.docker.compose import DOCKER
from tests.jobs.harness import run_stages

PROMTOOL = Path(sys.executable).with_name("promtool")
DASHBOARDS = sorted((DOCKER / "grafana" / "dashboards").glob("*.json"))
SUFFIXES = ("_bucket", "_count", "_sum")


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [PROMTOOL, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def panels(dashboard: Path) -> list[dict[str, Any]]:
    return [
        panel for panel in json.loads(dashboard.read_text())["panels"] if panel["type"] != "row"
    ]


def expressions() -> list[str]:
    """Every PromQL expression of dashboards and alerts."""
    found = [
        target["expr"].replace("$__rate_interval", "5m")
        for dashboard in DASHBOARDS
        for panel in panels(dashboard)
        for target in panel["targets"]
        if "expr" in target
    ]
    groups = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text())["groups"]
    return found + [rule["expr"] for group in groups for rule in group["rules"]]


def test_the_configuration_of_prometheus_is_valid() -> None:
    promtool("check", "config", DOCKER / "prometheus" / "prometheus.yml")


def test_alerts_are_raised_when_they_should_and_only_then() -> None:
    promtool("test", "rules", DOCKER / "prometheus" / "alerts_test.yml")


def test_every_alert_is_tested_or_needs_no_test() -> None:
    rules = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text())["groups"]
    tests = yaml.safe_load((DOCKER / "prometheus" / "alerts_test.yml").read_text())["tests"]
    named = {rule["alert"] for group in rules for rule in group["rules"]}
    tested = {item["alertname"] for test in tests for item in test.get("alert_rule_test", [])}
    # thresholds on a single series, the same shape as those that are tested
    assert named - tested == {"PlatformUnreadable", "SlowFirstToken", "LlmDown", "CollectorDown"}


def test_every_expression_can_be_parsed(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())
    ]
    assert len(rules) > 40
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)


def test_every_number_that_is_shown_exists(deploy: Deploy) -> None:
    # as in the compose file: the network lets nobody else ask
    folder = deploy(DEFAULT_SETTINGS + '[telemetry]\nmetrics = "everyone"\n')
    (folder / "documents" / "a.md").write_text("# Ferry\n\nThe ferry leaves at nine.\n")
    platform = Platform.load()
    run_stages(platform)
    with TestClient(create_app(platform), base_url="http://127.0.0.1:8080") as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    known = set(re.findall(r"^# TYPE (\S+) ", answer.text, re.MULTILINE))
    assert "ragline_release_id" in known
    shown = {name for text in expressions() for name in re.findall(r"\bragline_\w+", text)}
    assert len(shown) > 20
    for name in shown:
        base = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)
        assert base in known or name in known, name


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_provisioned(dashboard: Path) -> None:
    board = json.loads(dashboard.read_text())
    folder = DOCKER / "grafana" / "provisioning" / "datasources"
    sources = yaml.safe_load((folder / "sources.yml").read_text())["datasources"]
    known = {(source["type"], source["uid"]) for source in sources}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(dashboard):
        for target in panel["targets"]:
            source = target["datasource"]
            assert (source["type"], source["uid"]) in known
            assert target.get("expr") or target.get("rawSql")
    for one, other in combinations([panel["gridPos"] for panel in board["panels"]], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, "two panels overlap"
        assert one["x"] + one["w"] <= 24
