"""A snapshot of the whole lineage graph, as Dagster sees it: a change here is a change of contract."""

import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import GateSettings, Settings
from rag_jobs.assembly import build_definitions

INGEST = ["raw_documents", "parsed_documents", "chunks", "embeddings", "vector_index"]
GRAPH = {
    "raw_documents": set(),
    "parsed_documents": {"raw_documents"},
    "chunks": {"parsed_documents"},
    "embeddings": {"chunks"},
    "vector_index": {"raw_documents", "parsed_documents", "chunks", "embeddings"},
    "golden_questions": {"raw_documents", "parsed_documents"},
    "retrieval_evaluation": {"golden_questions", "vector_index"},
    "replay": {"vector_index", "retrieval_evaluation"},
    "answer_evaluation": {"golden_questions", "retrieval_evaluation"},
    "release": {"vector_index", "retrieval_evaluation", "replay", "answer_evaluation"},
    "query_log": set(),
    "live_faithfulness": {"query_log"},
    "query_costs": {"query_log", "live_faithfulness"},
    "evaluation_dashboard": {
        "retrieval_evaluation",
        "answer_evaluation",
        "release",
        "query_log",
        "live_faithfulness",
        "query_costs",
    },
}
GROUPS = (
    dict.fromkeys(INGEST, "ingest")
    | dict.fromkeys(
        [
            "golden_questions",
            "retrieval_evaluation",
            "replay",
            "answer_evaluation",
            "evaluation_dashboard",
        ],
        "evaluation",
    )
    | dict.fromkeys(["query_log", "live_faithfulness", "query_costs"], "live")
    | {"release": "release"}
)
KINDS = {
    "raw_documents": {"polars", "file"},
    "parsed_documents": {"polars", "rust"},
    "chunks": {"polars", "rust"},
    "embeddings": {"polars", "openvino"},
    "vector_index": {"lancedb"},
    "golden_questions": {"polars"},
    "retrieval_evaluation": {"lancedb"},
    "replay": {"lancedb"},
    "answer_evaluation": {"ragas", "deepeval"},
    "release": {"lancedb"},
    "query_log": {"sqlalchemy"},
    "live_faithfulness": {"ragas", "deepeval"},
    "query_costs": {"sqlalchemy"},
    "evaluation_dashboard": {"altair"},
}
CHECKS = {key: {"contract"} for key in INGEST} | {
    "golden_questions": {"contract", "evidence_is_current"},
    "answer_evaluation": {"judge_coverage"},
    "release": {
        "conservation",
        "index_integrity",
        "encoder_agreement",
        "ann_recall",
        "quarantine_share",
        "retrieval_quality",
        "acl_leak",
        "answer_quality",
        "replay",
        "verified",
        "deletions_in_time",
    },
    "live_faithfulness": {"coverage"},
}
JOBS = {
    "ingest": set(INGEST),
    "promote": {"golden_questions", "retrieval_evaluation", "replay", "release"},
    "refresh": {*INGEST, "golden_questions", "retrieval_evaluation", "replay", "release"},
    "evaluate_answers": {"golden_questions", "answer_evaluation", "evaluation_dashboard"},
    "live": {"query_log", "live_faithfulness"},
    "costs": {"query_log", "query_costs", "evaluation_dashboard"},
    "verify": set(),
    "maintenance": set(),
    "promote_release": set(),
    "roll_back": set(),
    "resume_promotions": set(),
}
# what a promotion does not wait for
AFTERWARDS = {"verified", "deletions_in_time"}
SCHEDULES = {
    "nightly_answer_evaluation": ("0 3 * * *", "evaluate_answers"),
    "hourly_live_faithfulness": ("15 * * * *", "live"),
    "daily_query_costs": ("30 0 * * *", "costs"),
    "nightly_verification": ("45 3 * * *", "verify"),
    "weekly_maintenance": ("0 4 * * 0", "maintenance"),
}

