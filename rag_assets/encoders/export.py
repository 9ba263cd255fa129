"""Turns a sentence-transformers model into an OpenVINO model; run as a program, once per model.

    python -m rag_assets.encoders.export MODEL FOLDER

It is a program of its own so that torch and transformers never enter the process that asks for it.
Tokens are pooled (mean) inside the exported graph; the vectors are scaled in float32 outside it.
"""

import json
import os
import platform
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .exported import AGREEMENT_FILE
from .models import ModelFolder, find_model
from .openvino_runtime import MODEL_FILE, Runtime
from .sample import agreement_sample

if TYPE_CHECKING:
    import numpy as np

INPUTS = ("input_ids", "attention_mask")


def export(model: ModelFolder, folder: Path) -> None:
    """Write the exported model and its agreement with the original into a folder.

    Args:
        model: the model.
        folder: where to write; ``agreement.json`` comes last.
    """
    _stay_offline()
    from sentence_transformers import SentenceTransformer, __version__

    original = SentenceTransformer(str(model.path), device="cpu", local_files_only=True)
    original.max_seq_length = model.max_tokens
    folder.mkdir(parents=True, exist_ok=True)
    _convert(original, model, folder / MODEL_FILE)

    texts = agreement_sample()
    runtime = Runtime(folder, model, batch_size=8)
    expected = original.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    cosines = _cosines(runtime.encode(texts), expected)
    facts = {
        "cosine_mean": float(cosines.mean()),
        "cosine_min": float(cosines.min()),
        "texts": len(texts),
        "reference": f"sentence-transformers {__version__}, torch float32",
        "precision": runtime.precision,
        "machine": platform.machine(),
        "openvino": str(sys.modules["openvino"].__version__),
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
    }
    (folder / AGREEMENT_FILE).write_text(json.dumps(facts, indent=2) + "\n")


def _convert(original: Any, model: ModelFolder, target: Path) -> None:
    """Export transformer and mean pooling with any batch size and length."""
    import openvino
    import torch

    transformer = original[0].auto_model

    class MeanPooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.transformer(
                input_ids=input_ids, attention_mask=attention_mask, return_dict=False
            )[0]
            weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)

    ids = torch.full((2, min(16, model.max_tokens)), model.pad_token_id + 1)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    sizes = {
        0: torch.export.Dim("texts", min=1, max=4096),
        1: torch.export.Dim("tokens", min=2, max=model.max_tokens),
    }
    with torch.no_grad():
        program = torch.export.export(
            MeanPooled().eval(), (ids, mask), dynamic_shapes=(sizes, sizes), strict=False
        )
    converted = openvino.convert_model(program)
    for port, name in zip(converted.inputs, INPUTS, strict=True):
        port.get_tensor().set_names({name})
    openvino.save_model(converted, target)


def _cosines(ours: "np.ndarray", expected: "np.ndarray") -> "np.ndarray":
    """The cosine of each pair of unit rows."""
    cosines: np.ndarray = (ours * expected).sum(axis=1)
    return cosines


def _stay_offline() -> None:
    """Keep the libraries from reporting to, or asking, a server; the model is on this disk."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    warnings.simplefilter("ignore")


if __name__ == "__main__":
    export(find_model(sys.argv[1]), Path(sys.argv[2]))
