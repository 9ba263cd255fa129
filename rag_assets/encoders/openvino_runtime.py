"""Runs an exported model on the CPU with OpenVINO and a Rust tokenizer; no torch is involved."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rag_assets.platform.errors import EncoderError

from .base import Progress
from .models import ModelFolder
from .normalize import unit_rows
from .token_states import add_token_states
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
POOLED, TOKEN_STATES = 0, 1  # the outputs


class Loaded(NamedTuple):
    """A compiled model.

    Attributes:
        idle: inference requests that nobody uses; the operations of a deque are atomic.
        token_states: whether it has the second output.
    """

    compiled: Any
    idle: deque[Any]
    token_states: bool

    @property
    def jobs(self) -> int:
        """How many inferences to run at a time."""
        return max(2, self.compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))


class Batch(NamedTuple):
    """Texts of like length.

    Attributes:
        rows: which texts they are.
        inputs: input_ids and attention_mask, int64 of shape (texts, width).
        own: bool of the same shape: tokens of the text itself, neither special nor padding.
    """

    rows: "np.ndarray"
    inputs: "list[np.ndarray]"
    own: "np.ndarray"


Take = Callable[[Batch, Any], None]  # keeps what is wanted of a finished inference request


@lru_cache(maxsize=1)
def shared_runtime(folder: Path, model: ModelFolder, batch_size: int) -> "Runtime":
    """The same loaded model for everyone in this process: a run embeds, searches and judges with it.

    Args and errors are those of ``Runtime``. The model that was asked for last is kept.
    """
    return Runtime(folder, model, batch_size)


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
        self._folder = folder
        self._replacing = threading.Lock()
        self._loaded = self._load(token_states=False)

    @property
    def precision(self) -> str:
        """The number format of the arithmetic, as this CPU supports it, e.g. ``bf16``."""
        return str(self._loaded.compiled.get_property("INFERENCE_PRECISION_HINT").to_string())

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> "np.ndarray":
        """Encode texts; see the protocol in ``base.py``."""
        import numpy as np

        vectors = np.empty((len(texts), self._model.dimensions), dtype=np.float32)

        def take(batch: Batch, request: Any) -> None:
            vectors[batch.rows] = request.get_output_tensor(POOLED).data

        self._run(self._loaded, texts, take, progress)
        return unit_rows(vectors)

    def token_vectors(self, texts: Sequence[str]) -> "list[np.ndarray]":
        """Encode every token of texts; see the protocol in ``base.py``.

        Raises:
            EncoderError: the exported graph does not show its token states.
        """
        import numpy as np

        loaded = self._showing_token_states()
        found = [np.empty((0, self._model.dimensions), dtype=np.float32)] * len(texts)

        def take(batch: Batch, request: Any) -> None:
            states = request.get_output_tensor(TOKEN_STATES).data
            for row, index in enumerate(batch.rows):
                found[index] = unit_rows(states[row, batch.own[row]])

        self._run(loaded, texts, take)
        return found

    def _load(self, *, token_states: bool) -> Loaded:
        """Compile the exported model, with or without a second output for its token states."""
        core = self._openvino.Core()
        try:
            graph = core.read_model(self._folder / MODEL_FILE)
            if token_states and not add_token_states(graph, self._model.dimensions):
                raise EncoderError(
                    f"The exported {self._model.name} has no token vectors: its graph has an "
                    "unknown form.",
                    "Set encoder.backend to sentence-transformers, or choose a reranker that does "
                    "not need them.",
                )
            # One thread per stream: threads that share one inference wait for each other at every
            # layer, which costs most of the speed as soon as another process wants a core.
            compiled = core.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
        except RuntimeError as error:
            raise EncoderError(
                f"OpenVINO cannot load the exported model in {self._folder}: {error}.",
                "Delete that folder; the model is exported again at the next use.",
            ) from error
        loaded = Loaded(compiled, deque(), token_states)
        self._infer_once(loaded)
        return loaded

    def _infer_once(self, loaded: Loaded) -> None:
        """Infer something small while there is one thread.

        The binding makes tables of its own when tensors are read for the first time. Two threads
        that do this at once wait for each other for ever: for the table, and for the interpreter
        (2026.4; seen in 2 of 40 new processes).
        """
        import numpy as np

        inputs = [np.full((1, WIDTH_STEP), self._model.pad_token_id, dtype=np.int64)]
        inputs.append(np.ones_like(inputs[0]))
        batch = Batch(np.arange(1), inputs, np.zeros((1, WIDTH_STEP), dtype=bool))
        _infer(loaded, batch, lambda batch, request: request.get_output_tensor(POOLED).data)

    def _showing_token_states(self) -> Loaded:
        """The model with token states, which from then on serves ``encode`` too.

        They cost about 3% of the time of ``encode``, so they are shown only once they are wanted.
        """
        with self._replacing:
            if not self._loaded.token_states:
                self._loaded = self._load(token_states=True)
            return self._loaded

    def _run(
        self, loaded: Loaded, texts: Sequence[str], take: Take, progress: Progress | None = None
    ) -> None:
        """Infer every text; few of them in this thread, many in as many as there are streams."""
        if len(texts) > self._batch_size:
            self._run_many(loaded, texts, take, progress)
            return
        for batch in self._batches(texts):
            _infer(loaded, batch, take)
        if progress:
            progress(len(texts))

    def _run_many(
        self, loaded: Loaded, texts: Sequence[str], take: Take, progress: Progress | None
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

        jobs = loaded.jobs
        with ThreadPoolExecutor(jobs, thread_name_prefix="encoder") as pool:
            for batch in self._batches(texts):
                pending.append(pool.submit(_infer, loaded, batch, take))
                if len(pending) > 2 * jobs:
                    wait_for_one()
            while pending:
                wait_for_one()

    def _batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Yield the texts in batches, longest texts first.

        Texts of like length share a batch, so that little is spent on padding.
        """
        import numpy as np

        for start in range(0, len(texts), WINDOW):
            tokens = self._tokenise(texts[start : start + WINDOW])
            lengths = np.array([len(ids) for ids, _ in tokens])
            order = np.argsort(-lengths, kind="stable")
            for first in range(0, len(order), self._batch_size):
                chosen = order[first : first + self._batch_size]
                shape = (len(chosen), self._width(int(lengths[chosen[0]])))
                ids = np.full(shape, self._model.pad_token_id, dtype=np.int64)
                own = np.zeros(shape, dtype=bool)
                for row, index in enumerate(chosen):
                    ids[row, : lengths[index]], special = tokens[index]
                    own[row, : lengths[index]] = np.equal(special, 0)
                mask = (np.arange(shape[1]) < lengths[chosen][:, None]).astype(np.int64)
                yield Batch(chosen + start, [ids, mask], own)

    def _width(self, longest: int) -> int:
        """OpenVINO keeps buffers for every shape it has met: few widths save 100 MB, at no loss."""
        return min(-(-longest // WIDTH_STEP) * WIDTH_STEP, self._model.max_tokens)

    def _tokenise(self, texts: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        """(ids, 1 where the token is special) of each text, truncated to what the model sees.

        Of a very long text only the beginning is tokenised, unless that turns out to hold fewer
        tokens than the model sees (a megabyte of white space, say).
        """
        limit = self._model.max_tokens * CHARS_PER_TOKEN
        clean = [without_lone_surrogates(text[:limit]) for text in texts]
        tokens = [_tokens(found) for found in self._tokenizer.encode_batch_fast(clean)]
        for index, text in enumerate(texts):
            if len(text) > limit and len(tokens[index][0]) < self._model.max_tokens:
                tokens[index] = _tokens(self._tokenizer.encode(without_lone_surrogates(text)))
        return tokens


def _infer(loaded: Loaded, batch: Batch, take: Take) -> int:
    """Run one batch in an idle request and hand the request to ``take``."""
    try:
        request = loaded.idle.pop()
    except IndexError:
        request = loaded.compiled.create_infer_request()
    request.infer(batch.inputs)
    take(batch, request)
    loaded.idle.append(request)
    return len(batch.rows)


def _tokens(encoding: Any) -> tuple[list[int], list[int]]:
    return encoding.ids, encoding.special_tokens_mask


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
