"""Costs: prices by model, else the GPUs' time; sums are the sums of their parts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.platform.settings import CostSettings, PriceSettings
from rag_assets.query.cost import LLM_TIMING, cost_usd, measured_tokens_per_second
from rag_assets.query.log import AnswerRecord

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTED = CostSettings(prices={"gpt": PriceSettings(prompt=2.5, completion=10)})
OWN = CostSettings(gpu_hour_usd=3.6, gpu_tokens_per_second=500)


def test_a_hosted_model_has_its_prices() -> None:
    assert cost_usd("gpt", 1000, 100, HOSTED) == 0.0035
    assert cost_usd("gpt", 1, 0, HOSTED) == 0.0000025
    prices = {"m": PriceSettings(prompt=0.1, completion=0.2)}
    assert cost_usd("m", 3, 0, CostSettings(prices=prices)) == 0.0000003


def test_a_dated_snapshot_has_the_price_of_its_model() -> None:
    assert cost_usd("gpt-2026-01-31", 1000, 100, HOSTED) == 0.0035
    assert cost_usd("gpt@20260131", 1000, 100, HOSTED) == 0.0035
    assert cost_usd("gpt-mini", 1000, 100, HOSTED) == 0
    own = {**HOSTED.prices, "gpt-2026-01-31": PriceSettings(prompt=0, completion=0)}
    assert cost_usd("gpt-2026-01-31", 1000, 100, CostSettings(prices=own)) == 0


def test_own_gpus_cost_their_time() -> None:
    assert cost_usd("llama", 400, 100, OWN) == 0.001
    assert cost_usd("", 0, 0, OWN) == 0


def test_the_measured_rate_is_used_only_while_none_is_set() -> None:
    unset = CostSettings(gpu_hour_usd=3.6)
    assert cost_usd("llama", 400, 100, unset) == 0
    assert cost_usd("llama", 400, 100, unset, measured=250.0) == 0.002
    assert cost_usd("llama", 400, 100, OWN, measured=250.0) == 0.001
    for useless in (float("nan"), float("inf"), -1.0):
        assert cost_usd("llama", 400, 100, unset, measured=useless) == 0


def test_nothing_configured_costs_nothing() -> None:
    assert cost_usd("gpt", 10**6, 10**6, CostSettings()) == 0


AMOUNTS = st.floats(0, 1000, allow_nan=False, width=32).filter(lambda x: x == 0 or x > 1e-6)
CONFIGURATIONS = st.builds(
    CostSettings,
    prices=st.dictionaries(
        st.sampled_from(["a", "b"]), st.builds(PriceSettings, prompt=AMOUNTS, completion=AMOUNTS)
    ),
    gpu_hour_usd=AMOUNTS,
    gpu_tokens_per_second=AMOUNTS,
)
TOKENS = st.integers(0, 10**7)
MODELS = st.sampled_from(["a", "b", "c", ""])


@given(CONFIGURATIONS, MODELS, TOKENS, TOKENS, TOKENS, TOKENS)
def test_costs_add_up_and_never_fall(
    settings: CostSettings, model: str, prompt: int, completion: int, more: int, further: int
) -> None:
    one = cost_usd(model, prompt, completion, settings)
    other = cost_usd(model, more, further, settings)
    both = cost_usd(model, prompt + more, completion + further, settings)
    assert one >= 0
    assert both == pytest.approx(one + other, rel=1e-12, abs=1e-18)
    assert both >= max(one, other)


@given(CONFIGURATIONS, MODELS, st.integers(-100, 0), st.integers(-100, 0))
def test_a_senseless_count_is_no_income(
    settings: CostSettings, model: str, prompt: int, completion: int
) -> None:
    assert cost_usd(model, prompt, completion, settings) == 0


def answered(start: float, seconds: float, prompt: int = 90, completion: int = 10) -> AnswerRecord:
    return AnswerRecord(
        answer_id="a",
        asked_at=START + timedelta(seconds=start),
        release_id=1,
        question="?",
        prompt_tokens=prompt,
        completion_tokens=completion,
        timings_ms={LLM_TIMING: seconds * 1000},
    )


def test_throughput_counts_busy_seconds_once() -> None:
    assert measured_tokens_per_second([answered(0, 2)]) == 50
    assert measured_tokens_per_second([answered(0, 2), answered(100, 2)]) == 50
    assert measured_tokens_per_second([answered(0, 2), answered(0, 2)]) == 100
    assert measured_tokens_per_second([answered(1, 2), answered(0, 2)]) == pytest.approx(200 / 3)
    # one within another, then one that begins before the first has ended
    nested = [answered(0, 10), answered(2, 1), answered(9, 3)]
    assert measured_tokens_per_second(nested) == pytest.approx(300 / 12)


def test_answers_without_an_llm_say_nothing_about_throughput() -> None:
    assert measured_tokens_per_second([]) == 0
    silent = [answered(0, 2, 0, 0), answered(0, 0)]
    assert measured_tokens_per_second(silent) == 0
    assert measured_tokens_per_second([*silent, answered(5, 2)]) == 50


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=1, max_size=12)


@given(SPANS, st.randoms())
def test_throughput_is_tokens_over_the_union_of_busy_time(
    spans: list[tuple[int, int]], random: object
) -> None:
    busy = {second for start, length in spans for second in range(start, start + length)}
    records = [answered(start, length) for start, length in spans]
    random.shuffle(records)  # type: ignore[attr-defined]
    rate = measured_tokens_per_second(records)
    assert rate == pytest.approx(100 * len(spans) / len(busy))
    # the costs of the answers it was measured on are the price of the busy time
    unset = CostSettings(gpu_hour_usd=7.2)
    total = sum(cost_usd("own", 90, 10, unset, measured=rate) for _ in records)
    assert total == pytest.approx(len(busy) * 7.2 / 3600)
