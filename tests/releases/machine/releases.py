"""The rules of releases, against a real deployment: edits, ingests, promotions, rollbacks, crashes."""

import os
import shutil
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from evals.gates.gates import evaluation_gates
from rag_assets.platform.errors import NoRelease, ReleaseConflict
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_assets.releases.candidate import release_candidate
from rag_assets.releases.gates import FurtherGates
from rag_assets.releases.history import WENT_LIVE, History
from rag_assets.releases.operations import (
    hold_promotions,
    promote_release,
    resume_promotions,
    roll_back,
)
from rag_assets.releases.registry import Registry
from rag_jobs.pending import find_pending
from tests.jobs.harness import build_index, docx

from .model import Model
from .observe import content_of, let_time_pass, words

TEXTS = ["a.md", "b.md", "c.md"]
NAMES = [*TEXTS, "d.docx"]
WORDS = st.sampled_from(["boiler", "ferry", "harbour", "lamp", "tide", "Übung"])
PARAGRAPHS = st.lists(
    st.lists(WORDS, min_size=1, max_size=14).map(lambda found: " ".join(found) + "."),
    min_size=1,
    max_size=3,
)
CORRUPT = b"PK\x03\x04 this is not an archive"
LIMIT = 0.3
SETTINGS = f"""
[sources.docs]
path = "documents"
acl = ["public"]
[parsing]
workers = 1
[gates]
max_quarantine_share = {LIMIT}
[releases]
keep_days = 30
keep_last = 1
[query]
refresh_seconds = 0
"""


