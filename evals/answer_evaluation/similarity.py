"""How near an answer is to the reference answer in meaning, as the deployment's encoder sees it."""

from collections.abc import Sequence

import numpy as np

from rag_assets.encoders import Encoder


def similarities(encoder: Encoder, answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """The cosine of every answer and its reference; below 0 is 0, as unlike as can be.

    Both sides are encoded in one go, so that the encoder can batch them.

    Args:
        answers, references: in the same order.

    Returns:
        float64, shape (len(answers),), from 0 to 1; 0 where either text is blank.

    Raises:
        EncoderError: the encoder failed.
        ValueError: the two are not of the same length.
    """
    if len(answers) != len(references):
        raise ValueError(f"not paired: {len(answers)} answers, {len(references)} references")
    if not answers:
        return np.zeros(0)
    vectors = encoder.encode([*answers, *references]).astype(np.float64)
    cosines = np.einsum("ij,ij->i", vectors[: len(answers)], vectors[len(answers) :])
    told = [
        bool(answer.strip() and reference.strip())
        for answer, reference in zip(answers, references, strict=True)
    ]
    return np.where(told, np.clip(cosines, 0.0, 1.0), 0.0)
