"""One judgement after the other: time limit, further attempts, what it cost, and a broken judge."""

import asyncio
import time
from typing import TYPE_CHECKING

from rag_assets.platform.settings import Settings
from rag_assets.query.cost import cost_usd

from .base import JudgedMetric, Judgement, Sample, Score
from .client import JudgeClient, JudgeFailed
from .metering import Meter, metered
from .outcome import judgement_of, status_of, words_of

if TYPE_CHECKING:
    from tenacity import RetryCallState

FIRST_WAIT = 0.5  # seconds of back-off after the first failure, at most; it doubles
LONGEST_WAIT = 10.0
BREAKER_ROUNDS = 3  # rounds of all judges at once that must fail before the rest is given up
FEWEST_FAILURES = 10


class Attempts:
    """Makes judgements by one judge.

    Once so many in a row have failed by timeout or for want of a server that the judge is plainly
    gone, the rest is not tried: hundreds of time limits one after the other would help nobody.

    Args:
        settings: of the deployment; ``[judge]`` and ``[cost]``.
        client: the judge; its model is known.
    """

    def __init__(self, settings: Settings, client: JudgeClient) -> None:
        self._settings = settings
        self._client = client
        self._failures = 0
        self._most_failures = max(FEWEST_FAILURES, BREAKER_ROUNDS * settings.judge.concurrency)

    async def judge(self, sample: Sample, metric: JudgedMetric, key: str) -> Judgement:
        """Judge one sample by one metric. Never raises: what went wrong becomes the status."""
        judge = self._client.identity
        if self._failures >= self._most_failures:
            reason = f"Not tried: {self._failures} judgements in a row had no reply from the judge."
            return judgement_of(sample, metric, judge, key, "error", reason=reason)
        limit = self._settings.judge.timeout_seconds
        started = time.monotonic()
        score: Score | None = None
        failed: Exception | None = None
        with metered() as meter:
            try:
                async with asyncio.timeout(limit):
                    score = await self._score(sample, metric, meter)
            # libraries raise whatever they like; no failure may be lost, nor end the others
            except Exception as error:  # noqa: BLE001
                failed = error
            finally:
                await meter.stop()
        self._note(failed)
        usage = meter.usage
        return judgement_of(
            sample,
            metric,
            judge,
            key,
            status_of(failed) if failed else "ok",
            score=score,
            reason=words_of(failed, limit) if failed else "",
            usage=usage,
            cost_usd=cost_usd(
                self._client.known_model,
                usage.prompt_tokens,
                usage.completion_tokens,
                self._settings.cost,
            ),
            seconds=time.monotonic() - started,
        )

    async def _score(self, sample: Sample, metric: JudgedMetric, meter: Meter) -> Score:
        """Try again as long as failures may pass; an invalid reply would come again."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        async def before_next(_: "RetryCallState") -> None:
            await meter.stop()

        retrying = AsyncRetrying(
            stop=stop_after_attempt(1 + self._settings.judge.retries),
            wait=_wait,
            retry=retry_if_exception(lambda e: isinstance(e, JudgeFailed) and e.passing),
            before_sleep=before_next,
            reraise=True,
        )
        return await retrying(metric.score, sample)

    def _note(self, failed: Exception | None) -> None:
        gone = isinstance(failed, TimeoutError) or (
            isinstance(failed, JudgeFailed) and failed.passing
        )
        self._failures = self._failures + 1 if gone else 0


def _wait(state: "RetryCallState") -> float:
    """What the server asks for, else a random share of a back-off that doubles."""
    from tenacity import wait_random_exponential

    failure = state.outcome.exception() if state.outcome else None
    if isinstance(failure, JudgeFailed) and failure.retry_after is not None:
        return failure.retry_after
    return wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)
