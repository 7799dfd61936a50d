"""Pretrains the built-in model on the corpus, on one CPU thread, and writes the rest of its Hugging Face folder.

    python train.py             # --resume goes on from the last checkpoint in build/, with the same result

Documents are packed into rows; attention and positions stop at document borders, so that each is learned as it will be
met: alone, from position 0. Matrix products run in bfloat16 on float32 weights. One thread and fixed seeds make the
result the same bit for bit on the same machine.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from corpus import BUILD
from model import Llama, LlamaConfig, save
from tokenizer import END, MODEL

SEED = 0
ROW, BATCH = 64, 16  # tokens a row, rows a step
ROWS = 240_000  # packed rows in all, each seen once
LEARNING_RATE, WARM_UP, DECAY = 2e-3, 200, 0.3  # warm-up, constant, then a straight line to 0 over the last DECAY of the steps
WEIGHT_DECAY, BETAS = 0.1, (0.9, 0.95)
CHECKPOINT, CHECKPOINT_EVERY = BUILD / "checkpoint.pt", 500
QUESTION_WEIGHT = 0.25  # a token of a question counts a quarter in the loss: much of it (which words to sort) nobody could foresee
OPEN_ROWS = 16  # rows a document may still be placed in while packing
IGNORED = -100


def tokenized(tokenizer: Tokenizer, corpus: Path) -> Iterator[list[int]]:
    end = tokenizer.token_to_id(END)
    with corpus.open() as lines:
        while chunk := [json.loads(line) for _, line in zip(range(10_000), lines)]:
            for encoding in tokenizer.encode_batch(chunk):
                yield [*encoding.ids, end]


def pack(documents: Iterator[list[int]]) -> Iterator[list[list[int]]]:
    """Rows of whole documents, at most ROW tokens in all."""
    rows: list[list[list[int]]] = []
    used: list[int] = []
    for document in documents:
        place = next((i for i, size in enumerate(used) if size + len(document) <= ROW), None)
        if place is None:
            if len(rows) == OPEN_ROWS:
                fullest = max(range(OPEN_ROWS), key=used.__getitem__)
                used.pop(fullest)
                yield rows.pop(fullest)
            place = len(rows)
            rows.append([])
            used.append(0)
        rows[place].append(document)
        used[place] += len(document)
    yield from rows


def training_rows(tokenizer: Tokenizer, corpus: Path, count: int) -> Tensor:
    """int16 [row, 5, ROW]: ids, positions, document indices, targets, and 1 where the target is part of a question."""
    line_break = tokenizer.token_to_id("Ċ")
    table = np.zeros((count, 5, ROW), np.int16)
    table[:, 2], table[:, 3] = -1, IGNORED
    for packed, row in zip(table, pack(tokenized(tokenizer, corpus)), strict=False):
        start = 0
        for index, ids in enumerate(row):
            span = slice(start, start + len(ids))
            packed[0, span], packed[1, span], packed[2, span] = ids, np.arange(len(ids)), index
            packed[3, start : start + len(ids) - 1] = ids[1:]
            if line_break in ids:
                packed[4, start : start + ids.index(line_break)] = 1
            start += len(ids)
    assert table[-1, 1].any(), "the corpus has too few documents"
    return torch.from_numpy(table)


def learning_rate(step: int, steps: int) -> float:
    return LEARNING_RATE * min(1, (step + 1) / WARM_UP, (steps - step) / (DECAY * steps))


def train(model: Llama, rows: Tensor, resume: bool) -> None:
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=BETAS, fused=True)
    first = 0
    if resume:
        first, weights, moments = torch.load(CHECKPOINT)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)

    @torch.compile
    def loss_of(ids: Tensor, positions: Tensor, documents: Tensor, targets: Tensor, in_question: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(ids, positions, documents)
        losses = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none")
        weights = (targets != IGNORED) * torch.where(in_question == 1, QUESTION_WEIGHT, 1.0)
        return (losses * weights.flatten()).sum() / weights.sum()

    steps = len(rows) // BATCH
    began, recent = time.monotonic(), 0.0
    for step in range(first, steps):
        batch = rows[step * BATCH : (step + 1) * BATCH].long()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        loss = loss_of(*batch.unbind(1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent += loss.item()
        if (step + 1) % CHECKPOINT_EVERY == 0:
            rate = (step + 1 - first) * BATCH * ROW / (time.monotonic() - began)
            print(f"step {step + 1}/{steps}  loss {recent / CHECKPOINT_EVERY:.4f}  {rate:.0f} tokens/s", flush=True)
            recent = 0.0
            torch.save((step + 1, model.state_dict(), optimizer.state_dict()), CHECKPOINT)


def write_configuration(folder: Path, config: LlamaConfig, end: int) -> None:
    stated = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **asdict(config), "hidden_act": "silu", "tie_word_embeddings": True,
        "attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False, "rope_scaling": None, "pretraining_tp": 1, "use_cache": True,
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "torch_dtype": "float32",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(stated, indent=2) + "\n")
    generation = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "do_sample": False, "max_new_tokens": 64}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many packed rows to train on")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    config = LlamaConfig(vocab_size=tokenizer.get_vocab_size())
    model = Llama(config)
    rows = training_rows(tokenizer, BUILD / "corpus.jsonl", arguments.rows)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {(rows[:, 2] >= 0).sum()} tokens in {len(rows)} rows", flush=True)
    train(model, rows, arguments.resume)
    save(model, MODEL / "model.safetensors")
    write_configuration(MODEL, config, tokenizer.token_to_id(END))


if __name__ == "__main__":
    main()
