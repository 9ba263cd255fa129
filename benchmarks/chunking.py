"""Compare the splitters: what retrieval finds at a passage size, and how fast they cut.

On the two corpora of Chroma's chunking evaluation that lie in the shared data (220 questions with
exact evidence spans), at the 5 passages that exact search over both corpora together gives; the
scores are those of ``evals.chunk_quality``.

Run: ``python -m benchmarks.chunking [--splitters structure,fixed] [--sizes 100,150,200,250]``.
"""

import argparse
import csv
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from evals.retrieval_evaluation.chunk_quality import ChunkQuality, chunk_quality
from evals.spans import Span
from rag_assets.chunks.base import Budget
from rag_assets.chunks.base import Span as ChunkSpan
from rag_assets.chunks.heading_context import embedded_text
from rag_assets.chunks.registry import NAMES, make_splitter
from rag_assets.encoders.base import Encoder
from rag_assets.encoders.registry import make_encoder
from rag_assets.platform.settings import ChunkingSettings, EncoderSettings

DATA = Path(__file__).parents[1] / "../shared/data/chunking"
RETRIEVED = 5
OVERLAP = {"recursive": 0.0, "fixed": 0.1}  # share of the size


class Question(NamedTuple):
    text: str
    corpus: str
    evidence: list[Span]


class Passage(NamedTuple):
    corpus: str
    start: int
    end: int
    embed: str
    tokens: int


def main() -> None:
    """Print one row for each splitter and size."""
    parser = argparse.ArgumentParser(description="Compare the splitters.")
    parser.add_argument("--splitters", default=",".join(NAMES))
    parser.add_argument("--sizes", default="100,150,200,250")
    parser.add_argument("--state", default=".ragline", help="folder of exported models")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs that the speed is the median of"
    )
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"The benchmark's data is not at {DATA}.")
    encoder = make_encoder(EncoderSettings(), Path(arguments.state).absolute())
    corpora = {
        path.stem: path.read_text(encoding="utf-8") for path in (DATA / "corpora").glob("*.md")
    }
    questions = read_questions(DATA / "questions_df.csv")
    encode = cached(encoder)
    vectors = encode([question.text for question in questions])
    table = Table(
        title=f"{len(questions)} questions, {RETRIEVED} passages retrieved, {encoder.name}"
    )
    for name in (
        "splitter",
        "max tokens",
        "passages",
        "tokens",
        "recall",
        "precision",
        "omega",
        "IoU",
        "MB/s",
    ):
        table.add_column(name, justify="right" if table.columns else "left")
    for name in arguments.splitters.split(","):
        for size in map(int, arguments.sizes.split(",")):
            passages, speed = cut(name, size, corpora, encoder, encode, arguments.repeats)
            scores = evaluate(passages, questions, vectors, encode)
            mean = statistics.mean(passage.tokens for passage in passages)
            values = [f"{100 * value:.1f}" for value in scores]
            table.add_row(
                name, str(size), str(len(passages)), f"{mean:.0f}", *values, f"{speed:.2f}"
            )
    Console(width=110).print(table)


def read_questions(path: Path) -> list[Question]:
    """Read questions with the character ranges of their evidence."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Question(
                row["question"],
                row["corpus_id"],
                [
                    (item["start_index"], item["end_index"])
                    for item in json.loads(row["references"])
                ],
            )
            for row in csv.DictReader(file)
        ]


def cached(encoder: Encoder) -> Callable[[Sequence[str]], np.ndarray]:
    """Encode each distinct text once over the whole run."""
    known: dict[str, np.ndarray] = {}

    def encode(texts: Sequence[str]) -> np.ndarray:
        unseen = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(unseen, encoder.encode(unseen), strict=True))
        return np.stack([known[text] for text in texts])

    return encode


def cut(
    name: str,
    size: int,
    corpora: dict[str, str],
    encoder: Encoder,
    encode: Callable[[Sequence[str]], np.ndarray],
    repeats: int,
) -> tuple[list[Passage], float]:
    """Cut the corpora; returns the passages and the median speed in megabytes a second."""
    splitter = make_splitter(ChunkingSettings(splitter=name), encode)
    budget = Budget(encoder.tokenizer, size, overlap_tokens=int(size * OVERLAP.get(name, 0.0)))
    spans: dict[str, list[ChunkSpan]] = {}
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        spans = {corpus: splitter.split(text, budget) for corpus, text in corpora.items()}
        seconds.append(time.perf_counter() - started)
    passages = []
    for corpus, text in corpora.items():
        for span in spans[corpus]:
            embed, tokens = embedded_text(
                text[span.start : span.end], "", span.heading_path, span.lead, budget.counter, size
            )
            passages.append(Passage(corpus, span.start, span.end, embed, tokens))
    megabytes = sum(len(text.encode()) for text in corpora.values()) / 1e6
    return passages, megabytes / statistics.median(seconds)


def evaluate(
    passages: Sequence[Passage],
    questions: Sequence[Question],
    question_vectors: np.ndarray,
    encode: Callable[[Sequence[str]], np.ndarray],
) -> ChunkQuality:
    """The mean of the published scores over the questions."""
    similarity = question_vectors @ encode([passage.embed for passage in passages]).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :RETRIEVED]
    rows = [
        score(question, [passages[index] for index in indices], passages)
        for question, indices in zip(questions, nearest, strict=True)
    ]
    return ChunkQuality(*(statistics.mean(values) for values in zip(*rows, strict=True)))


def score(
    question: Question, retrieved: Sequence[Passage], passages: Sequence[Passage]
) -> ChunkQuality:
    """The published scores of one question; passages of the other corpus hold no evidence."""
    here = [(item.start, item.end) for item in retrieved if item.corpus == question.corpus]
    elsewhere = sum(item.end - item.start for item in retrieved if item.corpus != question.corpus)
    everything = [(item.start, item.end) for item in passages if item.corpus == question.corpus]
    return chunk_quality(question.evidence, here, everything, elsewhere)


if __name__ == "__main__":
    main()
