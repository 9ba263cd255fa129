"""Runs an exported model on the CPU with OpenVINO and a Rust tokenizer; no torch is involved."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.platform.errors import EncoderError

from .base import Progress
from .models import ModelFolder
from .normalize import unit_rows
from .tokenizer import load_tokenizer, without_lone_surrogates

if TYPE_CHECKING:
    import numpy as np

MODEL_FILE = "model.xml"
CONVERTER = "openvino.tools.ovc"
# Tokenised texts take some 15 KB each in Rust: this bounds them, and is enough to sort by length.
WINDOW = 1024
WIDTH_STEP = 16
# A text is first cut to so many characters per token it may use; see ``_tokenise``.
CHARS_PER_TOKEN = 400


class Runtime:
    """A loaded model. Safe to use from several threads.

    Args:
        folder: the exported model.
        model: the model it was exported from.
        batch_size: texts per inference.

    Raises:
        EncoderError: OpenVINO cannot load the exported model.
    """

    def __init__(self, folder: Path, model: ModelFolder, batch_size: int) -> None:
        self._model = model
        self._batch_size = batch_size
        self._tokenizer = load_tokenizer(model.tokenizer_path)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(model.max_tokens)
        self._openvino = load_openvino()
        try:
            # One thread per stream: threads that share one inference wait for each other at every
            # layer, which costs most of the speed as soon as another process wants a core.
            self._compiled = self._openvino.Core().compile_model(
                folder / MODEL_FILE, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"}
            )
        except RuntimeError as error:
            raise EncoderError(
                f"OpenVINO cannot load the exported model in {folder}: {error}.",
                "Delete that folder; the model is exported again at the next use.",
            ) from error
        self._jobs = max(2, self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._idle: deque[Any] = deque()  # its operations are atomic

    @property
    def precision(self) -> str:
        """The number format of the arithmetic, as this CPU supports it, e.g. ``bf16``."""
        return str(self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string())

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> "np.ndarray":
        """Encode texts; see the protocol in ``base.py``."""
        import numpy as np

        vectors = np.empty((len(texts), self._model.dimensions), dtype=np.float32)
        if len(texts) <= self._batch_size:
            for rows, inputs in self._batches(texts):
                self._infer(vectors, rows, inputs)
            if progress:
                progress(len(texts))
        else:
            self._encode_many(texts, vectors, progress)
        return unit_rows(vectors)

    def _encode_many(
        self, texts: Sequence[str], vectors: "np.ndarray", progress: Progress | None
    ) -> None:
        """Keep every stream busy; this thread tokenises meanwhile and reports the progress.

        OpenVINO's own AsyncInferQueue is not used: its threads call Python back, and a model that
        is freed just then waits for them for ever while it holds the interpreter (2026.4).
        """
        pending: deque[Future[int]] = deque()

        def wait_for_one() -> None:
            done = pending.popleft().result()
            if progress:
                progress(done)

        with ThreadPoolExecutor(self._jobs, thread_name_prefix="encoder") as pool:
            for rows, inputs in self._batches(texts):
                pending.append(pool.submit(self._infer, vectors, rows, inputs))
                if len(pending) > 2 * self._jobs:
                    wait_for_one()
            while pending:
                wait_for_one()

    def _infer(self, vectors: "np.ndarray", rows: "np.ndarray", inputs: "list[np.ndarray]") -> int:
        """Run one batch in an idle request and put its vectors in their rows."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer(inputs)
        vectors[rows] = request.get_output_tensor().data
        self._idle.append(request)
        return len(rows)

    def _batches(self, texts: Sequence[str]) -> "Iterator[tuple[np.ndarray, list[np.ndarray]]]":
        """Yield (rows of the result, [input_ids, attention_mask]), longest texts first.

        Texts of like length share a batch, so that little is spent on padding.
        """
        import numpy as np

        for start in range(0, len(texts), WINDOW):
            tokens = self._tokenise(texts[start : start + WINDOW])
            lengths = np.array([len(ids) for ids in tokens])
            order = np.argsort(-lengths, kind="stable")
            for first in range(0, len(order), self._batch_size):
                chosen = order[first : first + self._batch_size]
                shape = (len(chosen), self._width(int(lengths[chosen[0]])))
                ids = np.full(shape, self._model.pad_token_id, dtype=np.int64)
                for row, index in enumerate(chosen):
                    ids[row, : lengths[index]] = tokens[index]
                mask = (np.arange(shape[1]) < lengths[chosen][:, None]).astype(np.int64)
                yield chosen + start, [ids, mask]

    def _width(self, longest: int) -> int:
        """OpenVINO keeps buffers for every shape it has met: few widths save 100 MB, at no loss."""
        return min(-(-longest // WIDTH_STEP) * WIDTH_STEP, self._model.max_tokens)

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, truncated to what the model sees.

        Of a very long text only the beginning is tokenised, unless that turns out to hold fewer
        tokens than the model sees (a megabyte of white space, say).
        """
        limit = self._model.max_tokens * CHARS_PER_TOKEN
        clean = [without_lone_surrogates(text[:limit]) for text in texts]
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(clean)]
        for index, text in enumerate(texts):
            if len(text) > limit and len(tokens[index]) < self._model.max_tokens:
                tokens[index] = self._tokenizer.encode(without_lone_surrogates(text)).ids
        return tokens


def load_openvino() -> Any:
    """Import OpenVINO's runtime without its model converter.

    Importing the converter costs more than the rest together and reports the import to a server.
    ``None`` in ``sys.modules`` is Python's way to make an import fail; OpenVINO expects that it may
    be absent.
    """
    if "openvino" in sys.modules or CONVERTER in sys.modules:
        import openvino

        return openvino
    sys.modules[CONVERTER] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        del sys.modules[CONVERTER]
    return openvino