class Releases(RuleBasedStateMachine):
    """Edits, ingests, configures, promotes, rolls back, holds, crashes; compares with the model."""

    model_cache: Path

    @initialize()
    def deploy(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="releases-"))
        self.before = Path.cwd()
        os.chdir(self.folder)
        Path("ragline.toml").write_text(SETTINGS)
        Path("documents").mkdir()
        Path(".ragline").mkdir()
        Path(".ragline/models").symlink_to(self.model_cache, target_is_directory=True)
        self.model = Model()
        self.platform = self.configured()
        self.edit("a.md", ["harbour lamp."])
        self.ingest()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self.ingest()
            self.what_is_readable_is_what_the_model_says()
        finally:
            os.chdir(self.before)
            shutil.rmtree(self.folder)

    def configured(self) -> Platform:
        os.environ["RAG_CHUNKING__MAX_TOKENS"] = str(self.model.configured)
        try:
            return Platform(load_settings())
        finally:
            del os.environ["RAG_CHUNKING__MAX_TOKENS"]

    # what happens to documents

    @rule(name=st.sampled_from(NAMES), paragraphs=PARAGRAPHS)
    def edit(self, name: str, paragraphs: list[str]) -> None:
        """Every text begins with a word of its own, which no other text has."""
        own = f"word{zlib.crc32(repr((name, paragraphs)).encode())}"
        paragraphs = [f"{own} {name.replace('.', '')}", *paragraphs]
        data = docx(paragraphs) if name.endswith("docx") else "\n\n".join(paragraphs).encode()
        Path("documents", name).write_bytes(data)
        self.model.files[name] = words(" ".join(paragraphs))

    @precondition(lambda self: len(self.model.files) > 1)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.files)))
        Path("documents", name).unlink()
        del self.model.files[name]

    @rule()
    def corrupt(self) -> None:
        Path("documents/d.docx").write_bytes(CORRUPT)
        self.model.files["d.docx"] = None

    @rule(max_tokens=st.sampled_from([30, 40, 60]))
    def configure(self, max_tokens: int) -> None:
        self.model.configured = max_tokens
        self.platform = self.configured()

    # what people and schedules do

    @rule()
    def ingest(self) -> None:
        ingest(self.platform)
        self.model.index()
        self.expect_release()

    @rule()
    def ingest_once_more(self) -> None:
        """More likely than other steps, so that edits fall between ingests."""
        self.ingest()

    def expect_release(self) -> None:
        """What an ingest must have made of the index as it is now."""
        model = self.model
        live, known = model.live, set(model.releases)
        made = [item for item in Registry(self.platform.database).all() if item.id not in known]
        for item in made:
            model.releases[item.id] = dict(model.indexed)
            model.made_with[item.id] = model.indexed_with
        if live is not None and model.is_present(live):
            assert not made, "released what is live already"
            return
        refused = model.too_many_unreadable(LIMIT)
        newest = Registry(self.platform.database).live()
        if refused or model.held:
            assert newest is None or newest.id == live
            present = [item for item in model.readable if model.is_present(item)]
            assert present, "the present index was never judged"
            model.rejected |= {item.id for item in made if item.failed_gates}
            return
        assert newest is not None
        assert model.is_present(newest.id), "the present index is not what is live"
        self.now_live(newest.id)

    def now_live(self, release: int) -> None:
        self.model.went_live.append(release)
        self.model.rejected.discard(release)
        self.model.moments.append((datetime.now(UTC), release))

    @precondition(lambda self: self.model.releases)
    @rule(data=st.data(), accepted=st.booleans())
    def promote(self, data: st.DataObject, accepted: bool) -> None:
        release = data.draw(st.sampled_from(sorted(self.model.releases)))
        accept = ("quarantine_share",) if accepted else ()
        model = self.model
        refused = (
            release in model.removed
            or release == model.live
            or (release in model.rejected and not accepted)
        )
        if refused:
            with pytest.raises(ReleaseConflict):
                promote_release(self.platform, release, accept=accept, reason="wanted")
            return
        promote_release(self.platform, release, accept=accept, reason="wanted")
        self.now_live(release)
        model.held = not self.index_is(release)

    def index_is(self, release: int) -> bool:
        """Whether the tables, as they are configured now, are what a release holds."""
        model = self.model
        return model.is_present(release) and model.configured == model.indexed_with

    @rule()
    def roll_back(self) -> None:
        target = self.model.rollback_target()
        if target is None:
            with pytest.raises(NoRelease):
                roll_back(self.platform)
            return
        assert roll_back(self.platform).id == target
        self.now_live(target)
        self.model.held = True

    @rule()
    def hold(self) -> None:
        hold_promotions(self.platform)
        self.model.held = True

    @rule()
    def resume(self) -> None:
        assert resume_promotions(self.platform) == self.model.held
        self.model.held = False

    @rule(days=st.sampled_from([1, 20, 40]))
    def time_passes(self, days: int) -> None:
        let_time_pass(self.platform, days)
        self.model.let_pass(days)

    # what must hold at every step

    @invariant()
    def what_is_readable_is_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        found = {item.id: item for item in Registry(self.platform.database).all()}
        # candidates that a crash kept from being judged are given up, and say so
        removed = {number for number, item in found.items() if not item.readable}
        self.model.removed |= removed
        assert self.model.live not in removed
        assert [number for number, item in found.items() if item.status == "live"] == [
            self.model.live
        ]
        assert set(found) == set(self.model.releases)
        for number in self.model.readable:
            held = content_of(self.platform, found[number])
            assert held == named(self.model.releases[number]), f"release {number}"

    @invariant()
    def the_past_is_what_the_model_remembers(self) -> None:
        if not hasattr(self, "model"):
            return
        history = History(self.platform.database)
        events = [item.release_id for item in history.events() if item.event in WENT_LIVE]
        assert events == self.model.went_live
        for moment, live in self.model.moments:
            assert history.live_at(moment) == live
        assert (history.hold() is not None) == self.model.held


def named(content: dict[str, str]) -> dict[str, str]:
    return {f"docs/{name}": text for name, text in content.items()}


def ingest(platform: Platform) -> None:
    """What ``ragline ingest`` does, with the gates that need no questions."""
    gates = evaluation_gates(platform.settings)
    further = FurtherGates(gates.descriptions, (), lambda *_: [], gates.fingerprint)
    build_index(platform)
    if find_pending(platform).release_due:
        release_candidate(platform, "run", further)
