"""How two releases were made and are searched: configuration, fingerprints, learned parameters."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .release import Release

# what is learned, as people speak of it; the coefficients of a model say nothing to them
LEARNED = ("fusion", "fusion_weight", "reranker", "rerank_weight")
LEARNED_OF_MODEL = ("threshold", "balance")
NOT_SET = "(none)"


class Change(NamedTuple):
    """One value that differs.

    Attributes:
        name: e.g. ``chunking.max_tokens``.
        before, after: JSON values; None where there is none.
    """

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name}: {words(self.before)} → {words(self.after)}"


def configuration_changes(before: Release, after: Release) -> list[Change]:
    """The settings that differ, by name.

    Where a release was made by an older version, which kept no configuration, nothing is known;
    then the fingerprints say which part differs.
    """
    if before.configuration is None or after.configuration is None:
        return []
    return _changes(before.configuration, after.configuration)


def fingerprint_changes(before: Release, after: Release) -> list[Change]:
    """The fingerprints that differ (parser, chunker, encoder, index)."""
    return _changes(before.fingerprints, after.fingerprints)


def parameter_changes(before: Release, after: Release) -> list[Change]:
    """What was learned otherwise: fusion, reranker, the threshold below which it abstains."""
    return _changes(_learned(before.parameters), _learned(after.parameters))


def words(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return NOT_SET
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _learned(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    known = parameters or {}
    model, source = known.get("abstention") or {}, known.get("learned_from") or {}
    return {
        **{name: known.get(name) for name in LEARNED},
        "abstention": {name: model.get(name) for name in LEARNED_OF_MODEL},
        "learned_from": source.get("dataset"),
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        Change(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
