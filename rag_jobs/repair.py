"""``ragline verify --repair``: what disagrees is made again from what it was made of, nothing else."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.releases.candidate import expected_partitions, present_table
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.table import HEAD_TAG, resume_head
from rag_assets.verification.base import Disagreement, Progress, Verification
from rag_assets.verification.mend import Damage, mend, open_table, rebuild_indices
from rag_assets.verification.mend_tables import mend_blobs, mend_tables
from rag_assets.verification.verify import verify, verify_version

BLOBS = ("missing_blobs", "edited_blobs")
TABLES = (
    "missing_table",
    "unreadable_table",
    "edited_table",
    "wrong_stored_vectors",
    "conservation",
)
TAGS = ("missing_tag", "wrong_tag")
COUNTS = ("registry_counts", "manifest_hash")
VERSIONS = (
    "unreadable_version",
    "lost_fragment",
    "lost_rows",
    "extra_rows",
    "duplicate_rows",
    "edited_rows",
    "wrong_vectors",
    "shard_digest",
    "search_index",
)


@dataclass
class Repair:
    """What a repair did.

    Attributes:
        done: what was mended, one sentence each.
        given_up: what could not be, and why.
        after: the verification afterwards: what is left.
    """

    done: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    after: Verification | None = None

    @property
    def ok(self) -> bool:
        """Whether everything agrees now."""
        return self.after is not None and self.after.ok

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        after = self.after.to_dict() if self.after else None
        return {**asdict(self), "after": after, "ok": self.ok}


def repair(
    platform: Platform,
    verification: Verification,
    progress: Progress = lambda doing, done, total: None,
) -> Repair:
    """Mend what a verification found, and verify again.

    Tables come first, because versions are mended from them. A version gets its tag and its place
    in the registry only after it was compared: the live release says the same before and after. An
    older release that cannot be made again exactly is removed, so that nobody is answered from it.

    Args:
        platform: the deployment.
        verification: what was found.
        progress: told how far the verifications are.

    Raises:
        AlreadyRunning: an ingest is at work.
    """
    work = _Work(platform, verification, progress)
    with platform.lock("ingest", doing="ragline verify --repair"):
        work.contents()
        if work.tables():
            # what follows from damaged tables shows only now
            work.found = work.verify_again()
        work.versions()
        work.registry_and_tags()
    work.repair.after = work.verify_again()
    return work.repair


class _Work:
    def __init__(self, platform: Platform, found: Verification, progress: Progress) -> None:
        self.platform = platform
        self.found = found
        self.progress = progress
        self.registry = Registry(platform.database)
        self.repair = Repair()
        self._first = found
        self._run_id = f"repair-{uuid.uuid4().hex[:8]}"

    def verify_again(self) -> Verification:
        """The same verification as the first, of releases that can still be read."""
        live = self.registry.live()
        others = [number for number in self._first.releases if live is None or number != live.id]
        if len(others) == 1 and len(self._first.releases) == 1:
            release = self.registry.get(others[0])
            if release is not None and release.readable:
                return verify(self.platform, others[0], self.progress)
        return verify(self.platform, "all" if others else "live", self.progress)

    def contents(self) -> None:
        """Contents of documents that are gone or altered."""
        for item in self._of(BLOBS):
            self._try(item, lambda item=item: self._contents(item))  # type: ignore[misc]

    def _contents(self, item: Disagreement) -> None:
        left = mend_blobs(self.platform, item.partition, item.ids)
        if left:
            names = ", ".join(left)
            self.repair.given_up.append(
                f"{item.place}: the source no longer has the contents {names}; 'ragline ingest' "
                "reads the present ones"
            )
        if len(left) < len(item.ids):
            again = len(item.ids) - len(left)
            self.repair.done.append(f"read {again} contents of '{item.partition}' again")

    def tables(self) -> bool:
        """Stage tables that are damaged; whether there were any."""
        shards: dict[str, list[Disagreement]] = defaultdict(list)
        for item in self._of(TABLES):
            if item.asset:
                shards[item.partition].append(item)
        for partition, items in shards.items():
            names = ", ".join(sorted({item.asset for item in items}))
            done = f"made {names} of '{partition}' again"
            self._try(items[0], lambda p=partition, i=items: self._tables(p, i), done)  # type: ignore[misc]
        return bool(shards)

    def _tables(self, partition: str, items: Sequence[Disagreement]) -> None:
        mend_tables(self.platform, partition, items, self._run_id)

    def versions(self) -> None:
        """Versions of the index: those of releases, then the newest one."""
        found: dict[int | None, list[Disagreement]] = defaultdict(list)
        for item in self._of(VERSIONS):
            found[item.release_id].append(item)
        for number in sorted(found, key=lambda number: (number is None, number)):
            items = found[number]
            with self.platform.lock("index-write", doing="repairing the index", timeout=900):
                release = self.registry.get(number) if number is not None else None
                if release is not None:
                    self._try(items[0], lambda r=release, i=items: self._release(r, i))  # type: ignore[misc]
                elif number is None:
                    done = "made the newest version of the index agree with the tables"
                    self._try(items[0], lambda i=items: self._newest(i), done)  # type: ignore[misc]

    def _newest(self, items: Sequence[Disagreement]) -> None:
        if open_table(self.platform, present_table(self.platform)) is not None:
            self._resume_head(present_table(self.platform))
        mend(self.platform, present_table(self.platform), None, _damage(items))

    def _release(self, release: Release, items: Sequence[Disagreement]) -> None:
        """Mend a release's version, compare it, and only then let it be read."""
        table = release.table_name
        # a version whose rows are sound needs no tables
        indices_only = all(item.kind == "search_index" for item in items)
        same_state = (table, release.partitions) == self._present()
        if not indices_only and not same_state:
            self._give_up(release, "the tables have moved on, and its rows cannot be made again")
            return
        newest = self._mark_head(table)
        gone = any(item.kind == "unreadable_version" for item in items)
        damage = _damage(items)
        if indices_only:
            version = rebuild_indices(self.platform, table, release.lance_version, damage.indices)
        else:
            version = mend(self.platform, table, None if gone else release.lance_version, damage)
        mended = replace(release, lance_version=version)
        left = [item for item in verify_version(self.platform, mended) if item.kind not in COUNTS]
        if left:
            self._give_up(release, f"mended, it still disagrees: {left[0].what}")
        else:
            self._tag(release, version)
            reason = "; ".join(item.what for item in items)
            self.registry.amend(release.id, "repaired", reason=reason, lance_version=version)
            self.repair.done.append(f"release {release.id} is version {version} now")
        # the newest version stays what it was, unless this one is what it should be
        moved = not same_state and newest != release.lance_version
        if newest is not None and not (left or moved):
            self._untag(table, HEAD_TAG)
        if newest is not None:
            self._resume_head(table)

    def _mark_head(self, table: str) -> int | None:
        """Remember the newest version, so that the next writer takes it back should this one die."""
        dataset = open_table(self.platform, table)
        if dataset is None:
            return None
        self._resume_head(table)
        dataset = open_table(self.platform, table)
        dataset.tags.create(HEAD_TAG, dataset.version)
        return int(dataset.version)

    def _resume_head(self, table: str) -> None:
        uri = f"{self.platform.lancedb_uri}/{table}.lance"
        resume_head(uri, self.platform.storage_options)

    def _present(self) -> tuple[str, dict[str, str]]:
        return present_table(self.platform), expected_partitions(self.platform)

    def _give_up(self, release: Release, why: str) -> None:
        """Remove a release that cannot be mended; the live one only a person may replace."""
        if self.registry.mark_removed(release.id, f"damaged: {why}"):
            self._untag(release.table_name, release.tag)
            self.repair.done.append(f"release {release.id} was removed: {why}")
            return
        self.repair.given_up.append(
            f"release {release.id}: {why}; roll back with 'ragline releases rollback', or release the "
            "present documents with 'ragline ingest'"
        )

    def registry_and_tags(self) -> None:
        """Counts in the registry, and tags."""
        for item in self._of(COUNTS):
            if item.release_id is not None:
                reason = item.what
                self.registry.amend(item.release_id, "repaired", reason=reason, **item.counted)
                self.repair.done.append(
                    f"corrected the registry's row of release {item.release_id}"
                )
        for item in self._of(TAGS):
            release = self.registry.get(item.release_id) if item.release_id is not None else None
            if release is not None and release.readable:
                self._try(item, lambda r=release: self._retag(r))  # type: ignore[misc]
        for item in self._of(("stray_tag",)):
            for tag in item.ids:
                self._untag(item.place, tag)
                self.repair.done.append(f"removed the tag {tag} of {item.place}")
        for item in self._of(("live_release",)):
            self.repair.given_up.append(f"{item.place}: {item.what}; see 'ragline releases list'")

    def _retag(self, release: Release) -> None:
        """Set a tag again, after the version behind it has been compared."""
        wrong = verify_version(self.platform, release)
        if wrong:
            self._release(release, wrong)
            return
        self._tag(release, release.lance_version)
        self.repair.done.append(f"set the tag {release.tag} to version {release.lance_version}")

    def _tag(self, release: Release, version: int) -> None:
        tags = open_table(self.platform, release.table_name).tags
        if release.tag in tags.list():
            tags.update(release.tag, version)
        else:
            tags.create(release.tag, version)

    def _untag(self, table: str, tag: str) -> None:
        dataset = open_table(self.platform, table)
        if dataset is not None and tag in dataset.tags.list():
            dataset.tags.delete(tag)

    def _of(self, kinds: Sequence[str]) -> list[Disagreement]:
        return [item for item in self.found.disagreements if item.kind in kinds]

    def _try(self, item: Disagreement, work: Callable[[], None], done: str = "") -> None:
        """Do a part of the repair; one that fails is told and leaves the others to be done."""
        try:
            work()
        except RaglineError as error:
            self.repair.given_up.append(f"{item.place}: {error}")
        else:
            self.repair.done += [done] if done else []


def _damage(items: Sequence[Disagreement]) -> Damage:
    def of(*kinds: str) -> frozenset[str]:
        return frozenset(name for item in items if item.kind in kinds for name in item.ids)

    rows = of("extra_rows", "duplicate_rows", "edited_rows", "wrong_vectors")
    return Damage(of("lost_fragment"), rows, of("search_index"))
