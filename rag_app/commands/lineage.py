"""``ragline lineage``."""

from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.output import AsJson, Groups, print_json
from rag_assets.platform.wording import agreeing, counted

if TYPE_CHECKING:
    from rich.tree import Tree

    from rag_assets.query.lineage import DocumentVersion, Lineage, StageRun

SHOWN = 200  # characters of a text on a terminal
DIGITS = 12  # of a hash or a fingerprint


def lineage(
    answer_id: Annotated[str, typer.Argument(help="The id of an answer.")],
    groups: Groups = "",
    as_json: AsJson = False,
) -> None:
    """Show where an answer comes from: passages, documents, runs, configuration, release."""
    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.lineage import lineage_of

    platform = Platform.load()
    caller = Caller.of(groups.split(","), authenticated=platform.settings.auth.enabled)
    found = lineage_of(platform, answer_id, caller)
    if as_json:
        print_json(found.to_dict())
        return
    from rich.console import Console

    Console(highlight=False).print(_tree(found))


def _tree(found: "Lineage") -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(f"answer {found.answer_id}", style="bold"))
    asked = f"asked {found.asked_at.isoformat(timespec='seconds')}, {found.answerer}"
    tree.add(Text(asked + (", abstained" if found.abstained else ""), style="dim"))
    for label, text in (("question", found.question), ("answer", found.answer)):
        if text is not None:
            tree.add(Text.assemble((f"{label}: ", "bold"), _short(text)))
    if found.withheld:
        it = agreeing(found.withheld, "it", "them")
        notice = (
            f"{counted(found.withheld, 'passage')} withheld: you may not read {it}; "
            "so are all texts"
        )
        tree.add(Text(notice, style="yellow"))
    if found.index_problem:
        tree.add(Text(f"only the log is shown: {found.index_problem}", style="yellow"))
    for document in found.documents:
        _add_document(tree, found, document)
    _add_release(tree, found)
    return tree


def _add_document(tree: "Tree", found: "Lineage", document: "DocumentVersion") -> None:
    from rich.text import Text

    heading = document.title or document.document_id
    place = f"  {document.document_id}  {document.content_sha256[:DIGITS]}"
    branch = tree.add(Text.assemble((heading, "bold"), (place, "cyan")))
    if document.uri:
        branch.add(Text(document.uri, style="dim"))
    _add_runs(branch, document.runs)
    for passage in found.passages:
        if passage.document_id != document.document_id:
            continue
        page = f", page {passage.page}" if passage.page else ""
        span = f"[{passage.number}] characters {passage.char_start}–{passage.char_end}{page}"
        leaf = branch.add(Text(span))
        for citation in found.citations:
            if citation.chunk_id == passage.chunk_id and citation.quote:
                leaf.add(Text(f"“{_short(citation.quote)}”", style="italic"))
        _add_runs(leaf, passage.runs)


def _add_release(tree: "Tree", found: "Lineage") -> None:
    from rich.text import Text

    release = found.release
    if release is None:
        return
    heading = f"release {release.id} ({release.status}), {release.manifest_sha256[:DIGITS]}"
    branch = tree.add(Text(heading, style="bold"))
    _add_runs(branch, release.runs)
    for name, value in release.fingerprints.items():
        branch.add(Text(f"{name} {value[:DIGITS]}", style="dim"))
    for name, value in found.software.items():
        branch.add(Text(f"shown by {name} {value}", style="dim"))


def _add_runs(branch: "Tree", runs: "list[StageRun]") -> None:
    from rich.text import Text

    for run in runs:
        by = f" by {run.run_url}" if run.run_url else ""
        code = f", configuration {run.fingerprint[:DIGITS]}" if run.fingerprint else ""
        branch.add(Text(f"{run.stage}{by}{code}", style="dim"))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
