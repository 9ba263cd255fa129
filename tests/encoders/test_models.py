import json
import os
import shutil
from pathlib import Path

import pytest

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.models import MINILM, MINILM_SHA256, find_model, minilm_folder
from rag_assets.encoders.weights import REMEMBERED, verify_weights, weights_sha256
from rag_assets.platform.errors import EncoderError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the model under another name, the weights linked."""
    folder = tmp_path / "my-model"
    shutil.copytree(minilm_folder(), folder, copy_function=os.link)
    return folder


def edit(file: Path, **changes: object) -> None:
    values = json.loads(file.read_text()) | changes
    file.unlink()  # a link: never write into the installed model
    file.write_text(json.dumps(values))


def test_the_installed_model() -> None:
    model = find_model(MINILM)
    assert find_model(f"sentence-transformers/{MINILM}") == model
    assert (model.max_tokens, model.dimensions, model.pooling) == (256, 384, "mean")
    assert model.modules == ("Transformer", "Pooling", "Normalize")


def test_weights_are_verified_and_remembered(tmp_path: Path) -> None:
    model = find_model(MINILM)
    verify_weights(model, tmp_path)
    remembered = json.loads((tmp_path / REMEMBERED).read_text())
    assert [entry["sha256"] for entry in remembered.values()] == [MINILM_SHA256]


def test_the_pinned_name_needs_no_reading(tmp_path: Path) -> None:
    assert weights_sha256(find_model(MINILM), tmp_path) == MINILM_SHA256
    assert not (tmp_path / REMEMBERED).exists()


def test_other_weights_under_the_pinned_name(copy: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors").write_bytes(b"not these")
    model = replace(find_model(MINILM), path=copy)
    with pytest.raises(EncoderError, match="not the official ones"):
        verify_weights(model, tmp_path)


def test_changed_weights_of_a_folder_change_the_fingerprint(copy: Path, tmp_path: Path) -> None:
    before = CompiledEncoder(str(copy), tmp_path).fingerprint
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors").write_bytes(b"others")
    assert CompiledEncoder(str(copy), tmp_path).fingerprint != before


def test_same_fingerprint_for_the_same_files_anywhere(copy: Path, tmp_path: Path) -> None:
    named = CompiledEncoder(MINILM, tmp_path / "one").fingerprint
    assert CompiledEncoder(str(copy), tmp_path / "two").fingerprint == named


def test_damaged_notes_are_written_again(copy: Path, tmp_path: Path) -> None:
    (tmp_path / REMEMBERED).parent.mkdir(parents=True)
    (tmp_path / REMEMBERED).write_text("{")
    assert weights_sha256(find_model(str(copy)), tmp_path) == MINILM_SHA256


def test_both_generations_of_the_pooling_file(copy: Path) -> None:
    pooling = copy / "1_Pooling/config.json"
    pooling.unlink()
    pooling.write_text('{"embedding_dimension": 384, "pooling_mode": "cls"}')
    assert find_model(str(copy)).pooling == "cls"
    pooling.write_text('{"word_embedding_dimension": 384, "pooling_mode_max_tokens": true}')
    assert find_model(str(copy)).pooling == "max"


def test_limit_of_newer_models(copy: Path) -> None:
    (copy / "sentence_bert_config.json").unlink()
    assert find_model(str(copy)).max_tokens == 512
    edit(copy / "tokenizer_config.json", model_max_length=10**30)
    edit(copy / "config.json", max_position_embeddings=300)
    assert find_model(str(copy)).max_tokens == 300


def test_unknown_name_says_what_to_do() -> None:
    for name in ("", "no/such-model", "text-embedding-3-small"):
        with pytest.raises(EncoderError, match=r"encoder\.model"):
            find_model(name)


def test_incomplete_folders(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"config\.json is missing"):
        find_model(str(tmp_path))
    (copy / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"tokenizer\.json is missing"):
        find_model(str(copy))


def test_what_the_compiled_back_end_refuses(copy: Path, tmp_path: Path) -> None:
    edit(copy / "sentence_bert_config.json", do_lower_case=True)
    with pytest.raises(EncoderError, match="sentence-transformers"):
        CompiledEncoder(str(copy), tmp_path)
    pooling = copy / "1_Pooling/config.json"
    pooling.unlink()
    pooling.write_text('{"embedding_dimension": 384, "pooling_mode": "cls"}')
    with pytest.raises(EncoderError, match="pooling cls"):
        CompiledEncoder(str(copy), tmp_path)
