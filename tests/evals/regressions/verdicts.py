"""What must be true of a verdict, whatever was planted."""

import polars as pl

from evals.gates.markdown import escaped
from rag_assets.releases.gates import Gate
from rag_assets.releases.registry import Registry, Release

from .deployments import Deployment


def assert_nothing_harmed(
    deployment: Deployment, live: Release, before: list[tuple[str, list[str], int]]
) -> None:
    """The release that was live still is, as it was, and readers get the same answers.

    Args:
        deployment: with the settings of its readers.
        live: the release before the candidate came.
        before: ``deployment.answers()`` of then.
    """
    assert Registry(deployment.platform.database).live() == live
    assert deployment.answers() == before


def named_in(gate: Gate, questions: pl.DataFrame) -> set[str]:
    """The questions that a gate's report names as worse, known items by their ids.

    Args:
        questions: ``RESOLVED_QUESTIONS``.
    """
    worse = gate.report.partition("got worse")[2].partition("got better")[0]
    return {
        question
        for question, question_id in questions.select("question", "question_id").rows()
        if escaped(question) in worse or escaped(question_id) in worse
    }
