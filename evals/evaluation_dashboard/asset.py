"""The Dagster node ``evaluation_dashboard``."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from rag_assets.platform.dagster_bridge import (
    DAILY,
    OWNERS,
    code_version,
    explained,
    freshness,
)
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .data import dashboard_data
from .export import write_folder
from .figure import Figure, picture
from .page import INDEX, Page, page_of

FOLDER = "dashboard"
# so long a second run waits for the first one
LOCK_SECONDS = 120.0
RENEWED_BY = ("retrieval_evaluation", "answer_evaluation", "release")
RETRY_CRON = "*/10 * * * *"


def evaluation_dashboard_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        deps=[
            "retrieval_evaluation",
            "answer_evaluation",
            "release",
            "query_log",
            "live_faithfulness",
            "query_costs",
        ],
        group_name="evaluation",
        kinds={"altair"},
        owners=OWNERS,
        automation_condition=renewal(),
        freshness_policy=freshness(settings, DAILY),
        code_version=code_version("evaluation_dashboard", 1, settings.judge.min_coverage),
    )
    def evaluation_dashboard(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """The page a quality owner reads: what is healthy and what regressed, by release and day.

        A folder of files that opens without a server and without a network; its figures are here
        as pictures too.
        """
        doing = "writing the dashboard"
        with explained(platform), platform.lock("dashboard", doing=doing, timeout=LOCK_SECONDS):
            page = page_of(dashboard_data(platform, datetime.now(UTC)))
            index = write_folder(page, dashboard_folder(platform))
        return described(page, index)

    return evaluation_dashboard


def renewal() -> dg.AutomationCondition[dg.AssetKey]:
    """When it is renewed by itself: when a release or an evaluation has new data, never for the same.

    One that failed is tried again every ten minutes. What is asked for by day has a schedule.
    """
    new = dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.data_version_changed()
    ).allow(dg.AssetSelection.assets(*RENEWED_BY))
    again = dg.AutomationCondition.execution_failed() & (
        dg.AutomationCondition.cron_tick_passed(RETRY_CRON, "UTC")
    )
    condition = (new.since_last_handled() | again) & ~dg.AutomationCondition.in_progress()
    return condition.with_label("a release or an evaluation has new data")


def dashboard_folder(platform: Platform) -> Path:
    """Where a deployment's dashboard lies."""
    return platform.state_path / FOLDER


def described(page: Page, index: Path) -> dg.MaterializeResult:
    """The numbers that are worth plotting, the findings and the figures as pictures."""
    data = page.data
    counts: dict[str, Any] = {
        f"findings_{status}": sum(item.status == status for item in page.findings)
        for status in ("bad", "watch", "unknown", "good")
    }
    pictures = {
        f"figure_{figure.name}": dg.MetadataValue.md(_markdown(figure))
        for figure in page.figures
        if figure.chart is not None
    }
    files = page.folder()
    return dg.MaterializeResult(
        data_version=dg.DataVersion(fingerprint(sorted(set(files) - {INDEX}))[:32]),
        metadata={
            "path": dg.MetadataValue.path(index),
            "url": dg.MetadataValue.url(index.as_uri()),
            "releases": data.releases.height,
            "days": data.days.height,
            "questions_regressed": data.regressed.height,
            "bytes": sum(len(text.encode("utf-8")) for text in files.values()),
            **counts,
            **pictures,
        },
    )


def _markdown(figure: Figure) -> str:
    encoded = base64.b64encode(picture(figure)).decode()
    return f"![{figure.title}](data:image/png;base64,{encoded})\n\n{figure.caption}"
