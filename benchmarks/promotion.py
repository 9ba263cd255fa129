"""What a release costs after one document was edited: seconds and bytes written, by size of the index.

Synthetic documents of ten sections, one chunk each. The vectors are made up from the words of a
text, the same at every call, so that a hundred thousand of them need no model; everything else is
the real thing: stages, index, candidate, gates, registry. Between two edits nothing else happens.

What is in proportion to the edit costs the same at both sizes; what is in proportion to the shard
(tables are files, and are replaced whole) is the same when the shards are equally large.

Run: ``python -m benchmarks.promotion [--chunks 10000 100000] [--shards 1] [--profile] [--json]``.
"""

import argparse
import cProfile
import io
import json
import pstats
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rag_assets.chunks.stage import run_chunks
from rag_assets.embeddings.stage import run_embeddings
from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.parsed_documents.stage import run_parsed_documents
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, Settings, SourceSettings
from rag_assets.platform.stage import StageRun
from rag_assets.raw_documents.stage import run_raw_documents
from rag_assets.releases.candidate import release_candidate
from rag_assets.vector_index.stage import run_vector_index
from rag_jobs.pending import find_pending

SECTIONS = 10
EDITS = 3
TOPICS = 4096
STAGES: dict[str, Callable[[StageRun], Any]] = {
    "raw_documents": run_raw_documents,
    "parsed_documents": run_parsed_documents,
    "chunks": run_chunks,
    "embeddings": run_embeddings,
    "vector_index": run_vector_index,
}
WORDS = ("boiler", "ferry", "harbour", "lamp", "tide", "caretaker", "winter", "valve", "notice")


@dataclass(frozen=True)
class Cost:
    """What one step of one edit cost; the median over the edits."""

    chunks: int
    step: str
    seconds: float
    megabytes: float


