"""``ragline questions candidates``, ``accept`` and ``reject``: from feedback to golden questions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_assets.platform.wording import agreeing, counted

from .questions import SET_HELP, check_evidence, evidence_of, shortened, tell_added

if TYPE_CHECKING:
    from evals.golden_questions.candidates import Candidate
    from rag_assets.platform.platform import Platform

DIGITS = 8  # of an id on a terminal; that many are enough to name one
SIGNS = {1: "👍", 0: "", -1: "👎"}

FeedbackId = Annotated[str, typer.Argument(help="The id of a candidate, or how it begins.")]


def candidates(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were accepted or rejected.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what readers said of answers and could become golden questions."""
    from evals.golden_questions.candidates import candidates as find_candidates
    from rag_assets.platform.platform import Platform

    found = find_candidates(Platform.load(), decided=everything)
    if as_json:
        print_json([item.to_dict() for item in found])
        return
    columns = ["id", "", "question", "comment", "answered by", "status"]
    print_table("Feedback", columns, [_row(item) for item in found])
    ready = sum(not item.problem and item.said.status == "new" for item in found)
    typer.echo(
        f"{counted(len(found), 'piece', 'pieces')} of feedback, {ready} can be accepted as "
        f"{agreeing(ready, 'it is', 'they are')}"
    )


def accept(
    feedback_id: FeedbackId,
    relevant: Annotated[
        list[str] | None,
        typer.Option("--relevant", help="A document that answers it, instead; repeatable."),
    ] = None,
    quote: Annotated[
        list[str] | None,
        typer.Option("--quote", help="Its words that do; one for each --relevant, in order."),
    ] = None,
    unanswerable: Annotated[
        bool, typer.Option("--unanswerable", help="No document answers it.")
    ] = False,
    set_path: Annotated[
        str,
        typer.Option("--set", help=SET_HELP),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a golden question of a candidate."""
    from evals.golden_questions.sets import set_to_extend
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.platform import Platform
    from rag_assets.service_records.feedback import FeedbackStore

    if unanswerable and relevant:
        raise ConfigurationError(
            "--unanswerable and --relevant contradict each other.", "Give one of the two."
        )
    platform = Platform.load()
    candidate = _undecided(platform, feedback_id)
    named = [] if unanswerable else evidence_of(relevant, quote or []) if relevant else None
    if named is None and candidate.evidence is None:
        raise ConfigurationError(
            "This feedback does not say which documents answer the question.",
            "Name them with --relevant (and --quote), or give --unanswerable.",
        )
    evidence = list(candidate.evidence or ()) if named is None else named
    if evidence:
        check_evidence(platform, evidence)
    path = set_to_extend(platform.settings, set_path)
    line = _append(platform, path, candidate, named)
    FeedbackStore(platform.database).decide(
        candidate.said.feedback_id, "accepted", line["question_id"]
    )
    tell_added(platform, path, line, as_json=as_json)


def reject(feedback_id: FeedbackId, as_json: AsJson = False) -> None:
    """Note that a candidate does not become a golden question."""
    from rag_assets.platform.platform import Platform
    from rag_assets.service_records.feedback import FeedbackStore

    platform = Platform.load()
    found = _undecided(platform, feedback_id, rejecting=True)
    FeedbackStore(platform.database).decide(found.said.feedback_id, "rejected")
    if as_json:
        print_json({"feedback_id": found.said.feedback_id, "status": "rejected"})
        return
    typer.echo(f"rejected {found.said.feedback_id}")


def _append(
    platform: "Platform", path: Path, candidate: "Candidate", named: list[Any] | None
) -> dict[str, Any]:
    """Write the line, unless an accept that was interrupted has written it already."""
    import getpass
    from datetime import UTC, datetime

    from evals.golden_questions.candidates import line_of
    from evals.golden_questions.feedback import DuplicateQuestion, append_questions
    from evals.golden_questions.questions import json_lines

    line = line_of(candidate, named, getpass.getuser(), datetime.now(UTC))
    try:
        append_questions(platform, path, [line])
    except DuplicateQuestion:
        for _, known in json_lines(path):
            origin = known.get("provenance") or {}
            if origin.get("feedback_id") == candidate.said.feedback_id:
                return known
        raise
    return line


def _undecided(platform: "Platform", given: str, *, rejecting: bool = False) -> "Candidate":
    from evals.golden_questions.candidates import candidates as find_candidates
    from rag_assets.platform.errors import ConfigurationError

    hint = "See 'ragline questions candidates'."
    found = [
        item
        for item in find_candidates(platform)
        if given and item.said.feedback_id.startswith(given)
    ]
    if not found:
        raise ConfigurationError(f"There is no feedback '{given}' that waits for a decision.", hint)
    if len(found) > 1:
        raise ConfigurationError(f"{len(found)} ids begin with '{given}'.", "Give more of it.")
    candidate = found[0]
    if not rejecting and (candidate.record is None or candidate.record.question is None):
        raise ConfigurationError(
            f"It cannot become a question: {candidate.problem}.",
            "Reject it; to keep texts, set query.log to 'full'.",
        )
    return candidate


def _row(item: "Candidate") -> tuple[str, ...]:
    said = item.said
    documents = ", ".join(dict.fromkeys(one.document_id for one in item.evidence or ()))
    answered = item.problem or documents or "no document (it was right to abstain)"
    question = shortened(item.record.question or "") if item.record else ""
    return (
        said.feedback_id[:DIGITS],
        SIGNS[said.rating],
        question,
        shortened(said.comment),
        answered,
        said.status,
    )
