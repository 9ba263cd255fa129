"""What an ingest would parse, split, encode and write, before it does.

The stages' own transforms run in memory and nothing is written: the manifest is brought up to date
from the sources, texts that are not known are parsed as long as they are few, every text is split with
the configured splitter, and what has a vector already is looked up. What would take too long to find
out is estimated, and said to be.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from rag_assets.encoders import make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_jobs.pending import Pending, ShardPending

from .estimates import Disk, Money, Speed, estimate_disk, estimate_money, estimate_time
from .shard import DryRun, ShardWork

Progress = Callable[[str, int, int], None]

__all__ = ["Plan", "ShardWork", "plan_work"]


@dataclass(frozen=True)
class Plan:
    """The work of an ingest in numbers.

    Attributes:
        shards: what each shard needs; none where there is nothing to do.
        exact: whether chunks, texts and tokens were counted. Otherwise they are estimates, each with
            the range in which it probably lies.
        time: seconds by stage, and where the rates are from.
        money: what the encoder costs.
        disk: bytes.
    """

    shards: tuple[ShardWork, ...]
    time: Speed
    money: Money
    disk: Disk
    notes: tuple[str, ...] = field(default=())

    @property
    def exact(self) -> bool:
        """Whether nothing was estimated but time, money and disk."""
        return all(shard.exact for shard in self.shards)

    def total(self, name: str) -> int:
        """The sum of a number over the shards."""
        return sum(int(getattr(shard, name)) for shard in self.shards)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: ``work`` of ``ragline plan --json``."""
        counted = ("parse", "reuse", "split", "chunks", "texts", "embed", "cache_hits", "tokens")
        return {
            "exact": self.exact,
            **{name: self.total(name) for name in (*counted, "rows")},
            "embed_range": [self.total("embed_low"), self.total("embed_high")],
            "time": asdict(self.time),
            "money": asdict(self.money),
            "disk": asdict(self.disk),
            "notes": list(self.notes),
            "shards": [asdict(shard) for shard in self.shards],
        }


def plan_work(
    platform: Platform,
    pending: Pending,
    exact: bool = True,
    *,
    full: bool = False,
    progress: Progress = lambda doing, done, total: None,
    now: datetime | None = None,
) -> Plan:
    """Work out what an ingest would do; nothing is written.

    Args:
        platform: the deployment, with the settings that the ingest would run with.
        pending: from ``find_pending``.
        exact: read what has changed, parse it where it is little, and split every text. Otherwise
            documents are counted by the listing, and chunks by what there is now.
        full: as ``ragline ingest --full``: everything is read, parsed, split and encoded again.
        progress: told what is being done, how many shards are done, and of how many.
        now: the time that decides which failures are due again; default this moment.

    Raises:
        SourceUnavailable, SourceChanged: a source cannot be read any more.
        EncoderError: the encoder's tokenizer cannot be loaded.
    """
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    due = [item for item in pending.shards if not item.unavailable] if full else pending.work
    run = DryRun(platform, encoder, full=full, now=now or datetime.now(UTC))
    shards = tuple(_each(run, due, exact, progress))
    return Plan(
        shards,
        estimate_time(platform, shards),
        estimate_money(platform.settings, sum(shard.tokens for shard in shards)),
        estimate_disk(platform, pending.live, encoder, shards),
        tuple(_notes(shards)),
    )


def _each(
    run: DryRun, due: Iterable[ShardPending], exact: bool, progress: Progress
) -> Iterable[ShardWork]:
    listed = list(due)
    for done, shard in enumerate(listed):
        progress("planning", done, len(listed))
        yield run.exact(shard) if exact else run.quick(shard)
    progress("planning", len(listed), len(listed))


def _notes(shards: tuple[ShardWork, ...]) -> Iterable[str]:
    unknown = sum(shard.unparsed for shard in shards)
    if unknown:
        yield (
            f"{counted(unknown, 'document has', 'documents have')} to be parsed before any chunks can be "
            "counted: they are estimated from the bytes and the documents that are known"
        )
    if any(not shard.exact for shard in shards) and not unknown:
        yield "chunks and texts are estimated from what there is now; leave out --quick to count them"
