"""Whatever happens to releases, in any order: what is live is readable, complete and as it should be."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from rag_assets.releases import retention
from tests.releases.machine.care import CaredFor

# more of both for a hunt of hours
STEPS = int(os.environ.get("RAGLINE_MACHINE_STEPS", "15"))
EXAMPLES = int(os.environ.get("RAGLINE_MACHINE_EXAMPLES", "4"))


class Chosen:
    """Stands for drawn data: what is chosen is written here."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def draw(self, _strategy: object) -> Any:
        return self._value


def test_a_history_with_everything_in_it(
    model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random histories leave rules out; this one has each, so that none is asleep."""
    monkeypatch.setattr(retention, "LEAST_GRACE_SECONDS", 0.0)
    machine = CaredFor()
    machine.model_cache = model_cache
    machine.deploy()
    try:
        machine.edit("b.md", ["ferry tide."])
        machine.ingest()
        machine.edit("a.md", ["boiler."])
        machine.ingest_dies(crash_at=9)
        machine.roll_back()
        machine.the_past_is_what_the_model_remembers()
        machine.edit("d.docx", ["lamp."])
        machine.delete(Chosen("b.md"))
        machine.ingest()
        machine.promote(Chosen(max(machine.model.releases)), accepted=False)
        machine.the_past_is_what_the_model_remembers()
        for planted in ("missing_tag", "edited_rows", "wrong_vectors", "lost_fragment"):
            machine.damage_the_live_release(planted)
        machine.truncate_a_table("chunks")
        machine.what_is_readable_is_what_the_model_says()
        machine.forget(Chosen("d.docx"), crash_at=7)
        machine.configure(60)
        machine.resume()
        machine.ingest()
        machine.rollback_dies(crash_at=0)
        machine.time_passes(40)
        machine.maintain(crash_at=2)
        machine.the_past_is_what_the_model_remembers()
    finally:
        machine.teardown()


def test_releases_stay_what_they_are_whatever_happens(
    model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # no reader of another process is to be waited for
    monkeypatch.setattr(retention, "LEAST_GRACE_SECONDS", 0.0)

    class Machine(CaredFor):
        pass

    Machine.model_cache = model_cache
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # every step is a whole ingest: a failing history is shown as found, not shrunk for hours
            phases=[Phase.generate],
        ),
    )
