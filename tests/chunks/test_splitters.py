"""The five splitters pass the conformance class."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from rag_assets.chunks.registry import NAMES, make_splitter
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import ChunkingSettings

from .conformance import SplitterConformance


def encode(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors from bags of hashed words: alike texts are near each other."""
    vectors = np.full((len(texts), 32), 1e-3, dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            vectors[row, hashlib.sha256(word.encode()).digest()[0] % 32] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class TestStructure(SplitterConformance):
    splitter = make_splitter(ChunkingSettings(splitter="structure"))


class TestRecursive(SplitterConformance):
    splitter = make_splitter(ChunkingSettings(splitter="recursive"))


class TestFixed(SplitterConformance):
    splitter = make_splitter(ChunkingSettings(splitter="fixed"))


class TestSentence(SplitterConformance):
    splitter = make_splitter(ChunkingSettings(splitter="sentence"))


class TestSemantic(SplitterConformance):
    splitter = make_splitter(ChunkingSettings(splitter="semantic"), encode)


def test_registry_knows_every_name() -> None:
    assert {make_splitter(ChunkingSettings(splitter=name), encode).name for name in NAMES} == set(
        NAMES
    )


def test_unknown_splitter_says_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="structure, recursive"):
        make_splitter(ChunkingSettings(splitter="magic"))


def test_semantic_without_encoder_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="needs an encoder"):
        make_splitter(ChunkingSettings(splitter="semantic"))
