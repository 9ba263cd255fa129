"""The rules of those who care for releases: forget, maintain, verify, repair what is damaged."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.releases.opening import require_readable
from rag_assets.releases.registry import Registry, Release
from rag_assets.verification.verify import verify
from rag_jobs.forgetting.forget import forget
from rag_jobs.maintain import Maintenance, maintain
from rag_jobs.pending import STAGES, find_pending
from rag_jobs.repair import repair

from .crash import crashing
from .interrupted import Interrupted
from .observe import content_of
from .plant import ON_A_RELEASE, dataset, truncated_table
from .releases import named


class CaredFor(Interrupted):
    """Everything that happens to releases, and what keeps them in order."""

    def known(self) -> set[str]:
        """Documents of which there are traces."""
        contents = [self.model.indexed, *self.model.releases.values()]
        return set(self.model.listed).union(*contents)

    @precondition(lambda self: len(self.model.listed) > 1)
    @rule(data=st.data(), crash_at=st.integers(-30, 60))
    def forget(self, data: st.DataObject, crash_at: int) -> None:
        """About every third time the process is left alone."""
        name = data.draw(st.sampled_from(sorted(self.known())))
        if crash_at >= 0:
            with crashing(self.platform, crash_at):
                forget(self.platform, f"docs/{name}", reason="asked for")
            self.platform = self.configured()
            self.live_is_whole_with_or_without(name)
        request = forget(self.platform, f"docs/{name}", reason="asked for")
        assert request.completed_at is not None, request.receipt
        self.model.forget(name)

    def live_is_whole_with_or_without(self, name: str) -> None:
        live = Registry(self.platform.database).live()
        assert (live.id if live else None) == self.model.live
        if live is None:
            return
        held, expected = content_of(self.platform, live), named(self.model.releases[live.id])
        assert {**held, f"docs/{name}": ""} == {**expected, f"docs/{name}": ""}

    @precondition(lambda self: self.model.forgotten)
    @rule(data=st.data())
    def allow_again(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.forgotten)))
        assert ErasureRequests(self.platform.database).lift(f"docs/{name}")
        self.model.forgotten.remove(name)

    @rule(crash_at=st.integers(-5, 10))
    def maintain(self, crash_at: int) -> None:
        registry = Registry(self.platform.database)
        target, before = registry.before_live(), self.model.readable
        if crash_at >= 0:
            with crashing(self.platform, crash_at):
                maintain(self.platform)
            self.platform = self.configured()
            self.what_is_readable_is_what_the_model_says()
        maintain(self.platform)
        self.what_is_readable_is_what_the_model_says()
        after = registry.before_live()
        assert (after.id if after else None) == (target.id if target else None)
        again: Maintenance = maintain(self.platform)
        assert (again.releases, again.tables, again.index_bytes) == ((), (), 0)
        for release in registry.all():
            if release.id in before and release.readable:
                assert dataset(self.platform, release, release.tag).version

    @precondition(lambda self: self.model.live is not None)
    @rule()
    def verify_finds_nothing(self) -> None:
        assert verify(self.platform, "all").disagreements == ()

    def mends(self, planted: str, *, told: set[str] | None = None) -> None:
        """The verification names what was planted and nothing else, and the repair mends it."""
        found = verify(self.platform, "all")
        kinds = {item.kind for item in found.disagreements}
        assert kinds == (told or {planted}), found.disagreements
        done = repair(self.platform, found)
        assert done.ok, done
        assert verify(self.platform, "all").disagreements == ()

    @precondition(lambda self: self.live_is_the_head())
    @rule(planted=st.sampled_from(sorted(ON_A_RELEASE)))
    def damage_the_live_release(self, planted: str) -> None:
        live = self.live()
        ON_A_RELEASE[planted](self.platform, live)
        self.mends(planted)
        require_readable(self.platform, self.live())

    @precondition(lambda self: find_pending(self.platform).nothing)
    @rule(stage=st.sampled_from(STAGES))
    def truncate_a_table(self, stage: str) -> None:
        truncated_table(self.platform, stage)
        self.mends("unreadable_table")

    def live_is_the_head(self) -> bool:
        live = self.model.live
        return live is not None and self.index_is(live) and bool(self.model.releases[live])

    def live(self) -> Release:
        found = Registry(self.platform.database).live()
        assert found is not None
        return found

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.ingest()
            self.verify_finds_nothing()
        super().teardown()
