"""Whether a candidate is to be made and judged: the index compared with the releases. No rows."""

from pathlib import Path

from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.releases.candidate import (
    expected_partitions,
    judging_fingerprint,
    present_table,
)
from rag_assets.releases.history import History
from rag_assets.releases.operations import ACCEPTABLE
from rag_assets.releases.registry import Registry, Release

MAX_VERSION = 2**64 - 1


def release_due(platform: Platform, table: str = "") -> tuple[bool, str]:
    """Whether a candidate is to be made and judged, and why; or why not.

    Args:
        platform: the deployment.
        table: of the present configuration, where it is known already.
    """
    partitions, live = expected_partitions(platform), Registry(platform.database).live()
    table = table or present_table(platform)
    if live is not None and (live.table_name, live.partitions) == (table, partitions):
        if _version_exists(platform, live):
            return False, ""
        return True, f"the version of the index that is release {live.id} is gone"
    hold = History(platform.database).hold()
    registry = Registry(platform.database)
    if hold is not None:
        for release in registry.all():
            same = (release.table_name, release.partitions) == (table, partitions)
            if same and release.readable and (release.judged_with or release.promoted_at):
                why = f"promotions are held back: {hold.reason}"
                return False, f"the present index is release {release.id}; {why}"
    # only where there is something to judge: a tick that finds nothing must be quick
    from evals.gates.gates import evaluation_gates

    judged_with = judging_fingerprint(platform, live, evaluation_gates(platform.settings))
    judged = registry.judged(table, partitions, judged_with)
    # a verdict on quality stays what it is; what was damaged may have been mended since
    rejected = judged is not None and judged.status == "rejected"
    if judged is not None and rejected and set(judged.failed_gates) <= set(ACCEPTABLE):
        return False, f"the present index was rejected as release {judged.id}: {judged.reason}"
    if live is None:
        return True, "there is no release yet"
    if live.table_name != table:
        return True, "the configuration has changed"
    return True, "the index has changed since the live release"


def release_digest(platform: Platform) -> str:
    """What would be released, and how it would be judged: the same digest asks the same again."""
    from evals.gates.gates import evaluation_gates

    live = Registry(platform.database).live()
    judged_with = judging_fingerprint(platform, live, evaluation_gates(platform.settings))
    return fingerprint([present_table(platform), expected_partitions(platform), judged_with])


def _version_exists(platform: Platform, release: Release) -> bool:
    """Whether a release's version is still there, without opening it: Lance is slow to import."""
    if not platform.lancedb_is_local:
        return True
    folder = Path(platform.lancedb_uri) / f"{release.table_name}.lance" / "_versions"
    # Lance names manifests so that the newest comes first in a listing; older ones by their number
    names = f"{MAX_VERSION - release.lance_version:020}", str(release.lance_version)
    return any((folder / f"{name}.manifest").is_file() for name in names)
