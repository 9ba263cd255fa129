import pytest

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.query.evidence.support import support_scores

PASSAGE = (
    "Invoices are paid within fourteen days of receipt. Anna Berg approves every invoice over "
    "5,000 euros. Travel costs are not refunded without a receipt."
)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Invoices are paid within 14 days.", "Invoices are paid within 40 days."),
        ("Invoices are paid within fourteen days.", "Invoices are not paid within fourteen days."),
        ("Anna Berg approves invoices.", "Then Carla Berg approves invoices."),
        ("Invoices over 5000 euros are approved by Anna Berg.", "The cafeteria opens at noon."),
        ("Bills are settled in 14 days.", "Bills are settled in 21 days."),
    ],
)
def test_minimal_pairs(encoder: CompiledEncoder, good: str, bad: str) -> None:
    scores = support_scores([good, bad], [PASSAGE], encoder)
    assert scores[0, 0] > 0.45
    assert scores[1, 0] < 0.6 * scores[0, 0]


def test_shape_range_and_verbatim(encoder: CompiledEncoder) -> None:
    first, *_ = PASSAGE.split(". ")
    scores = support_scores([first, "Unrelated words."], [PASSAGE, "", "The sea is deep."], encoder)
    assert scores.shape == (2, 3)
    assert scores[0, 0] > 0.95
    assert scores[0, 1] == 0.0
    assert ((scores >= 0) & (scores <= 1)).all()
    assert support_scores([], [PASSAGE], encoder).shape == (0, 1)
    assert support_scores(["A claim."], [], encoder).shape == (1, 0)