def made_up(
    _self: CompiledEncoder, texts: Sequence[str], progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Unit vectors in clusters, one a topic, that depend on nothing but the text."""
    found = np.empty((len(texts), 384), dtype=np.float32)
    for number, text in enumerate(texts):
        key = zlib.crc32(text.encode())
        topic = np.random.default_rng(key % TOPICS).normal(size=384)
        found[number] = topic + 0.3 * np.random.default_rng(key).normal(size=384)
    if progress is not None:
        progress(len(texts))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def document(number: int, edition: int) -> str:
    """A document of ten sections; an edition changes one of them."""
    sections = []
    for section in range(SECTIONS):
        words = [WORDS[(number * 7 + section * 3 + i * i) % len(WORDS)] for i in range(24)]
        told = f"edition {edition} " if edition and section == 4 else ""
        sections.append(f"## Part {section}\n\nNumber {number}.{section} {told}{' '.join(words)}.")
    return f"# Document {number}\n\n" + "\n\n".join(sections)


def deployed(folder: Path, models: Path, chunks: int, shards: int) -> Platform:
    """A deployment with a live release of so many chunks."""
    shutil.rmtree(folder, ignore_errors=True)
    documents = folder / "documents"
    documents.mkdir(parents=True)
    home = folder / "home"
    home.mkdir()
    (home / "models").symlink_to(models, target_is_directory=True)
    for number in range(chunks // SECTIONS):
        (documents / f"{number:06d}.md").write_text(document(number, 0), encoding="utf-8")
    source = SourceSettings(path=str(documents), acl=["public"], shards=shards)
    chunking = ChunkingSettings(max_tokens=64)
    platform = Platform(Settings(home=str(home), sources={"docs": source}, chunking=chunking))
    for shard in find_pending(platform).work:
        for run in STAGES.values():
            run(StageRun(platform, shard.partition, "build"))
    promotion = release_candidate(platform, "build")
    if not promotion.promoted:
        raise SystemExit(f"The first release was not promoted: {promotion.release.reason}")
    if promotion.release.chunks != chunks:
        raise SystemExit(f"{promotion.release.chunks} chunks instead of {chunks}.")
    return platform


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            found[path] = (status.st_size, status.st_mtime_ns)
    return found


def measured(home: Path, action: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and megabytes of the files that are new or other than before."""
    before = files(home)
    started = time.perf_counter()
    action()
    seconds = time.perf_counter() - started
    after = files(home)
    written = sum(size for path, (size, at) in after.items() if before.get(path) != (size, at))
    return seconds, written / 1e6


def edit(platform: Platform, edition: int) -> list[tuple[str, float, float]]:
    """Edit one document, and bring it to the readers; step, seconds, megabytes."""
    home = Path(platform.settings.home_location)
    chosen = Path(platform.settings.sources["docs"].path) / "000042.md"
    chosen.write_text(document(42, edition), encoding="utf-8")
    rows = []
    seconds, written = measured(home, lambda: find_pending(platform))
    rows.append(("what is pending", seconds, written))
    for shard in find_pending(platform).work:
        for name, run in STAGES.items():
            stage_run = StageRun(platform, shard.partition, f"edit-{edition}")
            seconds, written = measured(home, partial(run, stage_run))
            rows.append((name, seconds, written))
    promotions = []
    seconds, written = measured(
        home, lambda: promotions.append(release_candidate(platform, f"edit-{edition}"))
    )
    rows.append(("candidate, gates, promotion", seconds, written))
    if not promotions[0].promoted:
        raise SystemExit(f"The edit was not promoted: {promotions[0].release.reason}")
    return rows


def costs(platform: Platform, chunks: int) -> list[Cost]:
    """The median of some edits, step by step."""
    edits = [edit(platform, edition) for edition in range(1, EDITS + 1)]
    found = []
    for step in zip(*edits, strict=True):
        seconds = float(np.median([item[1] for item in step]))
        megabytes = float(np.median([item[2] for item in step]))
        found.append(Cost(chunks, step[0][0], round(seconds, 3), round(megabytes, 3)))
    return found


def profile(platform: Platform) -> str:
    """Where a promotion spends its time."""
    document_path = Path(platform.settings.sources["docs"].path) / "000042.md"
    document_path.write_text(document(42, 99), encoding="utf-8")
    for shard in find_pending(platform).work:
        for run in STAGES.values():
            run(StageRun(platform, shard.partition, "profile"))
    profiler = cProfile.Profile()
    profiler.runcall(release_candidate, platform, "profile")
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("cumulative").print_stats("rag_assets|lance", 25)
    return text.getvalue()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="The cost of a release after one edit.")
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--state", default=".ragline/benchmarks/promotion")
    parser.add_argument("--models", default=".ragline/models", help="folder of exported encoders")
    parser.add_argument("--profile", action="store_true", help="where a promotion spends its time")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    CompiledEncoder.encode = made_up  # type: ignore[assignment,method-assign]
    found: list[Cost] = []
    profiles = {}
    for chunks in arguments.chunks:
        folder = Path(arguments.state).absolute() / str(chunks)
        models = Path(arguments.models).absolute()
        platform = deployed(folder, models, chunks, arguments.shards)
        found += costs(platform, chunks)
        if arguments.profile:
            profiles[chunks] = profile(platform)
    if arguments.json:
        print(json.dumps([asdict(item) for item in found], indent=2))
    else:
        print_table(found, arguments.chunks)
    for chunks, text in profiles.items():
        print(f"{chunks} chunks\n{text}")


def print_table(found: list[Cost], sizes: Sequence[int]) -> None:
    heads = [head for chunks in sizes for head in (f"{chunks}: s", "MB")]
    table = Table("step", *heads, title="One document edited")
    for step in dict.fromkeys(item.step for item in found):
        row = [item for item in found if item.step == step]
        table.add_row(
            step,
            *[cell for item in row for cell in (f"{item.seconds:.2f}", f"{item.megabytes:.2f}")],
        )
    Console().print(table)


if __name__ == "__main__":
    main()
