"""Ten minutes of questions while releases are promoted: failures, latency, and memory over time.

``ragline serve`` answers over the deployment of ``benchmarks.search``; a few callers ask and search
with a short pause in between, with the cache on and new questions all the time. Every twenty seconds
one document of a shard of its own is changed and released, so that every release is another version.
Each answer is asked for its release: it must be the live one, or the one before for as long as the
service may take to notice (a second).

Run: ``python -m benchmarks.soak [--minutes 10] [--chunks 10000] [--callers 4] [--pause 0.2] [--json]``.
"""

import argparse
import http.client
import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.search import DATA, made_up, percentile, questions
from benchmarks.service import prepared, serving
from rag_assets.encoders import make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.configuration import index_fingerprints
from rag_assets.vector_index.table import IndexTable

PROMOTE_SECONDS = 20.0
SAMPLE_SECONDS = 5.0
# a release may be old for so long; see docs/releases.md
NOTICE_SECONDS = 1.0
SHARD = "soak"
WARM_SHARE = 0.2


@dataclass
class Soak:
    """What happened.

    Attributes:
        seconds: of a request, one each.
        failures: what came instead of an answer.
        stale: answers from a release that had been replaced for longer than it may take to notice.
        memory: (seconds since the start, bytes of the service and its children).
        promotions: moments (``time.time``) and releases.
    """

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stale: int = 0
    memory: list[tuple[float, int]] = field(default_factory=list)
    promotions: list[tuple[float, int]] = field(default_factory=list)


class Promoter:
    """Changes one document and releases it, again and again."""

    def __init__(self, home: Path) -> None:
        self._platform = Platform(Settings(home=str(home)))
        encoder = make_encoder(self._platform.settings.encoder, self._platform.state_path)
        self._registry = Registry(self._platform.database)
        live = self._registry.live()
        assert live is not None
        self._fingerprints = index_fingerprints(self._platform, encoder)
        self._table = IndexTable(self._platform.lancedb_uri, live.table_name, encoder.dimensions)
        text = "A notice about the ferry that is changed again and again."
        rows = made_up([text], encoder.encode([text]), np.random.default_rng(0))
        self._row, self._name = rows.head(1), live.table_name
        self._documents, self._chunks = live.documents, live.chunks

    def promote(self, number: int) -> int:
        """Release edition ``number`` of the document; returns the release."""
        row = self._row.with_columns(
            chunk_id=pl.lit(f"{SHARD}-{number % 2}"),
            document_id=pl.lit(f"{SHARD}/document"),
            partition=pl.lit(SHARD),
            text=pl.lit(f"Edition {number} of the notice about the ferry."),
        )
        gone = [f"{SHARD}-{(number + 1) % 2}"] if number else []
        self._table.commit_shard(SHARD, row, gone, lambda: row)
        self._table.prepare()
        release = self._registry.add_candidate(
            table_name=self._name,
            lance_version=self._table.version,
            fingerprints=self._fingerprints,
            partitions={},
            documents=self._documents,
            chunks=self._chunks,
            manifest_sha256=f"{number:064d}",
            run_id="soak",
        )
        self._table.tag(release.tag, release.lance_version)
        self._registry.promote(release.id, {})
        return release.id


def ask(port: int, texts: Sequence[str], caller: int, soak: Soak, end: float, pause: float) -> None:
    """One caller: questions and searches in turn, each text with a number so that it is new."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in itertools.count():
        if time.time() >= end:
            return
        text = f"{texts[(number * 7 + caller) % len(texts)]} ({number // len(texts)})"
        path, body = (
            ("/v1/search", {"query": text})
            if number % 2
            else ("/v1/ask", {"question": text, "answerer": "extractive"})
        )
        began = time.time()
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except OSError as error:
            soak.failures.append(repr(error))
            connection.close()
            continue
        soak.seconds.append(time.time() - began)
        time.sleep(pause)
        if response.status != 200:
            soak.failures.append(f"{response.status}: {content[:200]!r}")
        elif _is_stale(json.loads(content)["release"]["id"], began, soak.promotions):
            soak.stale += 1


def _is_stale(release: int, began: float, promotions: Sequence[tuple[float, int]]) -> bool:
    """Whether a release had been replaced for too long when the request began."""
    later = [at for at, other in list(promotions) if other > release]
    return bool(later) and began - min(later) > NOTICE_SECONDS


def measure(home: Path, texts: Sequence[str], minutes: float, callers: int, pause: float) -> Soak:
    """The whole of it."""
    soak, promoter = Soak(), Promoter(home)
    with serving(home, cache=True) as (port, process), Progress() as progress:
        started = time.time()
        end = started + minutes * 60
        threads = [
            threading.Thread(target=ask, args=(port, texts, caller, soak, end, pause))
            for caller in range(callers)
        ]
        for thread in threads:
            thread.start()
        task = progress.add_task("soaking", total=minutes * 60)
        due = started
        while (now := time.time()) < end:
            soak.memory.append((now - started, resident(process)))
            if now >= due:
                release = promoter.promote(len(soak.promotions))
                soak.promotions.append((time.time(), release))
                due += PROMOTE_SECONDS
            progress.update(task, completed=now - started)
            time.sleep(SAMPLE_SECONDS)
        for thread in threads:
            thread.join()
    return soak


def resident(process: psutil.Process) -> int:
    """Bytes of a process and its children."""
    return sum(item.memory_info().rss for item in [process, *process.children(recursive=True)])


def summary(soak: Soak) -> dict[str, Any]:
    """The figures that matter; memory is judged after what is loaded at first use."""
    last = soak.memory[-1][0]
    warm = [size for at, size in soak.memory if at >= last * WARM_SHARE]
    third = max(1, len(warm) // 3)
    early, late = sum(warm[:third]) / third, sum(warm[-third:]) / third
    return {
        "requests": len(soak.seconds),
        "failed": len(soak.failures),
        "stale": soak.stale,
        "promotions": len(soak.promotions),
        "p50 ms": round(percentile(soak.seconds, 0.5), 1),
        "p99 ms": round(percentile(soak.seconds, 0.99), 1),
        "memory MB, first third": round(early / 1e6),
        "memory MB, last third": round(late / 1e6),
        "memory MB, most": round(max(size for _, size in soak.memory) / 1e6),
        "growth MB a minute": round((late - early) / 1e6 / max(last * 0.8 * 2 / 3 / 60, 1e-9), 2),
        "memory MB, by minute": ", ".join(by_minute(soak.memory)),
        "first failure": soak.failures[0] if soak.failures else "",
    }


def by_minute(memory: Sequence[tuple[float, int]]) -> list[str]:
    """The mean of every minute, in MB."""
    minutes = {
        at // 60: [size for when, size in memory if when // 60 == at // 60] for at, _ in memory
    }
    return [f"{sum(sizes) / len(sizes) / 1e6:.0f}" for _, sizes in sorted(minutes.items())]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Questions for minutes, while releases change.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two requests")
    parser.add_argument("--state", default=".ragline/benchmarks/search")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"The benchmark's data is not at {DATA}.")
    home = prepared(arguments.state, arguments.chunks)
    soak = measure(home, questions(400), arguments.minutes, arguments.callers, arguments.pause)
    if arguments.json:
        print(json.dumps(asdict(soak) | {"summary": summary(soak)}, indent=2))
        return
    table = Table("what", "", title=f"{arguments.minutes:g} minutes, {arguments.callers} callers")
    for name, value in summary(soak).items():
        table.add_row(name, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
