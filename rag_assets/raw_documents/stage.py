"""The manifest stage of one shard: list the source, read what changed, keep the bytes."""

import time

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.settings import Settings
from rag_assets.platform.stage import StageOutcome, StageRun, write_table
from rag_assets.privacy.redaction import redaction_fingerprint

from .blobs import Blobs
from .manifest import manifest_digest, update_manifest
from .schema import RAW_DOCUMENTS
from .settling import SettleRule
from .sources import open_partition, parse_partition, partition_keys

ASSET = "raw_documents"
STAGE_VERSION = 1
SHOWN = 5


def manifest_fingerprint(settings: Settings, partition: str) -> str:
    """The fingerprint of what, besides the files, shapes a shard's manifest.

    A changed default ACL or attribute must reach every document, although no file has changed.
    """
    name = parse_partition(partition)[0]
    source = settings.sources.get(name)
    excluded = {"shards", "include", "exclude", "personal_data"}
    shape = source.model_dump(exclude=excluded) if source else None
    redaction = redaction_fingerprint(settings, name)
    also = [redaction] if redaction else []  # most sources have none: theirs stays as it was
    return fingerprint([STAGE_VERSION, shape, settings.parsing.max_file_mb, *also])


def run_raw_documents(run: StageRun) -> StageOutcome:
    """Bring a shard's manifest in step with its source; see ``manifest.update_manifest``.

    Raises:
        ConfigurationError: no source has this shard, and nothing of it is stored.
    """
    started = time.perf_counter()
    platform, settings = run.platform, run.platform.settings
    own = manifest_fingerprint(settings, run.partition)
    stored = platform.tables.stamp(ASSET, run.partition)
    previous = platform.tables.read(ASSET, run.partition, RAW_DOCUMENTS)
    forbidden = ErasureRequests(platform.database).forbidden()
    partition = open_partition(settings, run.partition, forbidden)
    if partition.retired and stored is None:
        raise _unknown(settings, run.partition)
    update = update_manifest(
        previous,
        partition,
        Blobs(platform.storage),
        max_bytes=int(settings.parsing.max_file_mb * 1_000_000),
        run_id=run.run_id,
        full=run.full or (stored is not None and stored.fingerprint != own),
        settle=SettleRule(run.settle_seconds, run.now),
        progress=run.progress(ASSET),
    )
    facts = {
        "listed": update.listed,
        "added": update.added,
        "changed": update.changed,
        "renamed": update.renamed,
        "deleted": update.deleted,
        "unchanged": update.unchanged,
        "problems": update.problems,
        "settling": update.settling,
        "bytes_read": update.bytes_read,
        "bytes_total": int(update.frame["size_bytes"].sum()),
        "seconds": round(time.perf_counter() - started, 3),
    }
    stamp = run.stamp(manifest_digest(update.frame), "", own, **facts)
    preview = ["document_id", "media_type", "size_bytes", "modified_at", "acl", "problem_kind"]
    return write_table(run, ASSET, update.frame, previous, stamp, preview=preview)


def _unknown(settings: Settings, partition: str) -> ConfigurationError:
    names = partition_keys(settings)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ConfigurationError(
        f"There is no shard '{partition}': no source has it, and nothing of it is stored.",
        f"The shards are {', '.join(names[:SHOWN])}{more}; choose one of them, or configure its source."
        if names
        else "Configure its source under [sources] in ragline.toml.",
    )
