"""A tiny chat model with random weights, made on the spot: what vLLM serves in the tests.

Random weights write nonsense, and that is enough to test everything around a text: streaming,
usage, limits, failures. Two things are arranged, for nonsense alone would test too little:

- Every token has a bias, so that a text holds words and markers such as ``[1]`` rather than broken
  bytes, and that a JSON string which the server constrains is closed at some time.
- At temperature 0 the end is never the likeliest token, so that an answer runs to its token limit;
  at temperature 1 it comes by chance after some dozens of tokens.

The bias rides on one channel of the residual stream that every embedding sets to the same value and
no layer writes to; the output matrix reads the bias of each token from it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20260101
VOCABULARY = 1024
HIDDEN = 128
HEADS = 4
LAYERS = 2
INTERMEDIATE = 256
MAX_TOKENS = 8192  # of a prompt and its answer together

# Logits of words spread around 0; these stand against them. The last norm shrinks a bias to about
# 0.57 of itself. Chances at temperature 1: end 1%, a marker 2%, a quote that closes a string 4%.
LOGIT_SPREAD = 2.0
BIAS_CHANNEL = 0
BIAS_VALUE = 4.0
END_BIAS = 6.5
MARKER_BIAS = 7.5
QUOTE_BIAS = 9.0
# Never in free text; among each other they decide how JSON lists and numbers go on.
JSON_BIASES = {"{": -18.5, "]": -19.0, "}": -19.0, ",": -19.5, "1": -19.0, "2": -19.0, "3": -19.0}
UNREADABLE_BIAS = -30.0

END = "<|end|>"
SPECIAL = (END, "<|system|>", "<|user|>", "<|assistant|>")
MARKERS = tuple(f" [{number}]" for number in range(1, 6))
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_model(folder: Path, texts: list[str]) -> Path:
    """Write a model and its tokenizer in the Hugging Face layout, the same for the same texts.

    Args:
        folder: where; created.
        texts: what the tokenizer learns its vocabulary from.

    Returns:
        the folder: ``config.json``, ``model.safetensors`` (0.6 million parameters),
        ``tokenizer.json``, ``tokenizer_config.json`` with the chat template.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder, texts)
    end = vocabulary[END]
    _write_json(folder / "config.json", _config(end))
    _write_json(folder / "generation_config.json", {"eos_token_id": end, "pad_token_id": end})
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END,
            "pad_token": END,
            "model_max_length": MAX_TOKENS,
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        },
    )
    save_file(_weights(vocabulary), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _write_tokenizer(folder: Path, texts: list[str]) -> dict[str, int]:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(MARKERS),
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in MARKERS])
    tokenizer.save(str(folder / "tokenizer.json"))
    return dict(tokenizer.get_vocab())


def _config(end: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": MAX_TOKENS,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "eos_token_id": end,
        "torch_dtype": "float32",
    }


def _weights(vocabulary: dict[str, int]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(SEED)

    def matrix(rows: int, columns: int, scale: float) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    weights: dict[str, np.ndarray] = {"model.norm.weight": np.ones(HIDDEN, np.float32)}
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{name}.{norm}.weight"] = np.ones(HIDDEN, np.float32)
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weights[f"{name}.self_attn.{part}.weight"] = matrix(HIDDEN, HIDDEN, HIDDEN**-0.5)
        for part in ("gate_proj", "up_proj"):
            weights[f"{name}.mlp.{part}.weight"] = matrix(INTERMEDIATE, HIDDEN, HIDDEN**-0.5)
        weights[f"{name}.mlp.down_proj.weight"] = matrix(HIDDEN, INTERMEDIATE, HIDDEN**-0.5)
        # nothing writes to the channel that carries the bias
        weights[f"{name}.self_attn.o_proj.weight"][BIAS_CHANNEL] = 0
        weights[f"{name}.mlp.down_proj.weight"][BIAS_CHANNEL] = 0
    embedding = matrix(VOCABULARY, HIDDEN, 1.0)
    embedding[:, BIAS_CHANNEL] = BIAS_VALUE
    weights["model.embed_tokens.weight"] = embedding
    weights["lm_head.weight"] = _output_matrix(vocabulary, matrix)
    return weights


def _output_matrix(vocabulary: dict[str, int], matrix: Any) -> np.ndarray:
    output = matrix(VOCABULARY, HIDDEN, LOGIT_SPREAD * HIDDEN**-0.5)
    output[:, BIAS_CHANNEL] = UNREADABLE_BIAS / BIAS_VALUE
    for token, index in vocabulary.items():
        bias = _bias(token)
        output[index, BIAS_CHANNEL] = bias / BIAS_VALUE
        if bias != 0:  # the same chance at every step
            output[index, BIAS_CHANNEL + 1 :] = 0
    return output


def _bias(token: str) -> float:
    """The bias of a token's logit; ``token`` as the byte-level vocabulary spells it."""
    if token == END:
        return END_BIAS
    if token in MARKERS:
        return MARKER_BIAS
    if token == '"':
        return QUOTE_BIAS
    if token in JSON_BIASES:
        return JSON_BIASES[token]
    word = token.removeprefix("Ġ")
    return 0.0 if word.isascii() and word.isalpha() else UNREADABLE_BIAS


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
