"""What the asset ``release`` shows beside its verdicts: the difference to the release before it."""

from typing import Any

import dagster as dg

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.releases.release import Release


def release_changes(platform: Platform, release: Release, before: Release | None) -> dict[str, Any]:
    """Numbers to plot and a report to read; nothing where there is nothing to compare with.

    Args:
        platform: the deployment.
        release: that was promoted, rejected, or waits.
        before: the release that was live before it.
    """
    if before is None:
        return {}
    from evals.release_diff.diff import diff_releases
    from evals.release_diff.markdown import diff_markdown

    try:
        diff = diff_releases(platform, before, release)
    except RaglineError as error:
        # the decision has been taken: what only explains it must not fail it
        return {"changes": dg.MetadataValue.md(f"Not compared with release {before.id}: {error}")}
    content = diff.index.content
    return {
        "documents_changed": content.changes.height,
        "chunks_added": content.chunks_added,
        "chunks_removed": content.chunks_removed,
        "questions_changed": len(diff.questions),
        "changes": dg.MetadataValue.md(diff_markdown(diff)),
    }
