"""Every metric against a real vLLM server: its verdicts are nonsense, the account of them is not."""

from dataclasses import replace
from functools import partial

import polars as pl
import pytest

from evals.judges import judging
from evals.judges.client import JudgeClient
from evals.judges.coverage import summarize
from evals.judges.registry import NAMES
from tests.evals.judges.conftest import SAMPLE, MakePlatform
from tests.vllm.server import VLLMServer

pytestmark = pytest.mark.vllm

SAMPLES = [replace(SAMPLE, sample_id=f"q{n}", question=f"{SAMPLE.question} {n}") for n in range(16)]
PRICED = {"cost": {"prices": {VLLMServer.model: {"prompt": 1.0, "completion": 1.0}}}}


@pytest.fixture
def judged(
    vllm_server: VLLMServer, make_platform: MakePlatform, monkeypatch: pytest.MonkeyPatch
) -> pl.DataFrame:
    # at temperature 0 a random model repeats itself for ever; at 1 it ends by chance
    monkeypatch.setattr(judging, "JudgeClient", partial(JudgeClient, temperature=1.0))
    platform = make_platform(
        PRICED,
        base_url=vllm_server.url,
        timeout_seconds=240.0,
        max_tokens=2048,
        retries=0,
        concurrency=4,
    )
    return judging.judge_samples(platform, SAMPLES)


def test_every_metric_completes_and_every_judgement_is_accounted_for(judged: pl.DataFrame) -> None:
    summary = summarize(judged, 0.8)

    assert list(summary) == list(NAMES)
    assert judged.height == len(SAMPLES) * len(NAMES)
    for name, item in summary.items():
        assert item["judged"] + sum(item["failed"].values()) == len(SAMPLES), name
        assert item["calls"] >= len(SAMPLES), name
        assert item["prompt_tokens"] > 0, name
        assert item["completion_tokens"] > 0, name
        assert item["cost_usd"] == pytest.approx(
            (item["prompt_tokens"] + item["completion_tokens"]) / 1_000_000
        )
        assert item["judged"] > 0, judged.filter(metric=name)["reason"].to_list()
        assert item["failed"]["error"] == 0, judged.filter(metric=name)["reason"].to_list()
    assert judged.filter(status="ok")["score"].is_between(0, 1).all()
