"""Judging as a whole, against the scripted judge: statuses, cost, limits, the cache."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from evals.judges import attempts
from evals.judges.base import Judgement, Sample, Score
from evals.judges.client import JudgeClient
from evals.judges.coverage import summarize
from evals.judges.judgements import judgement_documents, judgements
from evals.judges.judging import judge_samples
from evals.judges.registry import NAMES
from evals.judges.schema import JUDGEMENTS
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from tests.evals.judges.conftest import SAMPLE, MakePlatform
from tests.evals.judges.judge_server import (
    COMPLETION_TOKENS,
    MODEL,
    PROMPT_TOKENS,
    Fault,
    JudgeServer,
)

PRICES = {"cost": {"prices": {MODEL: {"prompt": 2.0, "completion": 10.0}}}}
PER_CALL = (PROMPT_TOKENS * 2 + COMPLETION_TOKENS * 10) / 1_000_000
ONE = ["deepeval.hallucination"]  # two calls: verdicts, and a reason
ROOT = Path(__file__).parents[3]
KILLED = """
import sys
from evals.judges.judging import judge_samples
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from tests.evals.judges.test_judging import ONE, samples

judge = {"base_url": sys.argv[2], "metrics": ONE, "concurrency": 2}
judge_samples(Platform(Settings(home=sys.argv[1], judge=judge)), samples(40))
"""


def samples(count: int) -> list[Sample]:
    """Samples of different content, one document each."""
    return [
        replace(SAMPLE, sample_id=f"q{n}", question=f"Question {n}?", documents=(f"d{n}",))
        for n in range(count)
    ]


def statuses(found: pl.DataFrame) -> dict[str, int]:
    return dict(Counter(found["status"]))


class TestARun:
    def test_has_a_row_for_every_sample_and_metric(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        platform = make_platform(PRICES)
        told: list[tuple[str, int, int]] = []

        found = judge_samples(platform, samples(2), progress=lambda *said: told.append(said))

        assert found.schema == JUDGEMENTS
        wanted = [(f"q{n}", name) for n in range(2) for name in NAMES]
        assert found.select("sample_id", "metric").rows() == wanted
        assert statuses(found) == {"ok": len(wanted)}
        assert told == [("judging", n + 1, len(wanted)) for n in range(len(wanted))]
        assert found["calls"].sum() == len(judge.requests)
        assert found["cost_usd"].sum() == pytest.approx(len(judge.requests) * PER_CALL)
        assert found["judge"].unique().to_list() == [f"{MODEL}@127.0.0.1:{judge.port}/v1"]

    def test_without_a_judge_is_empty(self, make_platform: MakePlatform) -> None:
        found = judge_samples(make_platform(base_url=""), samples(2))

        assert found.schema == JUDGEMENTS
        assert found.is_empty()

    def test_within_a_running_event_loop(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        platform = make_platform(metrics=ONE)

        async def called_from_a_loop() -> pl.DataFrame:
            return judge_samples(platform, samples(2))

        assert statuses(asyncio.run(called_from_a_loop())) == {"ok": 2}

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_judges_no_more_at_once_than_it_may(
        self, judge: JudgeServer, make_platform: MakePlatform, concurrency: int
    ) -> None:
        judge.faults = lambda name, prompt: Fault(seconds=0.05, text=None)
        platform = make_platform(metrics=ONE, concurrency=concurrency)

        judge_samples(platform, samples(6))

        assert judge.most_at_once == concurrency

    def test_of_gpus_costs_their_time(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        gpus = {"cost": {"gpu_hour_usd": 3.6, "gpu_tokens_per_second": 1000}}

        found = judge_samples(make_platform(gpus, metrics=ONE), samples(1))

        # 220 tokens at 1,000 a second and 0.001 USD a second
        assert found["cost_usd"].item() == pytest.approx(0.00022)

    @pytest.mark.parametrize(
        ("changes", "metric", "reason"),
        [
            ({"answer": " "}, "ragas.faithfulness", "answer"),
            ({"contexts": ()}, "deepeval.faithfulness", "contexts"),
            ({"contexts": ("", " ")}, "deepeval.faithfulness", "contexts"),
            ({"reference": None}, "ragas.context_recall", "reference"),
            ({"reference": ""}, "deepeval.contextual_precision", "reference"),
            ({"question": ""}, "ragas.answer_relevancy", "question"),
        ],
    )
    def test_of_what_does_not_apply_asks_nobody(
        self,
        judge: JudgeServer,
        make_platform: MakePlatform,
        changes: dict[str, Any],
        metric: str,
        reason: str,
    ) -> None:
        found = judge_samples(make_platform(metrics=[metric]), [replace(SAMPLE, **changes)])

        [row] = found.rows(named=True)
        assert (row["status"], row["score"]) == ("not_applicable", None)
        assert reason in row["reason"]
        assert judge.requests == []


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "status", "calls"),
        [
            (Fault(status=500), "error", 2),
            (Fault(status=429, headers={"Retry-After": "0"}), "error", 2),
            (Fault(status=400), "error", 1),
            (Fault(status=401), "error", 1),
            (Fault(raw="<html>"), "error", 1),
            (Fault(raw="{}"), "error", 1),
            (Fault(text="perhaps"), "invalid", 1),
            (Fault(text='{"verdicts": []}'), "invalid", 2),
            (Fault(text='{"verdicts": [{"verdict": NaN, "reason": ""}]}'), "invalid", 1),
            (Fault(finish="length"), "invalid", 1),
        ],
        ids=str,
    )
    def test_have_a_status_and_a_reason_and_are_tried_again_where_they_may_pass(
        self,
        judge: JudgeServer,
        make_platform: MakePlatform,
        fault: Fault,
        status: str,
        calls: int,
    ) -> None:
        reason = Fault(text='{"reason": "so"}')
        judge.faults = lambda name, _: reason if "Reason" in name else fault
        platform = make_platform(PRICES, metrics=ONE, retries=1)

        [row] = judge_samples(platform, [SAMPLE]).rows(named=True)

        assert (row["status"], row["score"], row["cached"]) == (status, None, False)
        assert row["reason"]
        assert row["calls"] == len(judge.requests) == calls

    def test_of_use_or_not_replies_were_paid_for(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        judge.faults = lambda name, prompt: Fault(text="perhaps")

        [row] = judge_samples(make_platform(PRICES, metrics=ONE), [SAMPLE]).rows(named=True)

        assert row["status"] == "invalid"
        assert row["cost_usd"] == pytest.approx(PER_CALL)

    def test_by_time_are_timeouts(self, judge: JudgeServer, make_platform: MakePlatform) -> None:
        judge.faults = lambda name, prompt: Fault(seconds=60)

        found = judge_samples(
            make_platform(metrics=["ragas.faithfulness", *ONE], timeout_seconds=0.2), [SAMPLE]
        )

        assert statuses(found) == {"timeout": 2}
        assert found["score"].null_count() == 2

    def test_that_pass_leave_a_judgement(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        failures = iter([Fault(status=503), None, None])
        judge.faults = lambda name, prompt: next(failures)

        [row] = judge_samples(make_platform(metrics=ONE), [SAMPLE]).rows(named=True)

        assert (row["status"], row["calls"]) == ("ok", 3)

    def test_of_a_library_are_errors(
        self, judge: JudgeServer, make_platform: MakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from deepeval.metrics import HallucinationMetric

        monkeypatch.setattr(HallucinationMetric, "_calculate_score", lambda self: 1 / 0)
        rows = judge_samples(make_platform(metrics=["deepeval.hal*"]), samples(2)).rows(named=True)

        assert [row["status"] for row in rows] == ["error", "error"]
        assert "ZeroDivisionError" in rows[0]["reason"]

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, -0.5, None, "1"])
    def test_of_a_librarys_arithmetic_are_invalid(
        self,
        judge: JudgeServer,
        make_platform: MakePlatform,
        monkeypatch: pytest.MonkeyPatch,
        value: Any,
    ) -> None:
        from ragas.metrics.collections import ContextRecall
        from ragas.metrics.result import MetricResult

        ascore = ContextRecall.ascore

        async def wrong(self: Any, **arguments: Any) -> Any:
            await ascore(self, **arguments)
            return MetricResult(value=value)

        monkeypatch.setattr(ContextRecall, "ascore", wrong)
        [row] = judge_samples(make_platform(metrics=["ragas.context_recall"]), [SAMPLE]).rows(
            named=True
        )

        assert (row["status"], row["score"]) == ("invalid", None)

    def test_in_a_row_end_the_attempts(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        judge.faults = lambda name, prompt: Fault(status=503)
        platform = make_platform(metrics=ONE, retries=0, concurrency=1)

        found = judge_samples(platform, samples(30))

        assert statuses(found) == {"error": 30}
        assert len(judge.requests) == attempts.FEWEST_FAILURES
        assert found.filter(pl.col("reason").str.starts_with("Not tried")).height == 20

    def test_of_the_whole_server_are_noted_on_every_judgement(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        judge.models_status = 500

        found = judge_samples(make_platform(metrics=ONE), samples(3))

        assert statuses(found) == {"error": 3}
        assert judge.requests == []

    def test_of_an_address_where_nobody_listens(self, make_platform: MakePlatform) -> None:
        platform = make_platform(base_url="http://127.0.0.1:9/v1", model="m", metrics=ONE)

        [row] = judge_samples(platform, [SAMPLE]).rows(named=True)

        assert row["status"] == "error"
        assert "cannot be reached" in row["reason"]

    def test_of_the_settings_are_told(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        judge.models = ["one", "two"]

        with pytest.raises(ConfigurationError, match="one, two"):
            judge_samples(make_platform(metrics=ONE), [SAMPLE])

    def test_do_not_leave_calls_behind(self, judge: JudgeServer) -> None:
        limits = Settings(judge={"base_url": judge.url, "model": MODEL})  # type: ignore[arg-type]
        client = JudgeClient(limits.judge)
        metric = FailsWhileItAsks(client)
        judge.faults = lambda name, prompt: Fault(seconds=60)

        async def judged() -> tuple[Judgement, bool]:
            judgement = await attempts.Attempts(limits, client).judge(SAMPLE, metric, "key")
            try:
                return judgement, metric.left.cancelled()
            finally:
                await client.close()

        judgement, stopped = asyncio.run(judged())

        assert (judgement.status, judgement.calls) == ("error", 1)
        assert stopped


class TestTheCache:
    def test_nothing_is_judged_twice(self, judge: JudgeServer, make_platform: MakePlatform) -> None:
        platform = make_platform(PRICES)
        first = judge_samples(platform, samples(2))
        asked = len(judge.requests)

        second = judge_samples(platform, samples(2))

        assert len(judge.requests) == asked
        same = ["sample_id", "metric", "version", "judge", "score", "reason", "verdicts", "key"]
        assert second.select(same).equals(first.select(same))
        assert second["cached"].all()
        assert not first["cached"].any()
        assert second.select("cost_usd", "calls", "prompt_tokens").sum().row(0) == (0, 0, 0)

    def test_failures_are_not_kept(self, judge: JudgeServer, make_platform: MakePlatform) -> None:
        platform = make_platform(metrics=ONE)
        judge.faults = lambda name, prompt: Fault(text="perhaps")
        judge_samples(platform, [SAMPLE])
        judge.faults = lambda name, prompt: None

        [row] = judge_samples(platform, [SAMPLE]).rows(named=True)

        assert (row["status"], row["cached"]) == ("ok", False)

    @pytest.mark.parametrize(
        ("change", "again"),
        [
            ({"sample_id": "other", "documents": ("d9",)}, False),
            ({"reference": "another"}, False),  # this metric does not look at it
            ({"question": "Another?"}, True),
            ({"answer": "Another."}, True),
            ({"contexts": SAMPLE.contexts[::-1]}, True),
        ],
    )
    def test_another_content_is_another_judgement(
        self,
        judge: JudgeServer,
        make_platform: MakePlatform,
        change: dict[str, Any],
        again: bool,
    ) -> None:
        platform = make_platform(metrics=ONE)
        judge_samples(platform, [SAMPLE])

        [row] = judge_samples(platform, [replace(SAMPLE, **change)]).rows(named=True)

        assert row["cached"] is not again

    def test_another_reference_is_another_judgement_where_it_counts(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        platform = make_platform(metrics=["ragas.context_recall"])
        judge_samples(platform, [SAMPLE])

        [row] = judge_samples(platform, [replace(SAMPLE, reference="another")]).rows(named=True)

        assert row["cached"] is False

    def test_another_judge_judges_anew(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        judge_samples(make_platform(metrics=ONE), [SAMPLE])

        [row] = judge_samples(make_platform(metrics=ONE, model="new"), [SAMPLE]).rows(named=True)

        assert row["cached"] is False
        assert row["judge"].startswith("new@")

    def test_the_same_content_is_judged_once_in_a_run(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        platform = make_platform(PRICES, metrics=ONE)
        twins = [SAMPLE, replace(SAMPLE, sample_id="q2", documents=("d3",))]

        found = judge_samples(platform, twins)

        assert found["sample_id"].to_list() == ["q1", "q2"]
        assert found["cached"].to_list() == [False, True]
        assert found["cost_usd"].to_list() == [pytest.approx(2 * PER_CALL), 0]
        assert documents_of(platform, found["key"][0]) == {"d1", "d2", "d3"}

    def test_a_cached_judgement_belongs_to_the_documents_of_all_its_samples(
        self, judge: JudgeServer, make_platform: MakePlatform
    ) -> None:
        platform = make_platform(metrics=ONE)
        judge_samples(platform, [SAMPLE])

        found = judge_samples(platform, [replace(SAMPLE, documents=("d2", "d7"))])

        assert documents_of(platform, found["key"][0]) == {"d1", "d2", "d7"}

    @pytest.mark.parametrize("stop_after", [1, 4, 7])
    def test_a_run_that_was_stopped_resumes(
        self, judge: JudgeServer, make_platform: MakePlatform, stop_after: int
    ) -> None:
        platform = make_platform(metrics=ONE, concurrency=2)
        judge.faults = lambda name, prompt: Fault(seconds=0.02)

        with pytest.raises(Stopped):
            judge_samples(platform, samples(10), progress=stopping(stop_after))
        kept = count(platform)
        found = judge_samples(platform, samples(10))

        assert stop_after <= kept < 10
        assert statuses(found) == {"ok": 10}
        assert found["cached"].sum() == kept
        assert found["calls"].sum() == 2 * (10 - kept)

    def test_a_process_that_was_killed_leaves_what_it_had_judged(
        self, judge: JudgeServer, make_platform: MakePlatform, tmp_path: Path
    ) -> None:
        platform = make_platform(metrics=ONE, concurrency=2)
        assert count(platform) == 0
        judge.faults = lambda name, prompt: Fault(seconds=0.05)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        arguments = [sys.executable, "-c", KILLED, str(tmp_path / "home"), judge.url]
        with subprocess.Popen(arguments, cwd=tmp_path, env=environment) as process:
            wait_until(lambda: count(platform) >= 3 or process.poll() is not None)
            process.kill()

        kept = count(platform)
        judge.faults = lambda name, prompt: None
        found = judge_samples(platform, samples(40))

        assert 3 <= kept < 40
        assert statuses(found) == {"ok": 40}
        assert found["cached"].sum() == kept
        assert found["calls"].sum() == 2 * (40 - kept)

    def test_on_postgresql(
        self, judge: JudgeServer, make_platform: MakePlatform, postgres_url: str, tmp_path: Path
    ) -> None:
        platform = make_platform({"database_url": postgres_url}, metrics=ONE)
        judge.replies["HallucinationScoreReason"] = {"reason": "a nul \x00 too"}
        judge_samples(platform, samples(3))

        found = judge_samples(platform, samples(4))

        assert found["cached"].to_list() == [True, True, True, False]
        assert documents_of(platform, found["key"][3]) == {"d3"}


class TestAccounting:
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_statuses_always_add_up(
        self, judge: JudgeServer, make_platform: MakePlatform, data: st.DataObject
    ) -> None:
        faults = st.sampled_from(
            [
                None,
                Fault(status=500),
                Fault(status=400),
                Fault(text="?"),
                Fault(finish="length"),
                Fault(text='{"verdicts": []}'),
                Fault(raw="<html>"),
            ]
        )
        drawn = data.draw(st.lists(faults, min_size=1, max_size=12))
        references = data.draw(st.lists(st.sampled_from([None, "165"]), min_size=1, max_size=4))
        salt = data.draw(st.integers())
        metrics = ["deepeval.hallucination", "deepeval.contextual_recall"]
        asked = iter(range(10**6))
        judge.faults = lambda name, prompt: drawn[next(asked) % len(drawn)]
        before = len(judge.requests)
        given = [
            replace(SAMPLE, sample_id=str(n), question=f"{salt} {n}", reference=reference)
            for n, reference in enumerate(references)
        ]

        found = judge_samples(make_platform(metrics=metrics, retries=0), given)
        summary = summarize(found, 0.8)

        assert found.height == len(given) * len(metrics)
        assert found["calls"].sum() == len(judge.requests) - before
        for item in summary.values():
            assert item["judged"] + sum(item["failed"].values()) == item["applicable"]
            assert item["applicable"] + item["not_applicable"] == len(given)
            assert (item["mean"] is None) == (item["judged"] == 0)
        assert (found["score"].is_not_null() == (found["status"] == "ok")).all()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "did not happen within a minute"
        time.sleep(0.02)


class Nothing(BaseModel):
    """The reply to a call that is never answered."""


class FailsWhileItAsks:
    """Makes a call and fails before it is answered, as deepeval does with its calls at once."""

    name, version, needs_reference = "test.fails", "1", False
    left: "asyncio.Task[Any]"

    def __init__(self, client: JudgeClient) -> None:
        self._client = client

    async def score(self, sample: Sample) -> Score:
        self.left = asyncio.create_task(self._client.complete("?", Nothing))
        await asyncio.sleep(0.1)
        raise ZeroDivisionError


class Stopped(Exception):
    """Ends a run in the middle."""


def stopping(after: int) -> Callable[[str, int, int], None]:
    def progress(doing: str, done: int, total: int) -> None:
        if done >= after:
            raise Stopped

    return progress


def documents_of(platform: Platform, key: str) -> set[str]:
    query = sa.select(judgement_documents.c.document_id).where(judgement_documents.c.key == key)
    with platform.database.connect() as connection:
        return set(connection.execute(query).scalars())


def count(platform: Platform) -> int:
    with platform.database.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(judgements)) or 0)
