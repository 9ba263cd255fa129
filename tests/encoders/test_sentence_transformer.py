import json
import os
import shutil
from pathlib import Path

import pytest

from rag_assets.encoders import Encoder
from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.models import MINILM, minilm_folder
from rag_assets.encoders.sentence_transformer import SentenceTransformerEncoder
from rag_assets.platform.errors import EncoderError

from .conformance import EncoderConformance, cosines


@pytest.fixture(scope="module")
def original(encoder_state: Path) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(MINILM, encoder_state, device="cpu")


class TestSentenceTransformer(EncoderConformance):
    @pytest.fixture
    def encoder(self, original: SentenceTransformerEncoder) -> Encoder:
        return original


def test_it_agrees_with_compiled_but_is_never_mixed_with_it(
    original: SentenceTransformerEncoder, compiled: CompiledEncoder
) -> None:
    texts = ["Wie beantrage ich Urlaub?", "How do I ask for leave?", "", "a " * 400]
    assert cosines(original.encode(texts), compiled.encode(texts)).min() > 0.9995
    assert original.fingerprint != compiled.fingerprint


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
