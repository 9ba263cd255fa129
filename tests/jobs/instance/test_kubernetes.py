"""Kubernetes: the values of the chart, the Jobs that follow from them, and an ingest over such Jobs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config

from rag_assets.releases.registry import Registry
from rag_jobs.ingest import ingest
from tests.jobs.instance.chart import KNOWN, instance_of_values, unknown_keys
from tests.jobs.instance.cluster import NAMESPACE, VERSION, kubernetes_api
from tests.jobs.instance.deployment import ROOT, make_deployment
from tests.postgres import create_database

VALUES = ROOT / "docker" / "kubernetes" / "values.yaml"
IMAGE = "registry.example.com/ragline:0.1.0"


def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    return loaded


def test_the_chart_knows_every_key() -> None:
    assert unknown_keys(values(), KNOWN) == []
    wrong = values() | {"dagsterDaemons": {}}
    wrong["postgresql"]["host"] = "x"
    assert unknown_keys(wrong, KNOWN) == ["postgresql.host", "dagsterDaemons"]


def names(value: Any) -> list[str]:
    """All keys, at any depth."""
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in names(item))]
    return [name for item in value for name in names(item)] if isinstance(value, list) else []


def test_no_secret_is_written_into_the_values() -> None:
    assert not [name for name in names(values()) if name.lower().endswith(("password", "token"))]
    assert values()["generatePostgresqlPasswordSecret"] is False
    assert values()["global"]["postgresqlSecretName"]


def test_dagster_reads_the_instance_that_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "x")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(instance_of_values(values())))
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
    assert config["run_monitoring"]["free_slots_after_run_end_seconds"] == 5


def test_an_ingest_over_jobs(tmp_path: Path, model_cache: Path, postgres_url: str) -> None:
    """Every step is a Job that the schema accepts; executed, they make what one process makes."""
    alone = make_deployment(tmp_path / "alone", model_cache)
    with alone.entered() as platform:
        assert ingest(platform).ok
        live = Registry(platform.database).live()
        assert live is not None
        expected = live.manifest_sha256
    deployment = make_deployment(
        tmp_path / "site",
        model_cache,
        RAG_ORCHESTRATION__EXECUTOR="kubernetes",
        RAG_ORCHESTRATION__DATABASE_URL=create_database(postgres_url),
        RAG_DATABASE_URL=create_database(postgres_url),
        DAGSTER_CURRENT_IMAGE=IMAGE,
    )
    deployment.prepare()
    bin_folder = str(Path(sys.executable).parent)
    inside = deployment.environment | {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
    with kubernetes_api(tmp_path, inside) as cluster:
        home = Path(deployment.environment["DAGSTER_HOME"])
        made = yaml.safe_load((home / "dagster.yaml").read_text())
        launcher = instance_of_values(values())["run_launcher"]
        launcher["config"] |= {
            "load_incluster_config": False,
            "kubeconfig_file": str(cluster.kubeconfig),
            "job_image": IMAGE,
        }
        (home / "dagster.yaml").write_text(yaml.safe_dump(made | {"run_launcher": launcher}))
        for job, partition in (("ingest", "docs"), ("promote", "")):
            done = subprocess.run(
                [sys.executable, "-m", "tests.jobs.instance.execute", job, partition],
                cwd=ROOT,
                env=os.environ | inside,
                stdout=subprocess.PIPE,
                text=True,
                timeout=600,
            )
            logs = "\n".join(path.read_text()[-1500:] for path in tmp_path.glob("*.log"))
            assert done.returncode == 0, f"{cluster.refused}\n{logs}"
            assert json.loads(done.stdout.splitlines()[-1])["success"], f"{cluster.refused}\n{logs}"
        assert cluster.refused == []
        steps = {job["metadata"]["labels"]["dagster/op"] for job in cluster.jobs.values()}
        assert steps >= {
            "raw_documents",
            "parsed_documents",
            "chunks",
            "embeddings",
            "vector_index",
        }
        for job in cluster.jobs.values():
            pod = job["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            assert container["image"] == IMAGE
            assert container["resources"]["limits"] == {"memory": "6Gi"}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert job["spec"]["backoffLimit"] == 0
            assert job["metadata"]["labels"]["app.kubernetes.io/part-of"] == "ragline"
    with deployment.entered() as platform:
        live = Registry(platform.database).live()
        assert live is not None
        assert live.manifest_sha256 == expected


@pytest.mark.skipif(
    not os.environ.get("HELM_CHART") or shutil.which("helm") is None,
    reason="helm is not installed, or HELM_CHART does not name the chart of Dagster",
)
def test_the_chart_renders_to_objects_of_the_schema() -> None:
    chart = os.environ["HELM_CHART"]
    command = ["helm", "template", "ragline", chart, "-n", NAMESPACE, "-f", str(VALUES)]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = [item for item in yaml.safe_load_all(rendered) if item]
    assert {"Deployment", "ConfigMap", "Service"} <= {item["kind"] for item in objects}
    for item in objects:
        kubernetes_validate.validate(item, VERSION, strict=True)
