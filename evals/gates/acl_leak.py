"""The gate of rights: nothing reaches anybody who may not read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from rag_assets.platform.errors import ConfigurationError, IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import GateSettings
from rag_assets.platform.wording import counted
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine, without_groups
from rag_assets.releases.gates import Gate
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Candidate, Release

from .canaries import HITS, CanaryResult, ask_canaries, make_canaries, restricted, sample
from .markdown import escaped, table
from .rights import Problem, named, read_index_rights, read_manifest, widened, wrong_rows

NAME = "acl_leak"
NAMED = 5
LISTED = 100


@dataclass(frozen=True)
class RightsFacts:
    """Everything that is known of a candidate's rights.

    Attributes:
        rows: of the index.
        documents: in the manifest.
        restricted: documents that not everyone may read.
        wrong: rows with other readers than the manifest says.
        canaries: questions by people who may not read the answer.
        forbidden: golden questions that found what they must not find.
        forbidden_asked: golden questions that name forbidden documents.
        wider: documents that more people may read than in the live release.
        note: what could not be compared, and why.
    """

    rows: int
    documents: int
    restricted: int
    wrong: list[Problem] = field(default_factory=list)
    canaries: CanaryResult = field(default_factory=CanaryResult)
    forbidden: list[Problem] = field(default_factory=list)
    forbidden_asked: int = 0
    wider: list[Problem] = field(default_factory=list)
    note: str = ""

    @property
    def leaks(self) -> list[Problem]:
        """What always blocks."""
        return [*self.wrong, *self.canaries.leaks, *self.forbidden]


def judge_rights(facts: RightsFacts, settings: GateSettings) -> Gate:
    """The verdict: a leak always blocks, wider access does what ``gates.wider_access`` says."""
    leaks, wider = facts.leaks, facts.wider if settings.wider_access != "allow" else []
    metadata = {
        "leaks": len(leaks),
        "documents_with_wrong_readers": len({item.document_id for item in facts.wrong}),
        "canary_documents": facts.canaries.documents,
        "canary_questions": facts.canaries.questions,
        "canary_leaks": len(facts.canaries.leaks),
        "canaries_nobody_finds": len(facts.canaries.unseen),
        "forbidden_questions": facts.forbidden_asked,
        "forbidden_found": len(facts.forbidden),
        "documents_read_by_more": len(facts.wider),
        "restricted_documents": facts.restricted,
    }
    passed = not leaks and not wider
    blocking = bool(leaks) or settings.wider_access == "block"
    text = _explanation(facts, wider)
    severity = "error" if blocking or passed else "warn"
    return Gate(NAME, passed, text, metadata, severity, report=_report(facts))  # type: ignore[arg-type]


def _explanation(facts: RightsFacts, wider: Sequence[Problem]) -> str:
    parts = []
    if facts.leaks:
        parts.append(f"{_some(facts.leaks, 'leak')}: {_listed(facts.leaks)}")
    if wider:
        more = "more people may read than before"
        parts.append(f"{_some(wider, 'document')} {more}: {_listed(wider)}")
    if not parts:
        asked = facts.canaries.questions + facts.forbidden_asked
        parts.append(
            f"{counted(facts.rows, 'row has', 'rows have')} the readers of the manifest; "
            f"{facts.restricted} of {counted(facts.documents, 'document')} restricted, "
            f"{counted(asked, 'question')} found none of them without the right"
        )
    return "; ".join([*parts, *filter(None, [facts.note])])


def _some(problems: Sequence[Problem], noun: str) -> str:
    return counted(len(problems), noun)


def _listed(problems: Sequence[Problem]) -> str:
    shown = "; ".join(f"{item.document_id} {item.what}" for item in problems[:NAMED])
    rest = len(problems) - NAMED
    return f"{shown}; and {rest} more" if rest > 0 else shown


def _report(facts: RightsFacts) -> str:
    parts = []
    kinds = (
        ("Rows with other readers than the manifest says", facts.wrong),
        ("Found by people who may not read them", facts.canaries.leaks),
        ("Forbidden documents that golden questions found", facts.forbidden),
        ("Documents that more people may read than in the live release", facts.wider),
    )
    for title, problems in kinds:
        if problems:
            rows = [[escaped(item.document_id), escaped(item.what)] for item in problems[:LISTED]]
            parts += [f"### {title}: {len(problems)}", table(["document", "what"], rows)]
    if facts.canaries.unseen:
        names = ", ".join(map(escaped, facts.canaries.unseen[:LISTED]))
        parts += [
            f"Not found by an administrator either, so their questions prove nothing: {names}"
        ]
    return "\n\n".join(parts)


def forbidden_found(
    questions: pl.DataFrame, search: Callable[[str, Caller], set[str]], nobody: Caller
) -> tuple[list[Problem], int]:
    """Golden questions that find a document which they say must not be found.

    Args:
        questions: ``RESOLVED_QUESTIONS``, of every set: a leak is one whatever gates.
        search: a question and who asks it → every document that is found.
        nobody: who asks a question that names no groups.

    Returns:
        what was found, and how many questions were asked.
    """
    found, asked = set(), 0
    named_ones = questions.filter(pl.col("forbidden").list.len() > 0)
    for row in named_ones.iter_rows(named=True):
        asked += 1
        groups = frozenset(row["groups"] or ())
        caller = replace(nobody, groups=groups) if groups else nobody
        who = f"a member of {named(set(groups))}" if groups else "somebody in no group"
        for document in sorted(search(row["question"], caller) & set(row["forbidden"])):
            what = f"was found by {who} with question {row['question_id']} of {row['dataset']}"
            found.add(Problem(document, what))
    return sorted(found), asked


def acl_leak(platform: Platform, candidate: Candidate, questions: pl.DataFrame) -> Gate:
    """Look at every row, ask the canaries and the golden questions, compare with the live release.

    Args:
        platform: settings, tables, database.
        candidate: what is about to be released.
        questions: ``RESOLVED_QUESTIONS``.
    """
    release, authenticated = candidate.release, platform.settings.auth.enabled
    manifest = read_manifest(platform, list(release.partitions))
    rows = read_index_rights(platform, release)
    kept = restricted(manifest, authenticated=authenticated)
    engine = pinned_engine(_unexpanded(platform), release.id)
    reader = open_release(platform, release)
    canaries = make_canaries(sample(kept), reader)
    found, asked = forbidden_found(questions, _search(engine), without_groups(platform))
    wider, note = _wider(platform, candidate.live, manifest)
    facts = RightsFacts(
        rows=rows.height,
        documents=manifest.height,
        restricted=kept.height,
        wrong=wrong_rows(manifest, rows),
        canaries=ask_canaries(engine, canaries, manifest, authenticated=authenticated),
        forbidden=found,
        forbidden_asked=asked,
        wider=wider,
        note=note,
    )
    return judge_rights(facts, platform.settings.gates)


def _unexpanded(platform: Platform) -> Platform:
    """Without an LLM that rewords questions: it changes what is searched, not what may be found."""
    query = platform.settings.query.model_copy(update={"expansion": "none"})
    return Platform(platform.settings.model_copy(update={"query": query}))


def _search(engine: QueryEngine) -> Callable[[str, Caller], set[str]]:
    def search(question: str, caller: Caller) -> set[str]:
        retrieval = engine.retrieve(question, caller, limit=HITS)
        return {*retrieval.candidates.document_id, *(hit.document_id for hit in retrieval.hits)}

    return search


def _wider(
    platform: Platform, live: Release | None, manifest: pl.DataFrame
) -> tuple[list[Problem], str]:
    if live is None:
        return [], ""
    try:
        then = open_release(platform, live).acls()
    except (IndexUnavailable, ConfigurationError) as error:
        return [], f"not compared with the rights of release {live.id}: {error.message}"
    authenticated = platform.settings.auth.enabled
    return widened(then, manifest, authenticated=authenticated), ""
