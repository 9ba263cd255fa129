"""A snapshot of the whole lineage graph, as Dagster sees it: a change here is a change of contract."""

import subprocess
import sys

import dagster as dg
import pytest

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_jobs.definitions import CONTRACTS, build_definitions

GRAPH = {
    "raw_documents": set(),
    "parsed_documents": {"raw_documents"},
    "chunks": {"parsed_documents"},
    "embeddings": {"chunks"},
    "vector_index": {"raw_documents", "parsed_documents", "chunks", "embeddings"},
    "release": {"vector_index"},
}
GROUPS = dict.fromkeys(GRAPH, "ingest") | {"release": "release"}
KINDS = {
    "raw_documents": {"polars", "file"},
    "parsed_documents": {"polars", "rust"},
    "chunks": {"polars", "rust"},
    "embeddings": {"polars", "openvino"},
    "vector_index": {"lancedb"},
    "release": {"lancedb"},
}
CHECKS = {
    "raw_documents": {"contract"},
    "parsed_documents": {"contract"},
    "chunks": {"contract"},
    "embeddings": {"contract"},
    "vector_index": {"contract"},
    "release": {"conservation", "index_integrity", "ann_recall", "quarantine_share"},
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(Platform(Settings()))


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_dagster_can_load_it(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_keys_and_dependencies(definitions: dg.Definitions) -> None:
    found = {
        name: {dep.asset_key.to_user_string() for dep in spec.deps}
        for name, spec in specs(definitions).items()
    }
    assert found == GRAPH


def test_groups_kinds_owners_descriptions(definitions: dg.Definitions) -> None:
    for name, spec in specs(definitions).items():
        assert spec.group_name == GROUPS[name]
        assert spec.kinds == KINDS[name]
        assert spec.owners == ["team:knowledge-platform"]
        assert spec.code_version
        assert len(spec.description or "") > 80


def test_partitions(definitions: dg.Definitions) -> None:
    for name, spec in specs(definitions).items():
        partitions = spec.partitions_def
        if name == "release":
            assert partitions is None
        else:
            assert isinstance(partitions, dg.DynamicPartitionsDefinition)
            assert partitions.name == "source_shards"


def test_checks(definitions: dg.Definitions) -> None:
    found: dict[str, set[str]] = {}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert found == CHECKS
    assert set(CONTRACTS) == set(GRAPH) - {"release"}


def test_jobs(definitions: dg.Definitions) -> None:
    def assets(job: str) -> set[str]:
        layer = definitions.resolve_job_def(job).asset_layer
        return {key.to_user_string() for key in layer.executable_asset_keys}

    assert assets("ingest") == set(GRAPH) - {"release"}
    assert assets("promote") == {"release"}


HEAVY = [
    "torch",
    "transformers",
    "sentence_transformers",
    "great_expectations",
    "ragas",
    "deepeval",
    "lancedb",
    "lance",
    "openvino",
    "kreuzberg",
    "pandas",
]


@pytest.mark.parametrize("module", ["rag_jobs.definitions", "rag_jobs.pending", "rag_app.cli"])
def test_heavy_packages_are_not_imported_before_they_are_used(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_dagster_is_not_needed_to_know_what_is_pending() -> None:
    code = "import sys, rag_jobs.pending, rag_app.cli; print('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
