"""How often a semantic cache gives the wrong answer: real questions, thresholds of similarity.

``python -m benchmarks.semantic_cache [FOLDER]`` takes BEIR folders with judgements. Every question is
looked up among all others of its set; a hit is false when the two have no relevant document in
common. Questions without a relevant document are left out.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

from rag_app.cache.semantic import same_numbers
from rag_assets.encoders import make_encoder
from rag_assets.platform.settings import Settings

DATA = Path(__file__).parents[2] / "shared" / "data" / "retrieval"
SETS = ("squad_v2_dev8", "nq_open_oracle_pooled", "scifact_train", "hotpotqa_hipporag100")
THRESHOLDS = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97, 0.98, 0.99)


def read(folder: Path) -> tuple[list[str], list[set[str]]]:
    """Questions with a relevant document, and those documents."""
    relevant: dict[str, set[str]] = {}
    for path in sorted((folder / "qrels").glob("*.tsv")):
        with path.open(encoding="utf-8") as lines:
            for row in csv.reader(lines, delimiter="\t"):
                if len(row) == 3 and row[2].strip().isdigit() and int(row[2]) > 0:
                    relevant.setdefault(row[0], set()).add(row[1])
    texts, documents = [], []
    with (folder / "queries.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            query = json.loads(line)
            if query["_id"] in relevant:
                texts.append(query["text"])
                documents.append(relevant[query["_id"]])
    return texts, documents


def hits(
    texts: list[str], documents: list[set[str]], vectors: np.ndarray, least: float
) -> tuple[int, int]:
    """How many questions find another one that is similar enough, and how many of those are false."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1.0)
    found = false = 0
    for index, text in enumerate(texts):
        for other in np.argsort(-likeness[index])[:20]:
            if likeness[index, other] < least:
                break
            if text.strip() != texts[other].strip() and same_numbers(text, texts[other]):
                found += 1
                false += not documents[index] & documents[other]
                break
    return found, false


def main() -> None:
    """Print a table."""
    folders = [Path(name) for name in sys.argv[1:]] or [DATA / name for name in SETS]
    settings = Settings()
    encoder = make_encoder(settings.encoder, settings.state_path)
    print("| set | questions | cosine | hits | of them false |\n|---|---|---|---|---|")
    for folder in folders:
        texts, documents = read(folder)
        vectors = encoder.encode(texts)
        for least in THRESHOLDS:
            found, false = hits(texts, documents, vectors, least)
            share = f"{false / found:.0%}" if found else "–"
            print(f"| {folder.name} | {len(texts)} | {least:.2f} | {found} | {false} ({share}) |")


if __name__ == "__main__":
    main()
