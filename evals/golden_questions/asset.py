"""The Dagster node ``golden_questions``."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from rag_assets.platform.dagster_bridge import OWNERS, code_version, explained, preview_table
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.wording import counted

from .collect import ASSET, VERSION, questions_version, refresh_golden_questions
from .evidence import STATES, flagged
from .known_items import FORM
from .sets import question_sets

PREVIEW = ["dataset", "question", "answerable", "groups", "origin", "evidence"]
SHOWN = 5
ORIGINS = ("golden", "feedback", "synthetic", "known_item")


def golden_questions_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""
    sets = {name: item.model_dump() for name, item in question_sets(settings).items()}

    @dg.asset(
        deps=["raw_documents", "parsed_documents"],
        group_name="evaluation",
        kinds={"polars"},
        owners=OWNERS,
        code_version=code_version(VERSION, FORM, settings.evaluation.known_items, sets),
        check_specs=[
            dg.AssetCheckSpec(
                "evidence_is_current",
                asset=ASSET,
                description="Every question still has its evidence in the current documents.",
            )
        ],
    )
    def golden_questions(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> Iterator[dg.MaterializeResult]:
        """Questions whose answers are known: the configured sets, and known items.

        Each is looked for in the current documents, so that one whose evidence was changed or deleted
        is flagged and not taken for a miss of the search.
        """
        with explained(platform):
            questions = refresh_golden_questions(platform, context.run_id)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(questions_version(questions)[:32]),
            metadata=question_metadata(questions),
            check_results=[evidence_check(questions)],
        )

    return golden_questions


def question_metadata(questions: pl.DataFrame) -> dict[str, dg.MetadataValue | int | str]:
    """What the UI shows and plots of ``RESOLVED_QUESTIONS``."""
    counts = {
        "dagster/row_count": questions.height,
        "gating": int(questions["gate"].sum()),
        "answerable": questions.filter(pl.col("answerable")).height,
        "unanswerable": questions.filter(~pl.col("answerable")).height,
        "unjudged": questions["answerable"].null_count(),
    }
    for prefix, column, values in (
        ("set", "dataset", questions["dataset"].unique().sort().to_list()),
        ("origin", "origin", ORIGINS),
        ("evidence", "evidence", STATES),
    ):
        for value in values:
            counts[f"{prefix}/{value}"] = questions.filter(pl.col(column) == value).height
    samples = [group.head(SHOWN) for _, group in questions.group_by("dataset", maintain_order=True)]
    shown = named_by_place(pl.concat([questions.clear(), *samples])).select(PREVIEW)
    return {
        **counts,
        "version": questions_version(questions)[:12],
        "preview": preview_table(shown),
    }


def evidence_check(questions: pl.DataFrame) -> dg.AssetCheckResult:
    """Whether all evidence is current; lists every question whose evidence is not."""
    found = flagged(questions)
    named = f"{found.height} of {counted(questions.height, 'question')}"
    return dg.AssetCheckResult(
        check_name="evidence_is_current",
        passed=found.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"The evidence of {named} is not what it was." if found.height else None,
        metadata={
            "flagged": found.height,
            "questions": dg.MetadataValue.md(flagged_table(questions)),
        },
    )


def flagged_table(questions: pl.DataFrame) -> str:
    """The flagged questions as a Markdown table; what their documents say stays out of it."""
    found = named_by_place(flagged(questions))
    if found.is_empty():
        return "All evidence is current."
    documents = pl.col("relevant").list.eval(pl.element().struct.field("document_id"))
    named = found.with_columns(documents=documents.list.unique(maintain_order=True).list.join(", "))
    columns = ["dataset", "question_id", "question", "evidence", "documents"]
    rows = [" | ".join(map(_cell, row)) for row in named.select(columns).rows()]
    head = ["set | id | question | evidence | documents", " | ".join(["---"] * 5)]
    return "\n".join(f"| {line} |" for line in [*head, *rows])


def named_by_place(questions: pl.DataFrame) -> pl.DataFrame:
    """Questions made of a document's words named by their documents; those of people as they are.

    Dagster keeps what it is shown; a document must be able to be forgotten.

    Args:
        questions: ``RESOLVED_QUESTIONS``.
    """
    documents = pl.col("relevant").list.eval(pl.element().struct.field("document_id"))
    place = pl.concat_str(pl.lit("known item of "), documents.list.unique().list.join(", "))
    known = pl.col("origin") == "known_item"
    return questions.with_columns(question=pl.when(known).then(place).otherwise(pl.col("question")))


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("\\", "\\\\").replace("|", "\\|")