# what runs all the time: the jobs that it may start, and seconds between two looks
SENSORS: dict[str, tuple[set[str], int]] = {
    "source_changes": ({"ingest", "promote", "refresh"}, 1),
    "automation": (set(), 30),
    "run_failure": (set(), 1),
    "freshness": (set(), 60),
}
AUTOMATED = {"evaluation_dashboard": "a release or an evaluation has new data"}
# hours after which an asset is late
LATE_AFTER = {"release": 24} | dict.fromkeys(
    ["query_log", "query_costs", "answer_evaluation", "evaluation_dashboard"], 48
)
POOLS = {
    "parsed_documents": {"parse"},
    "embeddings": {"embed"},
    "vector_index": {"index_write"},
    "release": {"index_write"},
    "answer_evaluation": {"judge"},
    "live_faithfulness": {"judge"},
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
        if name in INGEST:
            assert isinstance(partitions, dg.DynamicPartitionsDefinition)
            assert partitions.name == "source_shards"
        elif GROUPS[name] == "live":
            assert isinstance(partitions, dg.DailyPartitionsDefinition)
            assert partitions.timezone == "UTC"
        else:
            assert partitions is None


def test_checks(definitions: dg.Definitions) -> None:
    found: dict[str, set[str]] = {}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert found == CHECKS


def test_jobs(definitions: dg.Definitions) -> None:
    found = {
        job.name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for job in definitions.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    assert found == JOBS


def test_a_promotion_waits_for_no_check_of_everything(definitions: dg.Definitions) -> None:
    def checks(job: str) -> set[str]:
        keys = definitions.resolve_job_def(job).asset_layer.asset_graph.asset_check_keys
        return {key.name for key in keys if key.asset_key == dg.AssetKey("release")}

    assert checks("promote") == CHECKS["release"] - AFTERWARDS
    assert checks("verify") == AFTERWARDS


def test_answers_are_evaluated_before_every_promotion_where_they_are_gated() -> None:
    gated = build_definitions(Platform(Settings(gates=GateSettings(answers=True))))
    layer = gated.resolve_job_def("promote").asset_layer
    keys = {key.to_user_string() for key in layer.executable_asset_keys}
    assert keys == JOBS["promote"] | {"answer_evaluation"}


def test_schedules(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    found = {item.name: (item.cron_schedule, item.job_name) for item in repository.schedule_defs}
    assert found == SCHEDULES
    for item in repository.schedule_defs:
        assert item.execution_timezone == "UTC"
        assert item.default_status is dg.DefaultScheduleStatus.RUNNING


def test_sensors(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    found = {
        item.name: (
            {target.job_name for target in item.targets if target.job_name in JOBS},
            item.minimum_interval_seconds,
        )
        for item in repository.sensor_defs
    }
    assert found == SENSORS
    for item in repository.sensor_defs:
        assert item.default_status is dg.DefaultSensorStatus.RUNNING
        assert item.description


def test_what_is_made_by_itself(definitions: dg.Definitions) -> None:
    found = {
        name: spec.automation_condition.get_label()
        for name, spec in specs(definitions).items()
        if spec.automation_condition is not None
    }
    assert found == AUTOMATED


def test_freshness_policies(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found: dict[str, float] = {}
    for key in graph.get_all_asset_keys():
        policy = graph.get(key).freshness_policy
        if policy is not None:
            assert isinstance(policy, TimeWindowFreshnessPolicy)
            found[key.to_user_string()] = policy.fail_window.to_timedelta().total_seconds() / 3600
    assert found == LATE_AFTER


def test_pools_and_retries(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert {name: node.pools for name, node in nodes.items() if node.pools} == POOLS
    # a crash is retried by the instance, a failure by the sensor, with its back-off: never by both
    for node in nodes.values():
        assert isinstance(node.assets_def.op, dg.OpDefinition)
        assert node.assets_def.op.retry_policy is None


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
    "altair",
    "vl_convert",
    "sklearn",
    "scipy",
    "openai",
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
