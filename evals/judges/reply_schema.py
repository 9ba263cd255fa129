"""The JSON schema of a judge's reply, in the strict form that servers can hold a model to."""

from typing import Any

from pydantic import BaseModel

VERDICTS = [0, 1]


def reply_schema(reply: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model: every key is required, none is added, every integer is 0 or 1.

    The libraries' models leave a verdict unbounded although 0 and 1 are all it can mean; what a
    server does not hold to the schema is checked again by ``stray_verdict``.
    """
    schema = reply.model_json_schema()
    _tighten(schema)
    return schema


def stray_verdict(value: Any) -> int | None:
    """The first integer in a reply that is neither 0 nor 1; None when there is none."""
    if isinstance(value, BaseModel):
        value = list(value.__dict__.values())
    if isinstance(value, list):
        return next((found for item in value if (found := stray_verdict(item)) is not None), None)
    return value if isinstance(value, int) and value not in VERDICTS else None


def _tighten(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _tighten(item)
    if not isinstance(node, dict):
        return
    if node.get("type") == "object" and "properties" in node:
        node["additionalProperties"] = False
        node["required"] = list(node["properties"])
    if node.get("type") == "integer":
        node["enum"] = VERDICTS
    node.pop("default", None)  # strict schemas know none
    for child in node.values():
        _tighten(child)
