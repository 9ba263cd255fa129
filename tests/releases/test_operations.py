"""What a person may do to releases: promote, roll back, hold back; on SQLite and on PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rag_assets.platform.errors import IndexUnavailable, NoRelease, ReleaseConflict
from rag_assets.platform.platform import Platform
from rag_assets.releases.candidate import Promotion, open_candidate, release_candidate
from rag_assets.releases.gates import FurtherGates, Gate
from rag_assets.releases.history import History
from rag_assets.releases.operations import (
    hold_promotions,
    promote_release,
    resume_promotions,
    roll_back,
)
from rag_assets.releases.registry import Registry, Release
from rag_jobs.pending import find_pending
from tests.conftest import Deploy
from tests.jobs.harness import build_index, run_stages, served
from tests.platform.databases import fresh_database

SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
[parsing]
workers = 1
"""
Edit = Callable[[str, str], None]


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(
    request: pytest.FixtureRequest, deploy: Deploy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Platform:
    """A deployment whose release 1 has the lighthouse."""
    deploy(SETTINGS)
    if request.param == "postgresql":
        monkeypatch.setenv("RAG_DATABASE_URL", fresh_database(request, tmp_path))
    found = Platform.load()
    write("lighthouse", "The lighthouse was built in 1871.")
    run_stages(found)
    return found


def write(name: str, text: str) -> None:
    Path(f"documents/{name}.md").write_text(text)


def edited(platform: Platform, name: str, *gates: Gate) -> Release:
    """Add a document and let the candidate be judged, with further gates where they are given."""
    write(name, f"The {name} is described here, in a sentence of its own.")
    build_index(platform)
    return judged(platform, *gates).release


def judged(platform: Platform, *gates: Gate) -> Promotion:
    further = FurtherGates({gate.name: gate.name for gate in gates}, (), lambda *_: list(gates))
    return release_candidate(platform, "run", further)


def failed(name: str) -> Gate:
    return Gate(name, False, f"{name} got worse")


def statuses(platform: Platform) -> dict[int, str]:
    return {item.id: item.status for item in Registry(platform.database).all()}


def documents(platform: Platform) -> list[str]:
    return served(platform)["document_id"].unique().sort().to_list()


def events(platform: Platform) -> list[tuple[str, int | None]]:
    return [(item.event, item.release_id) for item in History(platform.database).events()]


def hold_reason(platform: Platform) -> str:
    hold = History(platform.database).hold()
    return hold.reason if hold else ""


def test_a_rollback_serves_the_earlier_release_and_holds_promotions_back(
    platform: Platform,
) -> None:
    second = edited(platform, "ferry")
    assert documents(platform) == ["docs/ferry.md", "docs/lighthouse.md"]

    back = roll_back(platform, actor="ada", reason="the ferry is wrong")

    assert (back.id, back.status, statuses(platform)[second.id]) == (1, "live", "retired")
    assert documents(platform) == ["docs/lighthouse.md"]
    assert hold_reason(platform) == "rolled back from release 2 to release 1: the ferry is wrong"
    (event,) = [
        item for item in History(platform.database).events() if item.actor and item.release_id
    ]
    assert (event.event, event.release_id, event.actor) == ("rolled_back", 1, "ada")
    assert event.details == {"rolled_back_from": 2}


def test_after_a_rollback_nothing_is_judged_again_until_promotions_go_on(
    platform: Platform,
) -> None:
    edited(platform, "ferry")
    roll_back(platform)
    pending = find_pending(platform)
    assert pending.nothing
    assert "the present index is release 2; promotions are held back" in pending.release_reason

    assert resume_promotions(platform)

    assert find_pending(platform).release_due
    assert judged_by_ingest(platform).promoted
    assert documents(platform) == ["docs/ferry.md", "docs/lighthouse.md"]
    assert find_pending(platform).nothing
    assert not resume_promotions(platform)


def test_what_is_new_after_a_rollback_is_judged_once_and_waits(platform: Platform) -> None:
    edited(platform, "ferry")
    roll_back(platform)
    write("tide", "High tide comes at noon.")
    build_index(platform)
    assert find_pending(platform).release_due

    waiting = judged_by_ingest(platform)

    assert waiting.waiting
    assert "promotions are held back: rolled back" in waiting.release.reason
    assert statuses(platform) == {1: "live", 2: "retired", 3: "candidate"}
    pending = find_pending(platform)
    assert pending.nothing
    assert "the present index is release 3" in pending.release_reason
    assert resume_promotions(platform)
    assert find_pending(platform).release_due
    assert judged_by_ingest(platform).release.id == 3
    assert statuses(platform) == {1: "retired", 2: "retired", 3: "live"}


def judged_by_ingest(platform: Platform) -> Promotion:
    """As ``ragline ingest`` judges: with the gates of evaluations."""
    from evals.gates.gates import evaluation_gates

    gates = evaluation_gates(platform.settings)
    alone = FurtherGates(gates.descriptions, (), lambda *_: [], gates.fingerprint)
    return release_candidate(platform, "run", alone)


def test_promoting_the_present_state_lets_promotions_go_on(platform: Platform) -> None:
    hold_promotions(platform, reason="the fair is on")
    waiting = edited(platform, "ferry")
    assert (waiting.status, waiting.judged_with != "") == ("candidate", True)
    assert documents(platform) == ["docs/lighthouse.md"]

    promoted = promote_release(platform, waiting.id, actor="ada", reason="the fair is over")

    assert promoted.status == "live"
    assert hold_reason(platform) == ""
    assert events(platform)[-2:] == [("promoted", 2), ("resumed", None)]
    assert edited(platform, "tide").status == "live"


def test_promoting_an_older_state_holds_promotions_back(platform: Platform) -> None:
    edited(platform, "ferry")
    promote_release(platform, 1, reason="the ferry is wrong")
    assert "the index holds something newer: the ferry is wrong" in hold_reason(platform)
    assert edited(platform, "tide").status == "candidate"
    assert documents(platform) == ["docs/lighthouse.md"]


def test_one_that_waits_is_superseded_by_a_newer_one_and_can_still_be_promoted(
    platform: Platform,
) -> None:
    hold_promotions(platform)
    older, newer = edited(platform, "ferry"), edited(platform, "tide")
    assert statuses(platform) == {1: "live", older.id: "rejected", newer.id: "candidate"}
    assert promote_release(platform, older.id).status == "live"
    assert documents(platform) == ["docs/ferry.md", "docs/lighthouse.md"]
    assert hold_reason(platform) != ""


def test_a_rollback_goes_back_in_time_and_never_to_what_was_rolled_back_from(
    platform: Platform,
) -> None:
    edited(platform, "ferry")
    edited(platform, "tide")
    assert roll_back(platform).id == 2
    assert roll_back(platform).id == 1
    with pytest.raises(NoRelease, match="no earlier release"):
        roll_back(platform)
    assert roll_back(platform, 3).id == 3
    assert roll_back(platform).id in (1, 2)


def test_a_verdict_on_quality_can_be_accepted_with_a_reason(platform: Platform) -> None:
    rejected = edited(platform, "ferry", failed("retrieval_quality"), failed("replay"))
    assert rejected.status == "rejected"
    with pytest.raises(ReleaseConflict) as refused:
        promote_release(platform, rejected.id)
    assert "retrieval_quality: retrieval_quality got worse; replay: replay got" in str(
        refused.value
    )
    assert "--accept retrieval_quality --accept replay and --reason" in str(refused.value)
    with pytest.raises(ReleaseConflict, match="--accept replay and"):
        promote_release(platform, rejected.id, accept=("retrieval_quality",), reason="known")
    both = ("retrieval_quality", "replay")
    with pytest.raises(ReleaseConflict, match="needs a reason"):
        promote_release(platform, rejected.id, accept=both)

    promoted = promote_release(platform, rejected.id, accept=both, reason="known", actor="ada")

    assert (promoted.status, promoted.reason) == ("live", "known")
    last = History(platform.database).events(rejected.id)[-1]
    assert (last.event, last.actor, last.details) == (
        "promoted",
        "ada",
        {"accepted": ["replay", "retrieval_quality"]},
    )
    # what was accepted once need not be accepted again
    roll_back(platform)
    assert promote_release(platform, rejected.id).status == "live"


@pytest.mark.parametrize("gate", ["conservation", "index_integrity", "access"])
def test_what_is_broken_or_not_to_be_read_cannot_be_accepted(platform: Platform, gate: str) -> None:
    rejected = edited(platform, "ferry", failed(gate))
    with pytest.raises(ReleaseConflict, match=f"{gate} got worse") as refused:
        promote_release(platform, rejected.id, accept=(gate,), reason="please")
    assert "mended, not accepted" in refused.value.hint
    assert statuses(platform) == {1: "live", 2: "rejected"}


def test_what_cannot_be_promoted_says_why(platform: Platform) -> None:
    with pytest.raises(NoRelease, match="no release 9"):
        promote_release(platform, 9)
    with pytest.raises(ReleaseConflict, match="Release 1 is live already"):
        promote_release(platform, 1)
    write("ferry", "The ferry leaves at dawn.")
    build_index(platform)
    open_candidate(platform, "run")
    with pytest.raises(ReleaseConflict, match="gates have not spoken on release 2"):
        promote_release(platform, 2)
    assert statuses(platform) == {1: "live", 2: "candidate"}


def test_what_cannot_be_rolled_back_to_says_why(platform: Platform) -> None:
    with pytest.raises(NoRelease, match="no earlier release"):
        roll_back(platform)
    with pytest.raises(NoRelease, match="no release 9"):
        roll_back(platform, 9)
    rejected = edited(platform, "ferry", failed("replay"))
    with pytest.raises(ReleaseConflict, match=f"Release {rejected.id} was never live"):
        roll_back(platform, rejected.id)
    with pytest.raises(ReleaseConflict, match="Release 1 is live already"):
        roll_back(platform, 1)
    assert hold_reason(platform) == ""


def test_a_removed_release_is_refused(platform: Platform) -> None:
    edited(platform, "ferry")
    assert Registry(platform.database).mark_removed(1, "old")
    for attempt in (promote_release, roll_back):
        with pytest.raises(ReleaseConflict, match="Release 1 has been removed"):
            attempt(platform, 1)
    with pytest.raises(NoRelease, match="no earlier release"):
        roll_back(platform)
    assert statuses(platform) == {1: "retired", 2: "live"}


def test_a_release_whose_rows_are_gone_is_refused(platform: Platform) -> None:
    live = edited(platform, "ferry")
    registry = Registry(platform.database)
    registry.amend(1, "repaired", reason="a mistake", lance_version=live.lance_version)
    with pytest.raises(IndexUnavailable, match="Release 1 has 2 rows instead of 1"):
        roll_back(platform)
    registry.amend(1, "repaired", reason="a mistake", lance_version=live.lance_version + 99)
    with pytest.raises(IndexUnavailable, match="cannot be opened"):
        roll_back(platform)
    assert (statuses(platform), hold_reason(platform)) == ({1: "retired", 2: "live"}, "")


def test_rejected_content_is_judged_again_only_when_the_judges_have_changed(
    platform: Platform,
) -> None:
    write("ferry", "The ferry leaves at dawn.")
    Path("documents/broken.docx").write_bytes(b"PK\x03\x04 this is not an archive")
    strict = changed(platform, "max_quarantine_share", 0.2)
    build_index(strict)
    assert find_pending(strict).release_due
    promotion = judged_by_ingest(strict)
    assert promotion.release.status == "rejected"
    assert "quarantine_share: 1 of 3" in promotion.release.reason

    pending = find_pending(strict)
    assert (pending.nothing, "was rejected as release 2" in pending.release_reason) == (True, True)
    assert find_pending(changed(platform, "retrieval_margin", 0.1)).release_due
    lenient = changed(platform, "max_quarantine_share", 0.9)
    assert find_pending(lenient).release_due
    assert judged_by_ingest(lenient).promoted
    assert find_pending(lenient).nothing


def test_rejected_content_is_judged_again_with_other_questions(platform: Platform) -> None:
    questions = Path("questions.jsonl")
    questions.write_text(
        '{"question": "When was it built?", "documents": ["docs/lighthouse.md"]}\n'
    )
    settings = Path("ragline.toml")
    settings.write_text(
        settings.read_text() + '[evaluation.sets.golden]\npath = "questions.jsonl"\n'
        "[gates]\nmax_quarantine_share = 0.2\n"
    )
    asked = Platform.load()
    write("ferry", "The ferry leaves at dawn.")
    Path("documents/broken.docx").write_bytes(b"PK\x03\x04 this is not an archive")
    build_index(asked)
    assert judged_by_ingest(asked).release.status == "rejected"
    assert find_pending(asked).nothing
    questions.write_text('{"question": "Who built it?", "documents": ["docs/lighthouse.md"]}\n')
    assert find_pending(asked).release_due


def changed(platform: Platform, margin: str, value: float) -> Platform:
    """The same deployment with another margin of a gate."""
    gates = platform.settings.gates.model_copy(update={margin: value})
    return Platform(platform.settings.model_copy(update={"gates": gates}))
