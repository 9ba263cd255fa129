"""What a tick asks for: a pure function of what is pending, what is at work and what was tried.

Rules, in this order:

1. A shard has one run at a time. One whose run failed, or changed nothing, waits longer every time.
2. A shard that has changed since the last release is not started again while others are at work:
   otherwise sources that never rest would keep every release waiting.
3. Nothing is released while a shard is at work, or is half built.
4. What is ready to be released goes first, once; the shards go on afterwards.
5. When a single shard is all there is to do, one run brings it in and releases it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rag_assets.platform.wording import counted
from rag_jobs.jobs import INGEST_JOB, PROMOTE_JOB, REFRESH_JOB
from rag_jobs.pending import Pending, ShardPending

from .flight import Earlier, Flight

DIGEST_CHARACTERS = 24
NAMED = 5


@dataclass(frozen=True)
class Rules:
    """What a decision depends on besides the state.

    Attributes:
        now: seconds since 1970.
        retry_seconds: the first wait after a failed run.
        in_one_run: whether a run may do both, ingest and promote.
    """

    now: float
    retry_seconds: float
    in_one_run: bool = True


@dataclass(frozen=True)
class Request:
    """A run to start.

    Attributes:
        job: its name.
        digest: what is asked for; the same digest is the same request.
        attempt: how often that was asked for before.
        partition: the shard, or "".
        why: for people.
    """

    job: str
    digest: str
    attempt: int
    partition: str = ""
    why: str = ""

    @property
    def run_key(self) -> str:
        """The same run is never started twice."""
        return f"{self.job}:{self.digest}:{self.attempt}"


@dataclass(frozen=True)
class Decision:
    """What to start, and why nothing else is."""

    requests: tuple[Request, ...]
    reasons: tuple[str, ...]


def decide(
    pending: Pending,
    flight: Flight,
    earlier: Callable[[str], Earlier],
    release_digest: Callable[[], str],
    rules: Rules,
) -> Decision:
    """Choose the runs to start.

    Args:
        pending: from ``find_pending``.
        flight: from ``in_flight``.
        earlier: the earlier runs that were asked for a digest.
        release_digest: what would be released; only called when a release is due.
        rules: time and settings.
    """
    if flight.backfill:
        return Decision((), (f"the backfill {flight.backfill} is at work on shards",))
    if flight.release:
        return Decision((), (f"run {flight.release} is releasing the index",))
    due, reasons = _due_shards(pending, flight, earlier, rules)
    alone = len(due) == 1 and _may_release_at_once(due[0], pending, flight, rules)
    if not alone:
        release, why_not = _release(pending, flight, earlier, release_digest, rules)
        # one that has been tried waits for the shards: they may mend what is wrong with it
        if release is not None and (release.attempt == 0 or not due):
            return Decision((release,), tuple(reasons))
        reasons += [why_not] if why_not else []
    job = REFRESH_JOB if alone else INGEST_JOB
    requests = tuple(
        Request(job, _digest(shard), attempt, shard.partition, ", ".join(shard.reasons))
        for shard, attempt in due
    )
    return Decision(requests, tuple(reasons))


def described(pending: Pending, reasons: tuple[str, ...]) -> str:
    """Why a tick asks for nothing; also what cannot be looked at."""
    missing = {item.source: item.unavailable for item in pending.unavailable}
    said = [
        f"the source '{name}' cannot be listed: {why}"
        for name, why in list(missing.items())[:NAMED]
    ]
    settling = sum(shard.settling for shard in pending.shards)
    if settling:
        said.append(f"{counted(settling, 'file')} may still be being written")
    said += reasons
    if not said and pending.release_reason:
        said.append(pending.release_reason)
    if said:
        return "; ".join(said)
    listed = sum(shard.listed for shard in pending.shards)
    return (
        f"nothing has changed in {counted(len(pending.shards), 'shard')} "
        f"({counted(listed, 'document')})"
    )


def _due_shards(
    pending: Pending, flight: Flight, earlier: Callable[[str], Earlier], rules: Rules
) -> tuple[list[tuple[ShardPending, int]], list[str]]:
    """Shards to start, each with the number of its attempt, and why others are not."""
    due, reasons = [], []
    released = pending.live.partitions if pending.live else {}
    for shard in pending.work:
        name = shard.partition
        tried = earlier(_digest(shard))
        at = tried.next_at(rules.retry_seconds)
        stamp = pending.stamps[name]["vector_index"]
        if name in flight.shards:
            reasons.append(f"run {flight.shards[name]} is at work on '{name}'")
        elif rules.now < at:
            reasons.append(f"'{name}' is tried again at {_clock(at)} after {_tries(tried)}")
        elif flight.shards and stamp is not None and released.get(name) != stamp.digest:
            reasons.append(f"'{name}' waits until what has changed in it before is released")
        else:
            due.append((shard, tried.attempts))
    return due, reasons


def _may_release_at_once(
    due: tuple[ShardPending, int], pending: Pending, flight: Flight, rules: Rules
) -> bool:
    shard = due[0]
    # what was rejected, or is held back, is for a person: it would only be judged again
    undecided = pending.release_due or not pending.release_reason
    others = set(_half_built(pending)) - {shard.partition}
    return rules.in_one_run and flight.nothing and undecided and not shard.retired and not others


def _half_built(pending: Pending) -> list[str]:
    """Shards without which there can be no release; one that was never there is not missed."""
    return [
        shard.partition
        for shard in pending.shards
        if not shard.built and (shard.stages or pending.stamps[shard.partition]["raw_documents"])
    ]


def _release(
    pending: Pending,
    flight: Flight,
    earlier: Callable[[str], Earlier],
    release_digest: Callable[[], str],
    rules: Rules,
) -> tuple[Request | None, str]:
    """The run that releases the index as it is, or why there is none."""
    if not pending.release_due or not pending.anything_built:
        return None, ""
    if flight.shards:
        return None, "the release waits for the shards that are at work"
    if half := _half_built(pending):
        return None, f"the release waits for {_names(half)}"
    digest = f"release:{release_digest()[:DIGEST_CHARACTERS]}"
    tried = earlier(digest)
    at = tried.next_at(rules.retry_seconds)
    if rules.now < at:
        return None, f"the release is tried again at {_clock(at)} after {_tries(tried)}"
    return Request(PROMOTE_JOB, digest, tried.attempts, why=pending.release_reason), ""


def _digest(shard: ShardPending) -> str:
    return f"{shard.partition}:{shard.digest[:DIGEST_CHARACTERS]}"


def _names(partitions: list[str]) -> str:
    named = ", ".join(f"'{name}'" for name in partitions[:NAMED])
    more = len(partitions) - NAMED
    return f"{named} and {more:,} more" if more > 0 else named


def _tries(tried: Earlier) -> str:
    if not tried.failures:
        return "a run that succeeded and left the same to do"
    return counted(tried.failures, "failed run")


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")
