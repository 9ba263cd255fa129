import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag_assets.platform.errors import RerankerError
from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.cross_encoder import CrossEncoderReranker

from .conformance import QUESTION, TEXTS, ModelConformance
from .tiny_cross_encoder import TOPICS, make_cross_encoder


@pytest.fixture(scope="module")
def trained(cross_encoder_folder: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker(str(cross_encoder_folder))


class TestCrossEncoder(ModelConformance):
    score_range = 10.0

    @pytest.fixture
    def reranker(self, trained: CrossEncoderReranker) -> Reranker:
        return trained


def test_the_text_with_the_asked_topic_is_first(trained: CrossEncoderReranker) -> None:
    texts = [f"the {topic} in full" for topic in TOPICS]
    for place, topic in enumerate(TOPICS):
        scores = trained.score(f"what does the {topic} policy say?", texts)
        assert int(np.argmax(scores)) == place


def test_scores_are_the_model_s_own_before_activation(
    trained: CrossEncoderReranker, cross_encoder_folder: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(cross_encoder_folder)
    model = AutoModelForSequenceClassification.from_pretrained(cross_encoder_folder)
    scores = trained.score(QUESTION, TEXTS)
    for text, score in zip(TEXTS, scores, strict=True):
        inputs = tokenizer([QUESTION], [text], truncation=True, return_tensors="pt")
        with torch.no_grad():
            assert float(model(**inputs).logits[0, 0]) == pytest.approx(score, abs=1e-3)
    assert scores.max() > 1 or scores.min() < 0  # no sigmoid


@pytest.mark.parametrize("name", ["", "no-such/model", "/no/such/folder"])
def test_a_missing_model_says_what_to_do(name: str) -> None:
    reranker = CrossEncoderReranker(name)
    for use in (reranker.warm_up, lambda: reranker.score(QUESTION, TEXTS)):
        with pytest.raises(RerankerError) as caught:
            use()
        assert "query.cross_encoder_model" in caught.value.hint


def test_a_damaged_model(cross_encoder_folder: Path, tmp_path: Path) -> None:
    for file in cross_encoder_folder.iterdir():
        content = file.read_bytes()
        cut = len(content) // 2 if file.suffix == ".safetensors" else len(content)
        (tmp_path / file.name).write_bytes(content[:cut])
    with pytest.raises(RerankerError, match="cannot be loaded"):
        CrossEncoderReranker(str(tmp_path)).warm_up()


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    make_cross_encoder(tmp_path, labels=3, steps=0)
    with pytest.raises(RerankerError, match="3 scores a pair"):
        CrossEncoderReranker(str(tmp_path)).warm_up()


def test_scores_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    make_cross_encoder(tmp_path, steps=0)
    from safetensors.torch import load_file, save_file

    weights = load_file(tmp_path / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"] * float("nan")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RerankerError, match="not finite"):
        CrossEncoderReranker(str(tmp_path)).score(QUESTION, TEXTS)


def test_no_server_is_asked(cross_encoder_folder: Path) -> None:
    """Also where the machine may reach the model hub: any connection is an error here."""
    code = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("a connection was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from rag_assets.platform.errors import RerankerError
from rag_assets.query.rerankers.cross_encoder import CrossEncoderReranker
print(CrossEncoderReranker(sys.argv[1]).score("the refund?", ["the refund"]).shape)
try:
    CrossEncoderReranker("cross-encoder/ms-marco-MiniLM-L6-v2").warm_up()
except RerankerError as error:
    print(type(error.__cause__).__name__)
"""
    online = {name: value for name, value in os.environ.items() if not name.startswith("HF_HUB")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(cross_encoder_folder)],
        capture_output=True, text=True, cwd=Path(__file__).parents[3], env=online,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "(1,)"
    assert "AssertionError" not in done.stdout
