"""Similarity is the cosine of two encodings, whatever the batch."""

from pathlib import Path

import numpy as np
import pytest

from evals.answer_evaluation.similarity import similarities
from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.settings import EncoderSettings

ANSWERS = ["You have five days.", "The door is green.", "", "Ask your manager by phone."]
REFERENCES = ["Five days.", "Revenue grew by 4 percent.", "Five days.", "By phone."]


@pytest.fixture(scope="module")
def encoder(model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    home = tmp_path_factory.mktemp("home")
    model_cache.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(model_cache, target_is_directory=True)
    return make_encoder(EncoderSettings(), home)


def test_it_is_the_cosine_of_numpy(encoder: Encoder) -> None:
    found = similarities(encoder, ANSWERS, REFERENCES)
    vectors = encoder.encode([*ANSWERS, *REFERENCES]).astype(float)
    for index in (0, 1, 3):
        answer, reference = vectors[index], vectors[index + len(ANSWERS)]
        cosine = answer @ reference / np.linalg.norm(answer) / np.linalg.norm(reference)
        assert found[index] == pytest.approx(max(cosine, 0.0), abs=1e-6)
    assert found[0] > 0.7 > 0.3 > found[1]


def test_what_says_nothing_is_like_nothing(encoder: Encoder) -> None:
    assert similarities(encoder, ["", "  ", "a"], ["", "a", " "]).tolist() == [0.0, 0.0, 0.0]
    assert similarities(encoder, [], []).shape == (0,)


def test_the_same_words_are_alike(encoder: Encoder) -> None:
    assert similarities(encoder, ["Ask Anna."], ["Ask Anna."])[0] == pytest.approx(1.0, abs=1e-6)


def test_unpaired_texts_are_refused(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="not paired"):
        similarities(encoder, ["a"], [])
