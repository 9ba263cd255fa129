"""Makes a cross-encoder of two layers and trains it, in seconds, to look for the asked word."""

import random
from pathlib import Path
from typing import Any

TOPICS = ["refund", "volcano", "parking", "holiday"]
FILLERS = ["the", "policy", "of", "says", "about", "what", "does", "our", "near", "in", "full"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *TOPICS, *FILLERS, "?", ".", "a", "##a"]
TRAINING_STEPS = 400


def make_cross_encoder(folder: Path, *, labels: int = 1, steps: int = TRAINING_STEPS) -> None:
    """Write the model into a folder.

    Args:
        folder: where to write.
        labels: outputs of the model.
        steps: of training; the rule: a text that holds the question's topic scores high.
    """
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(5)
    (folder / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64)
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=128, max_position_embeddings=64, num_labels=labels,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.15,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other take most of so small a model
    try:
        _train(model, tokenizer, steps)
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train(model: Any, tokenizer: Any, steps: int) -> None:
    import torch

    chance = random.Random(5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(steps):
        questions, texts, wanted = zip(*(_example(chance) for _ in range(32)), strict=True)
        inputs = tokenizer(list(questions), list(texts), padding=True, return_tensors="pt")
        logits = model(**inputs).logits[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(wanted))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def _example(chance: random.Random) -> tuple[str, str, float]:
    """(question, text, 1.0 where the text holds the question's topic)."""
    asked, other = chance.sample(TOPICS, 2)
    wanted = chance.random() < 0.5
    words = [*chance.choices(FILLERS, k=chance.randint(0, 5)), asked if wanted else other]
    chance.shuffle(words)
    if chance.random() < 0.1:
        words, wanted = [], False
    return f"what does the {asked} policy say?", " ".join(words), float(wanted)
