"""The Dagster node ``replay``."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from evals.evaluations import Evaluation
from rag_assets.platform.dagster_bridge import OWNERS, code_version, explained
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.resource import RagQuery

from .changes import changes, figure

if TYPE_CHECKING:
    import polars as pl

NAME = "replay"
VERSION = 1
SHOWN = 20
DOCUMENTS_SHOWN = 3
PLOTTED = (
    "questions",
    "compared",
    "errors",
    "overlap",
    "document_overlap",
    "answer_f1",
    "top_changed",
    "answer_changed",
    "newly_abstained",
    "newly_answered",
    "citations_changed",
)


def replay_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""
    gates = settings.gates

    @dg.asset(
        name=NAME,
        # what was learned for the candidate is part of how it will be asked
        deps=["vector_index", "retrieval_evaluation"],
        group_name="evaluation",
        kinds={"lancedb"},
        owners=OWNERS,
        code_version=code_version(
            VERSION,
            [gates.replay, gates.replay_days, gates.replay_questions],
            settings.query.model_dump(),
        ),
    )
    def replay(
        context: dg.AssetExecutionContext,
        platform: dg.ResourceParam[Platform],
        rag_query: RagQuery,
    ) -> dg.MaterializeResult:
        """What real questions of the last days find and answer now, beside the live release.

        Each is asked again with the rights and the filter that it had. Nothing is asked where there
        is no live release to compare with, nothing has changed, or nobody asked anything.
        """
        with explained(platform):
            found, rows, why = replay_and_store(platform, context.run_id)
        return described(found, rows, why)

    return replay


def replay_and_store(
    platform: Platform, run_id: str
) -> "tuple[Evaluation | None, pl.DataFrame | None, str]":
    """Ask the candidate and the live release, and keep what came out.

    Returns:
        the record with ``REPLAYED``, or None; and in words what was done.

    Raises:
        IndexUnavailable: a shard has not been built with the present configuration.
    """
    from rag_assets.releases.candidate import open_candidate

    from .questions import real_questions

    gates = platform.settings.gates
    if gates.replay == "off":
        return None, None, "gates.replay is off"
    candidate = open_candidate(platform, run_id)
    if candidate.live is None:
        return None, None, "first release: nothing to compare with"
    if candidate.unchanged:
        return None, None, "unchanged: the live release is what would be asked"
    asked = real_questions(platform, days=gates.replay_days, limit=gates.replay_questions)
    if asked.why:
        return None, None, asked.why

    from .replay import replay
    from .results import store

    replayed = replay(platform, candidate.release, candidate.live, asked.questions)
    return store(platform, replayed, asked, run_id), replayed.rows, "replayed"


def described(
    found: Evaluation | None, rows: "pl.DataFrame | None", why: str
) -> dg.MaterializeResult:
    """Numbers worth plotting, and the questions that changed most."""
    metadata: dict[str, Any] = {"outcome": why}
    if found is None or rows is None:
        return dg.MaterializeResult(metadata={**metadata, "questions": 0})
    summary = found.summary
    metadata |= {name: summary[name] for name in PLOTTED if summary[name] is not None}
    for side, latency in summary["latency_ms"].items():
        metadata |= {f"latency_{key}_ms_{side}": value for key, value in (latency or {}).items()}
    metadata["release"] = found.release_id
    metadata["against"] = found.baseline_release_id
    metadata["most_changed"] = _table(rows)
    version = fingerprint([found.release_id, found.baseline_release_id, found.questions_version])
    return dg.MaterializeResult(data_version=dg.DataVersion(version[:32]), metadata=metadata)


def _table(rows: "pl.DataFrame") -> dg.MetadataValue:
    """The users' questions and the ids of documents; no text of any document."""
    from .summary import most_changed

    records = [
        dg.TableRecord(
            {
                "question": row["question"],
                "overlap": figure(row["overlap"]),
                "changed": "; ".join(changes(row)),
                "found_before": ", ".join(row["baseline_documents"][:DOCUMENTS_SHOWN]),
                "found_now": ", ".join(row["documents"][:DOCUMENTS_SHOWN]),
            }
        )
        for row in most_changed(rows, SHOWN).iter_rows(named=True)
    ]
    columns = ("question", "overlap", "changed", "found_before", "found_now")
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in columns])
    return dg.MetadataValue.table(records, schema=schema)
