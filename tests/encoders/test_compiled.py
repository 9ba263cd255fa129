import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag_assets.encoders import Encoder, exported, token_states
from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.exported import AGREEMENT_FILE, exported_folder, read_agreement
from rag_assets.encoders.models import MINILM
from rag_assets.encoders.openvino_runtime import load_openvino, shared_runtime
from rag_assets.encoders.token_states import add_token_states
from rag_assets.platform.errors import EncoderError

from .conformance import WORDS, EncoderConformance, TokenVectorConformance, cosines


class TestCompiled(EncoderConformance, TokenVectorConformance):
    @pytest.fixture
    def encoder(self, compiled: CompiledEncoder) -> Encoder:
        return compiled


@pytest.fixture
def own_state(compiled: CompiledEncoder, encoder_state: Path, tmp_path: Path) -> Path:
    """A state folder of this test's own, with a copy of the exported model."""
    import shutil

    target = exported_folder(tmp_path, compiled.fingerprint)
    shutil.copytree(exported_folder(encoder_state, compiled.fingerprint), target)
    return tmp_path


def in_fresh_process(code: str, *arguments: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_heavy_is_imported(compiled: CompiledEncoder, encoder_state: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from rag_assets.encoders import make_encoder
from rag_assets.platform.settings import EncoderSettings
heavy = ["torch", "transformers", "sentence_transformers", "openvino_telemetry", "openvino"]
loaded = lambda: [name for name in heavy if name in sys.modules]
encoder = make_encoder(EncoderSettings(), Path(sys.argv[1]))
encoder.fingerprint, encoder.dimensions, encoder.describe(), encoder.tokenizer.count("a b")
before = loaded()
assert encoder.encode(["one", "two"]).shape == (2, 384)
print(json.dumps([before, loaded()]))
"""
    assert in_fresh_process(code, str(encoder_state)) == [[], ["openvino"]]


def test_agreement_is_recorded(compiled: CompiledEncoder, encoder_state: Path) -> None:
    facts = read_agreement(exported_folder(encoder_state, compiled.fingerprint))
    assert facts is not None
    assert facts["cosine_mean"] > 0.9995
    assert facts["cosine_min"] > 0.999
    assert facts["texts"] == 64
    assert compiled.describe()["cosine_mean"] == facts["cosine_mean"]


def test_damage_is_noticed(own_state: Path, compiled: CompiledEncoder) -> None:
    folder = exported_folder(own_state, compiled.fingerprint)
    assert read_agreement(folder) is not None
    with open(folder / "model.bin", "r+b") as file:
        file.truncate(1000)
    assert read_agreement(folder) is None
    (folder / AGREEMENT_FILE).write_text("[]")
    assert read_agreement(folder) is None


def test_unreadable_export_says_what_to_do(own_state: Path, compiled: CompiledEncoder) -> None:
    file = exported_folder(own_state, compiled.fingerprint) / "model.xml"
    file.write_bytes(b"<" * file.stat().st_size)
    with pytest.raises(EncoderError, match="Delete that folder"):
        CompiledEncoder(MINILM, own_state).warm_up()


def test_failed_export_leaves_nothing(tmp_path: Path, compiled: CompiledEncoder) -> None:
    model = compiled._model
    with pytest.raises(EncoderError, match="There is no model"):
        exported.ensure_exported(model, "no-such-model", tmp_path, "f" * 64)
    assert not list((tmp_path / "models").iterdir())


def test_disagreement_is_refused(own_state: Path, compiled: CompiledEncoder) -> None:
    folder = exported_folder(own_state, compiled.fingerprint)
    facts = json.loads((folder / AGREEMENT_FILE).read_text())
    for value in (0.98, float("nan")):
        (folder / AGREEMENT_FILE).write_text(json.dumps(facts | {"cosine_mean": value}))
        with pytest.raises(EncoderError, match="does not agree"):
            exported._check(compiled._model, folder)


def test_batch_sizes_agree(compiled: CompiledEncoder, encoder_state: Path) -> None:
    texts = [f"{i} " * (i % 9) for i in range(1200)]  # more than one window
    small = CompiledEncoder(MINILM, encoder_state, batch_size=64).encode(texts)
    assert cosines(small, compiled.encode(texts)).min() > 0.999


def test_white_space_before_the_text(compiled: CompiledEncoder) -> None:
    vectors = compiled.encode([" " * 500_000 + "the annual report", "the annual report"])
    assert cosines(vectors[:1], vectors[1:]).min() > 0.999


def test_a_failing_progress_ends_the_work(compiled: CompiledEncoder) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled.encode(["some text"] * 100, stop)
    assert compiled.encode(["and it still works"]).shape == (1, 384)


def test_models_can_be_freed_at_any_time(compiled: CompiledEncoder, encoder_state: Path) -> None:
    """OpenVINO's AsyncInferQueue hangs here (a callback and a destructor wait for each other)."""

    def use() -> Iterator[np.ndarray]:
        for _ in range(5):
            shared_runtime.cache_clear()
            yield CompiledEncoder(MINILM, encoder_state, batch_size=1).encode(["a b c"] * 6)

    assert all(vectors.shape == (6, 384) for vectors in use())


def test_preparing_again_loads_nothing(compiled: CompiledEncoder, encoder_state: Path) -> None:
    compiled.prepare()
    code = (
        "import sys; from pathlib import Path; from rag_assets.encoders.compiled import CompiledEncoder; "
        f"CompiledEncoder('all-MiniLM-L6-v2', Path({str(encoder_state)!r})).prepare(); "
        "print([name for name in ('torch', 'openvino', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _pooled_outputs(folder: Path, with_tokens: bool) -> list[np.ndarray]:
    """What the exported graph itself gives for three shapes of input."""
    core = load_openvino().Core()
    graph = core.read_model(folder / "model.xml")
    assert not with_tokens or add_token_states(graph, 384)
    compiled = core.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    results = []
    for rows, width in ((1, 16), (3, 48), (8, 256)):
        ids = np.random.default_rng(width).integers(1000, 20_000, (rows, width))
        request = compiled.create_infer_request()
        request.infer([ids, np.ones_like(ids)])
        assert len(compiled.outputs) == 1 + with_tokens
        results.append(request.get_output_tensor(0).data.copy())
    return results


def test_pooled_vectors_are_the_same_with_token_states(
    compiled: CompiledEncoder, encoder_state: Path
) -> None:
    folder = exported_folder(encoder_state, compiled.fingerprint)
    for with_tokens, without in zip(
        _pooled_outputs(folder, True), _pooled_outputs(folder, False), strict=True
    ):
        np.testing.assert_array_equal(with_tokens, without)


def test_vectors_stay_the_same_once_token_vectors_were_asked_for(encoder_state: Path) -> None:
    shared_runtime.cache_clear()
    encoder = CompiledEncoder(MINILM, encoder_state)
    texts = [f"{word} policy " * (1 + i % 9) for i, word in enumerate(WORDS * 4)]
    before, fingerprint = encoder.encode(texts), encoder.fingerprint
    encoder.token_vectors(texts[:2])
    np.testing.assert_array_equal(encoder.encode(texts), before)
    assert encoder.fingerprint == fingerprint


def test_the_vector_of_a_text_is_the_mean_of_its_tokens(compiled: CompiledEncoder) -> None:
    """Up to the special tokens and the lengths of the tokens, which are not told."""
    texts = ["The committee meets four times a year to settle every open complaint. " * 3] * 2
    means = np.array([tokens.mean(axis=0) for tokens in compiled.token_vectors(texts)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert cosines(means, compiled.encode(texts)).min() > 0.95


def test_an_unknown_graph_still_encodes(
    compiled: CompiledEncoder, encoder_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_states, "POOLING", ("Divide", "MaxPool"))
    shared_runtime.cache_clear()
    encoder = CompiledEncoder(MINILM, encoder_state)
    texts = ["one text", "another"]
    np.testing.assert_allclose(encoder.encode(texts), compiled.encode(texts), atol=1e-6)
    with pytest.raises(EncoderError, match="no token vectors"):
        encoder.token_vectors(texts)


def test_one_process_loads_a_model_once(encoder_state: Path) -> None:
    """Stages, search and gates of a run make encoders of their own."""
    first, second = (CompiledEncoder(MINILM, encoder_state) for _ in range(2))
    first.warm_up()
    loads = shared_runtime.cache_info().misses
    np.testing.assert_array_equal(first.encode(["lamp"]), second.encode(["lamp"]))
    assert shared_runtime.cache_info().misses == loads
