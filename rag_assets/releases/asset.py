"""The Dagster node ``release``."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from rag_assets.platform.dagster_bridge import (
    OWNERS,
    code_version,
    explained,
    freshness,
)
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .candidate import Promotion, release_candidate
from .gates import FurtherGates, Gate

GATES = {
    "conservation": "Every listed document is in one state, every chunk has one live document.",
    "index_integrity": "Rows, vectors, full-text index and manifest agree.",
    "encoder_agreement": "Sampled vectors are those of their texts, encoded again.",
    "ann_recall": "The vector index finds what an exact scan finds.",
    "quarantine_share": "Not too many documents are in quarantine.",
}


def release_asset(settings: Settings, further: FurtherGates | None = None) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings.

    Args:
        settings: the deployment's.
        further: gates that rooms after this one judge.
    """
    further = further or FurtherGates()
    descriptions = {**GATES, **further.descriptions}

    @dg.asset(
        deps=["vector_index", *further.deps],
        group_name="release",
        kinds={"lancedb"},
        owners=OWNERS,
        pool="index_write",
        freshness_policy=freshness(settings),
        code_version=code_version(settings.gates.model_dump()),
        check_specs=[
            dg.AssetCheckSpec(name, asset="release", description=text, blocking=True)
            for name, text in descriptions.items()
        ],
    )
    def release(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> Iterator[dg.MaterializeResult]:
        """The version of the index that readers use.

        A candidate is promoted when every gate passes; otherwise the registry records why not and
        the live release keeps serving.
        """
        with explained(platform):
            promotion = release_candidate(platform, context.run_id, further)
            changes = (
                further.describe(platform, promotion.release, promotion.before)
                if promotion.created
                else {}
            )
        yield _described(promotion, list(descriptions), changes)

    return release


def _described(
    promotion: Promotion, names: Sequence[str], changes: dict[str, Any]
) -> dg.MaterializeResult:
    release = promotion.release
    results = [
        dg.AssetCheckResult(
            check_name=gate.name,
            passed=gate.passed,
            severity=dg.AssetCheckSeverity(gate.severity.upper()),
            description=gate.explanation,
            metadata={**gate.metadata, **_report(gate)},
        )
        for gate in promotion.gates
    ] or [
        dg.AssetCheckResult(
            check_name=name, passed=True, description="unchanged: nothing to release"
        )
        for name in names
    ]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(release.manifest_sha256[:32]),
        metadata={
            "release": release.id,
            "status": release.status,
            "reason": release.reason or "all gates passed",
            "promoted": promotion.created and promotion.promoted,
            "created": promotion.created,
            "documents": release.documents,
            "chunks": release.chunks,
            "lance_table": release.table_name,
            "lance_version": release.lance_version,
            "manifest_sha256": release.manifest_sha256,
            "seconds": round(promotion.seconds, 3),
            **changes,
        },
        check_results=results,
    )


def _report(gate: Gate) -> dict[str, dg.MetadataValue]:
    return {"report": dg.MetadataValue.md(gate.report)} if gate.report else {}
