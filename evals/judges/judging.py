"""Judging samples by every metric: what is cached, how many at once, and a row for each."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from evals.retrieval_evaluation.retrieve import Progress

from .attempts import Attempts
from .base import JudgedMetric, Judgement, Sample
from .cache import JudgementCache, judgement_key
from .client import JudgeClient, JudgeFailed
from .outcome import (
    cached_judgement,
    inapplicable,
    judgement_of,
    shared_judgement,
    status_of,
)
from .registry import make_metrics
from .schema import JUDGEMENTS

if TYPE_CHECKING:
    from rag_assets.platform.platform import Platform

Pair = tuple[Sample, JudgedMetric]


def judge_samples(
    platform: "Platform",
    samples: Sequence[Sample],
    *,
    progress: Progress = lambda doing, done, total: None,
    metrics: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Judge every sample by every metric; judgements are kept as they come, so a run resumes.

    May be called with or without a running event loop; blocks until all is judged.

    Args:
        platform: the deployment; ``[judge]`` says who judges, what, and within which limits.
        samples: the answers; samples of the same content are judged once.
        progress: told of every judgement.
        metrics: names with ``*`` instead of ``judge.metrics``.

    Returns:
        ``JUDGEMENTS``, one row per sample and metric in that order, the failed ones included;
        empty where no judge is configured. Calls, tokens and cost are of this run: 0 where a
        judgement was cached.

    Raises:
        ConfigurationError: a metric is unknown; the server has several models and none is named.
    """
    settings = platform.settings
    if not settings.judge.base_url.strip() or not samples:
        return judgements_frame([])
    from rag_assets.encoders.registry import make_encoder

    client = JudgeClient(settings.judge)
    encoder = make_encoder(settings.encoder, platform.state_path)
    made = make_metrics(settings.judge, encoder, client, metrics)
    judging = Judging(
        [(sample, metric) for sample in samples for metric in made],
        client,
        Attempts(settings, client),
        JudgementCache(platform.database),
        progress,
    )
    return judgements_frame(run_blocking(judging.run(settings.judge.concurrency)))


def judgements_frame(found: Sequence[Judgement]) -> pl.DataFrame:
    """Judgements as a table."""
    return pl.DataFrame([asdict(item) for item in found], schema=JUDGEMENTS, orient="row")


class Judging:
    """One run: every pair of sample and metric becomes one judgement.

    Args:
        pairs: what is to be judged.
        client: the judge.
        attempts: makes a judgement.
        cache: judgements of earlier runs.
        progress: told of every judgement.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        client: JudgeClient,
        attempts: Attempts,
        cache: JudgementCache,
        progress: Progress,
    ) -> None:
        self._pairs = pairs
        self._client = client
        self._attempts = attempts
        self._cache = cache
        self._progress = progress
        self._results: dict[int, Judgement] = {}
        self._open: dict[str, list[int]] = {}  # key → positions in pairs

    async def run(self, concurrency: int) -> list[Judgement]:
        """Judge all pairs, so many at a time; in their order."""
        try:
            absent = await self._absent()
            self._plan()
            if absent is not None:
                self._give_up(absent)
            self._take_cached()
            await self._judge_open(concurrency)
        finally:
            await self._client.close()
        return [self._results[position] for position in range(len(self._pairs))]

    async def _absent(self) -> JudgeFailed | None:
        """Why nobody can judge: the judge's name belongs to every judgement and is not known."""
        try:
            await self._client.model()
        except JudgeFailed as failure:
            return failure
        return None

    def _plan(self) -> None:
        """Bring pairs of the same content together; what does not apply is done."""
        for position, (sample, metric) in enumerate(self._pairs):
            key = judgement_key(metric, self._client.identity, sample)
            reason = inapplicable(sample, metric)
            if reason:
                judge = self._client.identity
                self._finish(
                    position,
                    judgement_of(sample, metric, judge, key, "not_applicable", reason=reason),
                )
            else:
                self._open.setdefault(key, []).append(position)

    def _give_up(self, failure: JudgeFailed) -> None:
        status, judge = status_of(failure), self._client.identity
        for key in list(self._open):
            sample, metric = self._pairs[self._open[key][0]]
            reason = failure.message
            self._close(key, judgement_of(sample, metric, judge, key, status, reason=reason))

    def _take_cached(self) -> None:
        found = self._cache.find(list(self._open))
        # the documents of these samples have what was judged as well
        self._cache.link({key: self._documents(key) for key in found})
        for key, row in found.items():
            for position in self._open.pop(key):
                self._finish(position, cached_judgement(self._pairs[position][0], row))

    async def _judge_open(self, concurrency: int) -> None:
        keys = iter(list(self._open))

        async def work() -> None:
            for key in keys:
                sample, metric = self._pairs[self._open[key][0]]
                judgement = await self._attempts.judge(sample, metric, key)
                if judgement.status == "ok":
                    # failures are never kept: the next run tries them again
                    await asyncio.to_thread(self._cache.add, judgement, self._documents(key))
                self._close(key, judgement)

        workers = [asyncio.create_task(work()) for _ in range(concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _documents(self, key: str) -> list[str]:
        return [name for item in self._open[key] for name in self._pairs[item][0].documents]

    def _close(self, key: str, judgement: Judgement) -> None:
        """Give every pair of a key its judgement; the first one paid for it."""
        first, *others = self._open.pop(key)
        self._finish(first, judgement)
        for position in others:
            self._finish(position, shared_judgement(self._pairs[position][0], judgement))

    def _finish(self, position: int, judgement: Judgement) -> None:
        self._results[position] = judgement
        self._progress("judging", len(self._results), len(self._pairs))


def run_blocking(work: Coroutine[Any, Any, list[Judgement]]) -> list[Judgement]:
    """Run to the end, in a thread of its own where this one has an event loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="judging") as pool:
        return pool.submit(asyncio.run, work).result()
