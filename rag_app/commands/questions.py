"""``ragline questions``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_assets.platform.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from rag_assets.platform.platform import Platform

SET_HELP = (
    "A set of [evaluation.sets] by its name, or a .jsonl file; default the only set, "
    "or golden_questions.jsonl beside ragline.toml."
)
SHOWN = 80  # characters of a question on a terminal

questions_app = typer.Typer(help="The golden questions.", no_args_is_help=True)


@questions_app.command("list")
def list_questions(
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Only those whose evidence is not current.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the golden questions and whether their evidence is still there."""
    from evals.golden_questions.collect import questions_version
    from evals.golden_questions.evidence import flagged as only_flagged
    from rag_assets.platform.platform import Platform

    questions = _questions(Platform.load())
    version = questions_version(questions)
    shown = only_flagged(questions) if flagged else questions
    if as_json:
        print_json({"version": version, "questions": shown.to_dicts()})
        return
    rows = [
        (name, question_id, shortened(question), origin, "yes" if gate else "no", state, note)
        for name, question_id, question, origin, gate, state, note in shown.select(
            "dataset", "question_id", "question", "origin", "gate", "evidence", "evidence_note"
        ).rows()
    ]
    columns = ["set", "id", "question", "origin", "gate", "evidence", "what was not found"]
    print_table("Golden questions", columns, rows)
    flags = only_flagged(questions).height
    typer.echo(f"{counted(questions.height, 'question')}, {flags} flagged, version {version[:12]}")


@questions_app.command("add")
def add_question(
    answer: Annotated[str, typer.Option("--answer", help="The id of an answer in the query log.")],
    relevant: Annotated[
        list[str], typer.Option("--relevant", help="A document that answers it; repeatable.")
    ],
    quote: Annotated[
        list[str] | None,
        typer.Option("--quote", help="Its words that do; one for each --relevant, in order."),
    ] = None,
    set_path: Annotated[
        str,
        typer.Option("--set", help=SET_HELP),
    ] = "",
    comment: Annotated[str, typer.Option("--comment", help="Why, in your own words.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a golden question of a question that was asked, with the documents that answer it."""
    import getpass

    from evals.golden_questions.feedback import (
        Correction,
        append_questions,
        question_from_answer,
    )
    from evals.golden_questions.sets import set_to_extend
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.platform import Platform
    from rag_assets.query.log import AnswerLog

    platform = Platform.load()
    record = AnswerLog(platform.database).get(answer)
    if record is None:
        raise ConfigurationError(
            f"There is no answer '{answer}' in the query log.", "Take the id from 'ragline ask'."
        )
    evidence = evidence_of(relevant, quote or [])
    check_evidence(platform, evidence)
    line = question_from_answer(record, Correction(evidence, by=getpass.getuser(), comment=comment))
    path = set_to_extend(platform.settings, set_path)
    append_questions(platform, path, [line])
    tell_added(platform, path, line, as_json=as_json)


@questions_app.command("synthetic")
def write_synthetic(
    count: Annotated[int, typer.Option("--count", min=1, max=10_000, help="How many.")],
    output: Annotated[str, typer.Option("--output", help="The .jsonl set they are added to.")],
    as_json: AsJson = False,
) -> None:
    """Let the configured LLM write questions from the documents; they never gate a release."""
    from evals.golden_questions.documents import CurrentDocuments
    from evals.golden_questions.feedback import append_questions
    from evals.golden_questions.synthetic import generate_questions
    from rag_app.progress import counting_bars
    from rag_assets.platform.platform import Platform
    from rag_assets.query.answerers.client import LLMClient

    platform = Platform.load()
    client = LLMClient(platform.settings.llm)
    path = Path(output).expanduser().absolute()
    append_questions(platform, path, [])  # a set that cannot be added to costs no tokens
    with counting_bars(enabled=not as_json) as progress:
        found = generate_questions(
            CurrentDocuments(platform),
            count,
            client,
            exclude=_asked_documents(path),
            authenticated=platform.settings.auth.enabled,
            progress=progress,
        )
    if not found.questions:
        raise _nothing_written(found.rejected)
    append_questions(platform, path, found.questions)
    summary = {
        "set": str(path),
        "questions": len(found.questions),
        "rejected": found.rejected,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
    }
    if as_json:
        print_json(summary)
        return
    typer.echo(f"added {counted(len(found.questions), 'question')} to {path}")
    for reason, replies in found.rejected.items():
        typer.echo(f"left out {replies}: {reason}")


def _questions(platform: "Platform") -> "pl.DataFrame":
    """The table; collected now where it was never made."""
    from evals.golden_questions.collect import ASSET, collect_questions, read_golden_questions
    from rag_assets.releases.registry import Registry

    if platform.tables.stamp(ASSET, "") is None:
        return collect_questions(platform, Registry(platform.database).live())
    return read_golden_questions(platform)


def _nothing_written(rejected: dict[str, int]) -> Exception:
    from evals.golden_questions.questions import QuestionSetError

    if not rejected:
        return QuestionSetError(
            "There is no document left to ask for.",
            "Ingest some; those that the set has synthetic questions of are not asked for again.",
        )
    reasons = "; ".join(f"{number}: {why}" for why, number in rejected.items())
    return QuestionSetError(
        f"The model wrote no question that can be used ({reasons}).", "Use a larger model."
    )


def _asked_documents(path: Path) -> set[str]:
    """The documents that a set has synthetic questions of already."""
    from evals.golden_questions.questions import json_lines

    if not path.exists():
        return set()
    lines = [value for _, value in json_lines(path) if value.get("origin") == "synthetic"]
    return {(value.get("provenance") or {}).get("document_id", "") for value in lines}


def evidence_of(relevant: list[str], quotes: list[str]) -> list[Any]:
    """What the options --relevant and --quote say."""
    from evals.golden_questions.feedback import Evidence
    from rag_assets.platform.errors import ConfigurationError

    if quotes and len(quotes) != len(relevant):
        raise ConfigurationError(
            f"There are {len(relevant)} --relevant and {len(quotes)} --quote.",
            "Give a quote for each document, or none.",
        )
    if not quotes:
        return [Evidence(document) for document in relevant]
    return [Evidence(document, said) for document, said in zip(relevant, quotes, strict=True)]


def check_evidence(platform: "Platform", evidence: list[Any]) -> None:
    """Refuse what the documents do not say: it would be flagged from its first day."""
    from evals.golden_questions.documents import CurrentDocuments, known_documents
    from evals.golden_questions.evidence import judge
    from evals.golden_questions.questions import QuestionSetError

    names = {item.document_id for item in evidence}
    known = known_documents(CurrentDocuments(platform), names, frozenset())
    items = [{"document_id": item.document_id, "quote": item.quote} for item in evidence]
    state, note = judge(items, known)
    if state != "current":
        raise QuestionSetError(f"{note[:1].upper()}{note[1:]}.", "See 'ragline search'.")


def tell_added(platform: "Platform", path: Path, line: dict[str, Any], *, as_json: bool) -> None:
    """Say which question went where, and whether anything reads it there."""
    from evals.golden_questions.sets import is_read

    read = is_read(platform.settings, path)
    if as_json:
        print_json({"set": str(path), "read": read, "question": line})
        return
    typer.echo(f"added {line['question_id']} to {path}")
    if not read:
        typer.echo(
            "No gate reads that file: name it in ragline.toml, [evaluation.sets.<name>].", err=True
        )


def shortened(text: str) -> str:
    """A text on one line of a terminal."""
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
