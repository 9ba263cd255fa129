"""What is learned for a release from golden questions: how to fuse, rerank and when to abstain."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class AbstentionModel:
    """A logistic model: how likely do the documents answer the question, given the evidence?

    ``probability = 1 / (1 + exp(-(intercept + Σ coefficient · (value - mean) / scale)))`` over the
    named features of ``evidence.features``; the engine abstains below ``threshold``.

    Attributes:
        features: names, in the order of the three lists after it.
        balance: the share of answerable questions that may be refused wrongly, or whatever the
            threshold was chosen for, in words for people.
    """

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    threshold: float
    balance: str = ""


@dataclass(frozen=True)
class QueryParameters:
    """How questions are searched in one release.

    Attributes:
        fusion: ``weighted`` (min–max normalised sum) or ``rrf``.
        fusion_weight: share of the dense leg in the weighted sum, from 0 to 1.
        reranker: name of the reranker, ``none`` for none.
        rerank_weight: share of the reranker's score in the final order, from 0 to 1; the rest is
            the fused score (both min–max normalised).
        abstention: None where nothing was learned: then only an empty search abstains.
        learned_from: where the values come from (question set, how many, when); empty: defaults.
    """

    fusion: str = "weighted"
    fusion_weight: float = 0.5
    reranker: str = "none"
    rerank_weight: float = 0.5
    abstention: AbstentionModel | None = None
    learned_from: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The form that is stored with a release."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "QueryParameters":
        """Read what ``to_dict`` wrote; keys of newer versions are left out."""
        known = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
        if known.get("abstention"):
            model = known["abstention"]
            lists = ("features", "means", "scales", "coefficients")
            known["abstention"] = AbstentionModel(
                **{**model, **{name: tuple(model[name]) for name in lists}}
            )
        return cls(**known)
