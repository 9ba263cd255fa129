"""How fast texts become vectors, against the limit of the machine and the usual way.

    python benchmarks/embedding.py [--texts 1000] [--json]

The texts are passages of a real handbook (the data of the tests, beside the checkout). The limit is
OpenVINO alone on batches of these texts, tokenised by one call of the Rust library (whose time
counts) and sorted by length; the usual way is sentence-transformers as it comes (torch, float32,
batches of 32), on every n-th of the texts. Figures are medians of three runs taken in turns; ratios
are also given by CPU time, which other programs on the machine disturb less.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "../shared/data/history/handbook.bundle"
RUNS = 3
PASSAGE_TOKENS = 190
REFERENCE_SHARE = 5
COLD = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from rag_assets.encoders.compiled import CompiledEncoder
CompiledEncoder("all-MiniLM-L6-v2", Path(sys.argv[1])).encode(["How do I ask for leave?"])
print(time.perf_counter() - start)
"""


def passages(count: int) -> list[str]:
    """Passages of about 190 tokens, a fixed choice from the whole handbook."""
    from semantic_text_splitter import MarkdownSplitter

    from rag_assets.encoders import TokenCounter
    from rag_assets.encoders.models import minilm_folder

    counter = TokenCounter(minilm_folder() / "tokenizer.json")
    with tempfile.TemporaryDirectory() as folder:
        command = ["git", "clone", "--quiet", str(BUNDLE), folder]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        pages = [path.read_text(errors="replace") for path in sorted(Path(folder).rglob("*.md"))]
    random.Random(0).shuffle(pages)
    splitter = MarkdownSplitter.from_huggingface_tokenizer_str(
        counter.json, (PASSAGE_TOKENS - 20, PASSAGE_TOKENS + 40)
    )
    found: list[str] = []
    for page in pages:
        found += [text for text in splitter.chunks(page) if counter.count(text) > 120]
        if len(found) >= count:
            break
    return found[:count]


def limit(state: Path, texts: Sequence[str], batch_size: int) -> Callable[[], object]:
    """A run of OpenVINO alone: tokenise in one call, then keep every stream busy."""
    import numpy as np

    from rag_assets.encoders.compiled import CompiledEncoder
    from rag_assets.encoders.exported import exported_folder
    from rag_assets.encoders.models import minilm_folder
    from rag_assets.encoders.openvino_runtime import MODEL_FILE, load_openvino
    from rag_assets.encoders.tokenizer import load_tokenizer

    encoder = CompiledEncoder("all-MiniLM-L6-v2", state)
    encoder.warm_up()
    compiled = (
        load_openvino()
        .Core()
        .compile_model(
            exported_folder(state, encoder.fingerprint) / MODEL_FILE,
            "CPU",
            {"PERFORMANCE_HINT": "THROUGHPUT"},
        )
    )
    streams = max(2, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    requests = [compiled.create_infer_request() for _ in range(streams)]
    tokenizer = load_tokenizer(minilm_folder() / "tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(encoder.max_tokens)

    tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
    tokens.sort(key=len, reverse=True)
    batches = []
    for start in range(0, len(tokens), batch_size):
        chosen = tokens[start : start + batch_size]
        ids = np.zeros((len(chosen), len(chosen[0])), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, values in enumerate(chosen):
            ids[row, : len(values)] = values
            mask[row, : len(values)] = 1
        batches.append([ids, mask])

    def run() -> None:
        tokenizer.encode_batch_fast(texts)
        for index, batch in enumerate(batches):
            request = requests[index % streams]
            request.wait()
            request.start_async(batch)
        for request in requests:
            request.wait()

    return run


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(runs: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Median (wall, CPU) seconds of each run, taken in turns so that other load falls on all."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(RUNS):
        for name, run in runs.items():
            before = time.process_time()
            wall = seconds(run)
            taken[name].append((wall, time.process_time() - before))
    return {
        name: (statistics.median(w for w, _ in times), statistics.median(c for _, c in times))
        for name, times in taken.items()
    }


def measure(texts: Sequence[str], batch_size: int) -> dict[str, float]:
    """Every figure of the table, by name."""
    from rag_assets.encoders.compiled import CompiledEncoder
    from rag_assets.encoders.sentence_transformer import SentenceTransformerEncoder

    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        ours = CompiledEncoder("all-MiniLM-L6-v2", state, batch_size=batch_size)
        export = seconds(ours.warm_up)
        queries = [f"Who approves {text.split()[0]} and when?" for text in texts[:200]]
        query = statistics.median(seconds(lambda q=q: ours.encode([q])) for q in queries)  # type: ignore[misc]
        cold = statistics.median(_cold(state) for _ in range(5))
        usual = SentenceTransformerEncoder("all-MiniLM-L6-v2", state, batch_size=32, device="cpu")
        usual.warm_up()
        sample = texts[::REFERENCE_SHARE]
        times = in_turns(
            {
                "limit": limit(state, texts, batch_size),
                "ours": lambda: ours.encode(texts),
                "usual": lambda: usual.encode(sample),
            }
        )
        agreement = float((ours.encode(sample) * usual.encode(sample)).sum(axis=1).mean())
    raw, encode, slow = times["limit"], times["ours"], times["usual"]
    share = len(texts) / len(sample)
    return {
        "texts": len(texts),
        "mean_tokens": statistics.mean(ours.tokenizer.counts(texts)),
        "limit_texts_per_second": len(texts) / raw[0],
        "compiled_texts_per_second": len(texts) / encode[0],
        "sentence_transformers_texts_per_second": len(sample) / slow[0],
        "share_of_limit": raw[0] / encode[0],
        "share_of_limit_by_cpu_time": raw[1] / encode[1],
        "times_sentence_transformers": slow[0] * share / encode[0],
        "times_sentence_transformers_by_cpu_time": slow[1] * share / encode[1],
        "mean_cosine_with_sentence_transformers": agreement,
        "one_query_ms": query * 1000,
        "import_load_first_query_seconds": cold,
        "export_once_seconds": export,
    }


def _cold(state: Path) -> float:
    command = [sys.executable, "-c", COLD, str(state)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not BUNDLE.exists():
        sys.exit(f"{BUNDLE.name} is not beside the checkout: nothing to measure.")
    figures = measure(passages(arguments.texts), arguments.batch_size)
    if arguments.json:
        print(json.dumps(figures))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", title="Embedding on this CPU")
    for name, value in figures.items():
        shown = f"{value:.5f}" if "cosine" in name else f"{value:,.3g}"
        table.add_row(name.replace("_", " "), shown)
    Console().print(table)


if __name__ == "__main__":
    main()
