"""What a verification finds: disagreements that name themselves, and what was compared."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# told what is being done, how many are done, and of how many
Progress = Callable[[str, int, int], None]

Kind = Literal[
    # the registry and the tags
    "live_release",
    "registry_counts",
    "missing_tag",
    "wrong_tag",
    "stray_tag",
    # a version of the index
    "unreadable_version",
    "lost_fragment",
    "lost_rows",
    "extra_rows",
    "duplicate_rows",
    "edited_rows",
    "wrong_vectors",
    "shard_digest",
    "manifest_hash",
    "search_index",
    # the tables of the present state
    "missing_table",
    "unreadable_table",
    "edited_table",
    "wrong_stored_vectors",
    "missing_blobs",
    "edited_blobs",
    "conservation",
]

REPAIRS: dict[Kind, str] = {
    "registry_counts": "write the counted numbers to the registry",
    "missing_tag": "set the tag again",
    "wrong_tag": "set the tag to the version that the registry names",
    "stray_tag": "remove the tag",
    "unreadable_version": "build the version again from the tables, or give the release up",
    "lost_fragment": "write the lost rows again from the tables",
    "lost_rows": "write the lost rows again from the tables",
    "extra_rows": "remove these rows",
    "duplicate_rows": "write these rows again, once",
    "edited_rows": "write these rows again from the tables",
    "wrong_vectors": "write these rows again with the right vectors",
    "shard_digest": "write what differs from the tables again",
    "manifest_hash": "write the computed hash to the registry",
    "search_index": "build this search index again",
    "missing_table": "run this stage and those after it again",
    "unreadable_table": "drop the table and run its stage and those after it again",
    "edited_table": "drop the table and run its stage and those after it again",
    "wrong_stored_vectors": "encode these texts again",
    "missing_blobs": "read the documents from their source again",
    "edited_blobs": "read the documents from their source again",
    "conservation": "",
}

EXAMPLES = 5


@dataclass(frozen=True)
class Disagreement:
    """Two things that should agree and do not.

    Attributes:
        kind: what sort of disagreement it is.
        place: where: a release, a table, a file.
        what: what is wrong, in a sentence.
        release_id: of the release whose version it is about; None for the present state.
        repair: what ``--repair`` would do; empty where only a person can help.
        ids: chunks, documents, texts or files it is about, all of them.
        asset, partition: the stage table it is about.
        counted: what a count or a hash gives, by the name of the registry's column.
    """

    kind: Kind
    place: str
    what: str
    release_id: int | None = None
    repair: str = ""
    ids: tuple[str, ...] = ()
    asset: str = ""
    partition: str = ""
    counted: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: a few of the ids, and how many there are."""
        kept = asdict(self)
        return {**kept, "ids": list(self.ids[:EXAMPLES]), "count": len(self.ids)}


def disagreement(kind: Kind, place: str, what: str, **more: Any) -> Disagreement:
    """A disagreement with the repair that its kind has."""
    return Disagreement(kind, place, what, **{"repair": REPAIRS.get(kind, ""), **more})


@dataclass(frozen=True)
class Verification:
    """What was compared, and where it disagrees.

    Attributes:
        releases: ids of the releases whose versions were read.
        disagreements: empty when everything agrees.
        compared: what was compared → how many.
        pending: shards on which work is outstanding, which is no disagreement: an ingest was
            interrupted, or the configuration has changed.
        skipped: what could not be compared, and why.
        seconds: time it took.
    """

    releases: tuple[int, ...]
    disagreements: tuple[Disagreement, ...]
    compared: dict[str, int]
    pending: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.disagreements

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        found = [item.to_dict() for item in self.disagreements]
        return {"ok": self.ok, **asdict(self), "disagreements": found}


@dataclass
class Findings:
    """What a verification has found so far; its parts add to it."""

    disagreements: list[Disagreement] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, kind: Kind, place: str, what: str, **more: Any) -> None:
        """Add a disagreement, once."""
        found = disagreement(kind, place, what, **more)
        if found not in self.disagreements:
            self.disagreements.append(found)

    def count(self, what: str, number: int) -> None:
        """Say that so many more were compared."""
        self.compared[what] = self.compared.get(what, 0) + number


def few(ids: tuple[str, ...] | list[str]) -> str:
    """Some of the ids, for a sentence."""
    named = ", ".join(ids[:EXAMPLES])
    return f"{named} and {len(ids) - EXAMPLES} more" if len(ids) > EXAMPLES else named
