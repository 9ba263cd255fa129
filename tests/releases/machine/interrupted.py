"""The rules of processes that die: what is live is as before or as after, and the next try ends well."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from rag_assets.releases.history import History
from rag_assets.releases.operations import roll_back
from rag_assets.releases.registry import Registry

from .crash import crashing
from .model import Model
from .observe import content_of
from .releases import Releases, ingest, named


class Interrupted(Releases):
    """Everything that happens to releases, and crashes."""

    @rule(crash_at=st.integers(0, 40))
    def ingest_dies(self, crash_at: int) -> None:
        with crashing(self.platform, crash_at):
            ingest(self.platform)
        self.platform = self.configured()
        self.what_is_live_is_as_before_or_as_after()
        self.ingest()

    @rule(crash_at=st.integers(0, 3))
    def rollback_dies(self, crash_at: int) -> None:
        target, live = self.model.rollback_target(), self.model.live
        if target is None:
            return
        with crashing(self.platform, crash_at) as writes:
            roll_back(self.platform)
        self.platform = self.configured()
        found = Registry(self.platform.database).live()
        assert found is not None
        assert found.id == (live if writes.crashed else target)
        assert (History(self.platform.database).hold() is not None) == (
            self.model.held or not writes.crashed
        )
        if not writes.crashed:
            self.now_live(target)
            self.model.held = True

    def what_is_live_is_as_before_or_as_after(self) -> None:
        """Between the crash and the next try: readers have something whole."""
        model = self.model
        live = Registry(self.platform.database).live()
        assert live is not None or model.live is None
        if live is None:
            return
        if live.id in model.releases:
            assert live.id == model.live
            assert content_of(self.platform, live) == named(model.releases[live.id])
        else:
            after = Model(files=model.files, indexed=model.indexed, forgotten=model.forgotten)
            after.index()
            assert content_of(self.platform, live) == named(after.indexed)
