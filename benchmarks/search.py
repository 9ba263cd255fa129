"""Search at 100,000 chunks: what the engine adds to Lance, latency, throughput, index kinds.

The chunks are made from the real passages of the shared data: windows of 110 words, a fifth of them
encoded, the others copies of these with some words dropped and a little noise on the vector, so
that their neighbourhoods are crowded. The questions are the real questions of the same sets. The
deployment is kept under ``--state`` and used again by the next run.

Run: ``python -m benchmarks.search [--chunks 100000] [--questions 400] [--kinds] [--json]``.
"""

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.access import Caller, acl_condition
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.schema import INDEX_ROWS
from rag_assets.vector_index.table import IndexTable

DATA = Path(__file__).parents[1] / "../shared/data/retrieval"
SETS = ("scifact_train", "nq_open_oracle_pooled", "hotpotqa_hipporag100", "squad_v2_dev8")
WINDOW, COPIES, NOISE, DROPPED = 110, 5, 0.03, 0.1
WRITTEN_AT_ONCE = 20_000
READER = Caller.of(["staff"])


def windows(count: int) -> list[str]:
    """Passages of ``WINDOW`` words from all documents, evenly strided to give about ``count``."""
    words = []
    for name in SETS:
        for line in (DATA / name / "corpus.jsonl").open(encoding="utf-8"):
            words += json.loads(line)["text"].split()
    stride = max(1, (len(words) - WINDOW) // count)
    return [" ".join(words[i : i + WINDOW]) for i in range(0, count * stride, stride)]


def questions(count: int) -> list[str]:
    """Real questions, taken from all sets alike."""
    found = [
        [json.loads(line)["text"] for line in (DATA / name / "queries.jsonl").open("r")]
        for name in SETS
    ]
    mixed = [texts[i % len(texts)] for i in range(count) for texts in found]
    return list(dict.fromkeys(text.strip() for text in mixed))[:count]


def build(platform: Platform, encoder: Encoder, chunks: int) -> None:
    """Write the chunks into an index table, index it and release it."""
    random = np.random.default_rng(0)
    texts = windows(chunks // COPIES)
    print(f"encoding {len(texts)} passages …")
    vectors = encoder.encode(texts)
    fingerprints = index_fingerprints(platform, encoder)
    name = index_table_name(fingerprints)
    table = IndexTable(platform.lancedb_uri, name, encoder.dimensions)
    rows = made_up(texts, vectors, random)
    for start in range(0, rows.height, WRITTEN_AT_ONCE):
        part = rows.slice(start, WRITTEN_AT_ONCE)
        table.commit_shard("docs", part, [], lambda part=part: part)
    table.prepare(force=True)
    registry = Registry(platform.database)
    release = registry.add_candidate(
        table_name=name,
        lance_version=table.version,
        fingerprints=fingerprints,
        partitions={},
        documents=rows["document_id"].n_unique(),
        chunks=rows.height,
        manifest_sha256="0" * 64,
        run_id="benchmark",
    )
    table.tag(release.tag, release.lance_version)
    registry.promote(release.id, {})


def made_up(texts: Sequence[str], vectors: np.ndarray, random: np.random.Generator) -> pl.DataFrame:
    """Index rows of the passages and of their noisy copies."""
    count = len(texts) * COPIES
    noisy = np.repeat(vectors, COPIES, axis=0)
    noise = random.normal(scale=NOISE, size=noisy.shape) * (np.arange(count) % COPIES > 0)[:, None]
    noisy = noisy + noise
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    kept = [thinned(texts[i // COPIES], i % COPIES, random) for i in range(count)]
    ids = [f"{i:08d}" for i in range(count)]
    groups = pl.Series([["public"], ["staff"], ["board"]][i % 3] for i in range(count))
    rows = pl.DataFrame({"chunk_id": ids, "text": kept, "embed_text": kept}).with_columns(
        document_id=pl.concat_str(pl.lit("docs/"), pl.col("chunk_id").str.slice(0, 7)),
        source=pl.lit("docs"),
        partition=pl.lit("docs"),
        title=pl.lit("A passage"),
        uri=pl.concat_str(pl.lit("file:///docs/"), pl.col("chunk_id").str.slice(0, 7)),
        page_breaks=pl.lit([], dtype=pl.List(pl.Int64)),
        heading_path=pl.lit(["Section"], dtype=pl.List(pl.String)),
        ordinal=pl.Series([i % 10 for i in range(count)]),
        char_start=pl.lit(0),
        char_end=pl.col("text").str.len_chars(),
        token_count=pl.lit(WINDOW),
        acl=groups,
        readers=groups,
        attributes=pl.lit("{}"),
        attribute_values=pl.lit([], dtype=pl.List(pl.String)),
        modified_at=pl.lit(datetime(2026, 1, 1, tzinfo=UTC)),
        content_sha256=pl.lit("c" * 64),
        stale=pl.lit(False),
    )
    missing = [pl.lit(None, dtype=INDEX_ROWS[n]).alias(n) for n in INDEX_ROWS if n not in rows]
    vector = pl.Series(
        "vector", noisy.astype(np.float32), dtype=pl.Array(pl.Float32, noisy.shape[1])
    )
    return rows.with_columns(missing).cast(dict(INDEX_ROWS)).with_columns(vector)


def thinned(text: str, copy: int, random: np.random.Generator) -> str:
    """A copy of a text without some of its words."""
    if not copy:
        return text
    words = np.array(text.split())
    return " ".join(words[random.random(len(words)) > DROPPED])


def percentile(values: Sequence[float], share: float) -> float:
    """In milliseconds, of seconds."""
    return float(np.percentile(values, share * 100)) * 1000


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def against_lance(engine: QueryEngine, texts: Sequence[str]) -> list[tuple[str, str]]:
    """The engine's search without the question's encoding, beside the bare Lance calls it makes."""
    snapshot = engine._snapshots.current()
    reader, condition = snapshot.reader, acl_condition(READER)
    vectors = dict(zip(texts, engine.encoder.encode(list(texts)), strict=True))
    engine._retriever._encoder = Known(vectors, engine.encoder)  # type: ignore[assignment]
    ours, lance = [], []
    with ThreadPoolExecutor(1) as pool:
        for text in texts:
            # by turns, so that both meet the same caches and the same neighbours on the machine
            ours.append(timed(lambda text=text: engine.search(text, READER, 10)))
            lance.append(
                timed(lambda text=text: bare(reader, text, vectors[text], condition, pool))
            )
    engine._retriever._encoder = engine.encoder
    difference = statistics.median(o - b for o, b in zip(ours, lance, strict=True)) * 1000
    return [
        ("search, without encoding, p50", f"{percentile(ours, 0.5):.1f} ms"),
        ("bare Lance calls (two legs at once, rows), p50", f"{percentile(lance, 0.5):.1f} ms"),
        ("added by the engine, median of the differences", f"{difference:.2f} ms"),
    ]


def recall(engine: QueryEngine, texts: Sequence[str]) -> tuple[str, str]:
    """Recall@10 of the dense leg, rights included, against an exact search with the same rights."""
    reader, condition = engine._snapshots.current().reader, acl_condition(READER)
    shares = []
    for vector in engine.encoder.encode(list(texts)):
        nearest = {"column": "vector", "q": vector, "k": 10, "metric": "cosine", "use_index": False}
        exact = reader._dataset.to_table(
            nearest=nearest, columns=["chunk_id"], filter=condition, prefilter=True
        )
        wanted = set(exact["chunk_id"].to_pylist())
        shares.append(len(wanted & set(reader.dense(vector, 10, condition).chunk_id)) / 10)
    return "recall@10 of the dense leg against exact search", f"{statistics.mean(shares):.3f}"


def bare(
    reader: IndexReader, text: str, vector: np.ndarray, condition: str | None, pool: Any
) -> None:
    """Nothing but Lance: both legs, then the rows of ten hits."""
    from lance.query import MatchQuery

    dataset = reader._dataset
    keys = ["chunk_id", "document_id"]
    arguments = {"filter": condition, "prefilter": True, "with_row_id": True}
    pending = pool.submit(
        dataset.to_table,
        full_text_query=MatchQuery(text, "embed_text"),
        columns=[*keys, "_score"],
        limit=100,
        **arguments,
    )
    nearest = {
        "column": "vector",
        "q": vector,
        "k": 100,
        "metric": "cosine",
        "nprobes": reader._probes,
    }
    found = dataset.to_table(nearest=nearest, columns=[*keys, "_distance"], **arguments)
    pending.result()
    reader.rows(found["_rowid"].to_pylist()[:10])


class Known:
    """An encoder that has encoded everything already."""

    def __init__(self, vectors: dict[str, np.ndarray], encoder: Encoder) -> None:
        self._vectors = vectors
        self.fingerprint = encoder.fingerprint

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vectors[text] for text in texts])


def end_to_end(engine: QueryEngine, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Latency of whole searches, one caller; then throughput by callers."""
    seconds = [timed(lambda text=text: engine.search(text, READER, 10)) for text in texts]
    rows = [("search, p50", f"{percentile(seconds, 0.5):.1f} ms"),
            ("search, p99", f"{percentile(seconds, 0.99):.1f} ms")]  # fmt: skip
    for callers in (1, 4, 16):
        rate, seconds = together(engine, texts, callers)
        spread = f"p50 {percentile(seconds, 0.5):.0f} ms, p99 {percentile(seconds, 0.99):.0f} ms"
        rows.append((f"throughput, {callers} callers", f"{rate:.0f} searches/s ({spread})"))
    return rows


def together(engine: QueryEngine, texts: Sequence[str], callers: int) -> tuple[float, list[float]]:
    """Searches per second and the seconds of each, with several callers at once."""
    waiting: Iterator[str] = iter(list(texts))
    lock, seconds = threading.Lock(), []

    def work() -> None:
        while True:
            with lock:
                text = next(waiting, None)
            if text is None:
                return
            seconds.append(timed(partial(engine.search, text, READER, 10)))

    threads = [threading.Thread(target=work) for _ in range(callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(seconds) / (time.perf_counter() - started), seconds


def index_kinds(platform: Platform, vectors: np.ndarray, folder: Path) -> list[list[str]]:
    """Build every kind of vector index over the same rows; recall@10 against an exact search."""
    import lancedb
    from lancedb.index import HnswSq, IvfFlat, IvfPq, IvfRq

    live = Registry(platform.database).live()
    assert live is not None
    source = IndexReader(platform.lancedb_uri, live.table_name, live.tag)
    arrow = source._dataset.to_table(columns=["chunk_id", "vector"])
    kinds = {"none (exact)": None, "IvfFlat": IvfFlat, "IvfPq": IvfPq, "IvfRq": IvfRq,
             "HnswSq": HnswSq}  # fmt: skip
    exact: list[set[str]] = []
    rows = []
    for name, kind in kinds.items():
        connection = lancedb.connect(str(folder / name.split()[0]))
        table = connection.create_table("rows", arrow, mode="overwrite")
        build = 0.0
        if kind is not None:
            config = kind(distance_type="cosine")
            build = timed(partial(table.create_index, "vector", config=config))
        found, seconds = nearest_ten(table, vectors)
        exact = exact or found
        recalls = [len(ours & best) / len(best) for ours, best in zip(found, exact, strict=True)]
        values = [f"{build:.1f}", f"{percentile(seconds, 0.5):.1f}"]
        rows.append([name, *values, f"{statistics.mean(recalls):.3f}"])
    return rows


def nearest_ten(table: Any, vectors: np.ndarray) -> tuple[list[set[str]], list[float]]:
    """The ten rows nearest to each vector, and the seconds that each search took."""
    found, seconds = [], []
    for vector in vectors:
        query = (
            table.search(vector).distance_type("cosine").select(["chunk_id", "_distance"]).limit(10)
        )
        started = time.perf_counter()
        ids = query.to_arrow()["chunk_id"]
        seconds.append(time.perf_counter() - started)
        found.append(set(ids.to_pylist()))
    return found, seconds


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Search at 100,000 chunks.")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--state", default=".ragline/benchmarks/search")
    parser.add_argument("--kinds", action="store_true", help="compare kinds of vector index too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"The benchmark's data is not at {DATA}.")
    home = Path(arguments.state).absolute() / str(arguments.chunks)
    platform = Platform(Settings(home=str(home)))
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    encoder.prepare()
    if Registry(platform.database).live() is None:
        build(platform, encoder, arguments.chunks)
    engine = QueryEngine(platform)
    engine.warm_up()
    texts = questions(arguments.questions)
    for text in texts[:20]:
        if len(engine.search(text, READER, 10)) < 10:
            raise SystemExit("A search found fewer passages than it should: nothing is measured.")
    figures = [
        *against_lance(engine, texts),
        *end_to_end(engine, texts),
        recall(engine, texts[:200]),
    ]
    kinds = []
    if arguments.kinds:
        kinds = index_kinds(platform, encoder.encode(texts[:200]), home / "kinds")
    if arguments.json:
        print(json.dumps({"figures": dict(figures), "kinds": kinds}, indent=2))
        return
    table = Table("", "", title=f"{arguments.chunks} chunks, {len(texts)} questions")
    for row in figures:
        table.add_row(*row)
    Console().print(table)
    if kinds:
        table = Table("index", "build s", "p50 ms", "recall@10", title="Kinds of vector index")
        for row in kinds:
            table.add_row(*row)
        Console().print(table)


if __name__ == "__main__":
    main()
