"""Values as both databases take them."""

import math
import numbers
from typing import Any


def storable(value: Any) -> Any:
    """The value as every database takes it: PostgreSQL knows no NUL, no lone surrogate, no NaN."""
    kind = type(value)  # an answer has hundreds of values, nearly all of these few kinds
    if kind is str:
        return value if value.isascii() and "\x00" not in value else _text(value)
    if value is None or kind is int or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {storable(str(key)): storable(item) for key, item in value.items()}
    if kind is list:
        return [storable(item) for item in value]
    return _otherwise(value)


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _otherwise(value: Any) -> Any:
    """Subclasses, and NumPy's numbers."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return storable(float(value))
    if isinstance(value, dict):
        return storable(dict(value))
    if isinstance(value, list | tuple | set | frozenset):
        return storable(list(value))
    return value
