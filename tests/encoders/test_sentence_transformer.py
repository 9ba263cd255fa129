import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from rag_assets.encoders import Encoder
from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.models import MINILM, minilm_folder
from rag_assets.encoders.sentence_transformer import SentenceTransformerEncoder
from rag_assets.platform.errors import EncoderError

from .conformance import ODD, EncoderConformance, TokenVectorConformance, cosines


@pytest.fixture(scope="module")
def original(encoder_state: Path) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(MINILM, encoder_state, device="cpu")


class TestSentenceTransformer(EncoderConformance, TokenVectorConformance):
    @pytest.fixture
    def encoder(self, original: SentenceTransformerEncoder) -> Encoder:
        return original


def test_it_agrees_with_compiled_but_is_never_mixed_with_it(
    original: SentenceTransformerEncoder, compiled: CompiledEncoder
) -> None:
    texts = ["Wie beantrage ich Urlaub?", "How do I ask for leave?", "", "a " * 400]
    assert cosines(original.encode(texts), compiled.encode(texts)).min() > 0.9995
    assert original.fingerprint != compiled.fingerprint


TEXTS = [
    "How do I ask for leave?",
    "Wie beantrage ich Urlaub? Größere Störungen melden Sie bitte sofort.",
    "fn load(&self) -> Result<Vec<u8>, Error> { self.inner.read() }",
    "The committee shall meet at least four times a year. " * 12,
]


def test_token_vectors_are_the_library_s(original: SentenceTransformerEncoder) -> None:
    """The library gives the special tokens too, unscaled."""
    model = original._load()
    for text, ours in zip(TEXTS, original.token_vectors(TEXTS), strict=True):
        theirs = model.encode([text], output_value="token_embeddings")[0].cpu().numpy()[1:-1]
        theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_token_vectors_agree_with_compiled(
    original: SentenceTransformerEncoder, compiled: CompiledEncoder
) -> None:
    expected, ours = original.token_vectors(TEXTS), compiled.token_vectors(TEXTS)
    each = [cosines(left, right) for left, right in zip(ours, expected, strict=True)]
    assert np.concatenate(each).mean() > 0.999
    assert np.concatenate(each).min() > 0.99
    for left, right in zip(original.token_vectors(ODD), compiled.token_vectors(ODD), strict=True):
        assert left.shape == right.shape


def test_a_model_that_compiled_refuses(tmp_path: Path) -> None:
    folder = tmp_path / "cls-model"
    shutil.copytree(minilm_folder(), folder, copy_function=os.link)
    (folder / "1_Pooling/config.json").unlink()  # a link: never write into the installed model
    pooling = {"word_embedding_dimension": 384, "pooling_mode_cls_token": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    encoder = SentenceTransformerEncoder(str(folder), tmp_path)
    assert encoder.encode(["one", "two"]).shape == (2, 384)
    assert encoder.fingerprint != SentenceTransformerEncoder(MINILM, tmp_path).fingerprint


def test_impossible_device(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"encoder\.device"):
        SentenceTransformerEncoder(MINILM, tmp_path, device="abacus").encode(["x"])
