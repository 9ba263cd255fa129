"""Encoders: the models that turn texts into unit vectors, behind one protocol (``base.py``).

``compiled`` is the default on a CPU (OpenVINO and a Rust tokenizer, no torch), with
``sentence-transformers`` for a GPU or any other model, and ``openai`` for an endpoint. Later rooms
make one with ``make_encoder`` and count tokens with its ``tokenizer``.
"""

from .base import Encoder, Progress
from .registry import make_encoder
from .tokenizer import TokenCounter

__all__ = ["Encoder", "Progress", "TokenCounter", "make_encoder"]
