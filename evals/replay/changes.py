"""What changed for one question, in words."""

from collections.abc import Mapping
from typing import Any

SAID = {
    "newly_abstained": "no answer any more",
    "newly_answered": "answered now",
    "top_changed": "another first document",
    "citations_changed": "cites other documents",
}


def changes(row: Mapping[str, Any]) -> list[str]:
    """What changed, the weightiest first.

    Args:
        row: of ``REPLAYED``.
    """
    if row["error"] or row["baseline_error"]:
        return ["fails now"] if not row["baseline_error"] else ["failed before"]
    words = [text for name, text in SAID.items() if row[name]]
    turned = row["newly_abstained"] or row["newly_answered"]
    if row["answer_changed"] and not turned:
        words.append(f"another answer (F1 {row['answer_f1']:.2f})")
    return words or ["other passages"]


def figure(value: float | None) -> str:
    """A share, for people."""
    return "–" if value is None else f"{value:.2f}"
