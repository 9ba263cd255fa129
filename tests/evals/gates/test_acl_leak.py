"""A wrong ACL in a real index is caught by its rows and by the canaries, and the document is named."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from evals.gates import canaries
from evals.gates.acl_leak import acl_leak
from evals.golden_questions.schema import RESOLVED_QUESTIONS
from rag_assets.encoders import make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AuthSettings, GateSettings
from rag_assets.query.access import Caller
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.candidate import open_candidate, release_candidate
from rag_assets.releases.gates import FurtherGates, Gate
from rag_assets.releases.registry import Candidate, Registry
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.table import IndexTable
from tests.evals.gates.rows import questions
from tests.jobs.harness import build_index
from tests.query.restricted import ACLS, canary, changed, released

NOTHING = RESOLVED_QUESTIONS.to_frame()


def document(name: str) -> str:
    return f"docs/{canary(name)}.md"


def table_of(platform: Platform) -> IndexTable:
    dimensions = make_encoder(platform.settings.encoder, platform.state_path).dimensions
    name = index_table_name(index_fingerprints(platform))
    return IndexTable(platform.lancedb_uri, name, dimensions)


def edit(platform: Platform, name: str, change: Callable[[str], str]) -> None:
    """Change a source document and bring the index in step with it."""
    path = Path(platform.settings.sources["docs"].path) / f"{canary(name)}.md"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    build_index(platform, "edited")


def plant(platform: Platform, name: str, column: str, groups: list[str]) -> None:
    """Write other groups into the rows of a document than its manifest has."""
    where = f"document_id = '{document(name)}'"
    done = table_of(platform)._table.update(where=where, values={column: groups})
    assert done.rows_updated > 0


def judged(platform: Platform, asked: pl.DataFrame = NOTHING) -> Gate:
    return acl_leak(platform, open_candidate(platform, "run"), asked)


def edited(folder: Path, models: Path) -> Platform:
    """A live release, and one edit since that no release has."""
    made = released(folder, models)
    edit(made, "welcome", lambda text: text + "\nOne more line for the policy.\n")
    return made


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """A sound candidate beside the live release; its tests change nothing."""
    return edited(tmp_path_factory.mktemp("sound"), model_cache)


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """A candidate with two documents of wrong rights."""
    made = edited(tmp_path_factory.mktemp("leaky"), model_cache)
    plant(made, "merger", "readers", ["board", "people"])
    for column in ("acl", "readers"):
        plant(made, "salaries", column, ["public"])
    return made


def test_a_sound_candidate_passes(platform: Platform) -> None:
    gate = judged(platform)
    assert gate.passed, gate.explanation
    restricted = [name for name, acl in ACLS.items() if acl and "public" not in acl]
    assert gate.metadata["restricted_documents"] == len(restricted)
    assert gate.metadata["canary_documents"] == len(restricted)
    # nobody, and each of the four groups that is not in the ACL
    groups = {group for acl in ACLS.values() for group in acl} - {"public"}
    questions_asked = sum(1 + len(groups - set(ACLS[name])) for name in restricted)
    assert gate.metadata["canary_questions"] == questions_asked
    assert gate.metadata["canaries_nobody_finds"] == 0
    assert gate.metadata["leaks"] == 0


def test_with_authentication_a_document_without_acl_is_restricted_too(platform: Platform) -> None:
    gate = judged(changed(platform, auth=AuthSettings(enabled=True)))
    assert gate.passed, gate.explanation
    assert gate.metadata["restricted_documents"] == sum(
        "public" not in acl for acl in ACLS.values()
    )


def test_wrong_rights_in_the_index_block_and_the_live_release_goes_on(leaky: Platform) -> None:
    gate = judged(leaky)
    assert gate.blocks
    assert f"{document('merger')} can be read by 'people'" in gate.explanation
    assert f"{document('salaries')} can be read by 'public'" in gate.explanation
    assert gate.metadata["documents_with_wrong_readers"] == 2
    before = Registry(leaky.database).live()
    gates = FurtherGates({"acl_leak": ""}, (), lambda platform, candidate: [gate])
    promotion = release_candidate(leaky, "run", gates)
    assert not promotion.promoted
    assert document("merger") in promotion.release.reason
    assert Registry(leaky.database).live() == before


def test_a_wrong_acl_reaches_the_canaries_by_every_way_and_no_text_is_told(leaky: Platform) -> None:
    gate = judged(leaky)
    for way in ("a candidate", "a hit", "a document", "a passage", "a citation"):
        assert f"| {document('merger')} | reached a member of 'people' as {way} |" in gate.report
    assert gate.metadata["canary_leaks"] == 5
    # both columns say the same there: the engine lays the present rights over it, no question shows it
    assert f"{document('salaries')} | reached" not in gate.report
    assert "policy" not in gate.explanation + gate.report


def test_golden_questions_that_find_what_they_forbid_block(platform: Platform) -> None:
    asked = questions("golden", 1, forbidden=[document("merger")]).with_columns(
        question=pl.lit(f"policy {canary('merger')}")
    )
    assert judged(platform, asked).passed
    gate = judged(platform, asked.with_columns(groups=pl.lit(["board"])))
    assert gate.blocks
    assert f"{document('merger')} was found by a member of 'board'" in gate.explanation
    assert gate.metadata["forbidden_found"] == 1


def test_wider_access_is_named_against_the_live_release(tmp_path: Path, model_cache: Path) -> None:
    platform = released(tmp_path, model_cache)
    edit(platform, "merger", lambda text: text.replace("['board']", "['board', 'people']"))
    gate = judged(platform)
    assert gate.verdict == "warned"
    assert f"{document('merger')} can now be read by 'people'" in gate.explanation
    blocking = changed(platform, gates=GateSettings(wider_access="block"))
    assert judged(blocking).blocks
    assert judged(changed(platform, gates=GateSettings(wider_access="allow"))).passed


def test_a_first_release_has_nothing_to_widen(platform: Platform) -> None:
    candidate = open_candidate(platform, "run")
    gate = acl_leak(platform, Candidate(candidate.release, None), NOTHING)
    assert gate.passed
    assert gate.metadata["documents_read_by_more"] == 0


def test_a_canary_that_nobody_can_find_is_said_to_prove_nothing(platform: Platform) -> None:
    candidate = open_candidate(platform, "run")
    engine = pinned_engine(platform, candidate.release.id)
    lost = canaries.Canary("docs/not-there.md", ("board",), "policy of nothing")
    manifest = pl.DataFrame(schema={"document_id": pl.String, "acl": pl.List(pl.String)})
    result = canaries.ask_canaries(engine, [lost], manifest, authenticated=False)
    assert result.unseen == ["docs/not-there.md"]
    # a manifest that knows nothing allows nothing
    assert result.leaks
    assert canaries.leaked(engine, "policy", Caller(frozenset({"board"})), manifest)
