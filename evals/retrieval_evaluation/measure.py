"""The columns of an evaluation that are measured of one release, a row for each question."""

import polars as pl

from rag_assets.query.evidence.abstention import probability
from rag_assets.query.parameters import QueryParameters

from .metrics import KINDS, metric_names, score_rankings
from .run import Run
from .schema import MEASURED, RETRIEVAL_RESULTS

FOUND = pl.Schema(
    {
        "question_id": pl.String(),
        **MEASURED,
        "evidence": RETRIEVAL_RESULTS["evidence"],
        "evidence_note": pl.String(),
    }
)


def measure(run: Run, parameters: QueryParameters, *, abstain: bool) -> pl.DataFrame:
    """Measure what a release found for every question of a run.

    Args:
        run: with the scores of the reranker that counts, and with features where there is a model.
        parameters: what counts.
        abstain: whether the engine follows the model that says when to abstain.

    Returns:
        ``FOUND``, in the order of the questions; ``evidence`` and its note are about this release.
    """
    relevant, names = run.relevant(), metric_names(run.k)
    ids = run.questions["question_id"].to_list()
    rankings = run.served(ids, parameters)
    scores = score_rankings({item: rankings[item] for item in relevant}, relevant, names)
    metrics = {
        question_id: {
            kind: float(scores[name][row]) for kind, name in zip(KINDS, names, strict=True)
        }
        for row, question_id in enumerate(relevant)
    }
    states = _evidence(run)
    rows = [
        {
            "question_id": question_id,
            "ranking": rankings[question_id],
            **metrics.get(question_id, {}),
            "evidence_recall": run.evidence_recall(question_id, parameters),
            **_answers(run, question_id, parameters, abstain),
            "evidence": states[question_id],
            "evidence_note": "; ".join(run.resolution.unresolved.get(question_id, [])),
        }
        for question_id in ids
    ]
    return pl.DataFrame(rows, schema=FOUND, orient="row")


def _answers(
    run: Run, question_id: str, parameters: QueryParameters, abstain: bool
) -> dict[str, float | bool | None]:
    """How sure the release is that it can answer, and whether it says that it cannot."""
    nothing = not len(run.retrievals[question_id].candidates)
    model = parameters.abstention
    if model is None or question_id not in run.features:
        return {"confidence": None, "abstained": nothing}
    confidence = probability(model, run.features[question_id])
    return {
        "confidence": confidence,
        "abstained": nothing or (abstain and confidence < model.threshold),
    }


def _evidence(run: Run) -> dict[str, str]:
    """Question → what became of its evidence in this release; see ``RETRIEVAL_RESULTS``."""
    columns = ["question_id", "relevant", "evidence"]
    states = {}
    for question_id, relevant, now in run.questions.select(columns).rows():
        if not relevant:
            states[question_id] = "none"
        elif any(item["document_id"] not in run.documents for item in relevant):
            states[question_id] = "unknown" if now == "unknown" else "deleted"
        else:
            changed = question_id in run.resolution.unresolved
            states[question_id] = "changed" if changed else "current"
    return states
