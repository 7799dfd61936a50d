"""Exact match, two ways, and perplexity. A row is right when the whole answer and the end mark are."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from model import Llama, one_document_per_row
from tokenizer import END

EVALUATION_BATCH = 128
NEW_TOKENS = 48  # longer than any answer of the suites


@dataclass(frozen=True)
class Row:
    prompt: list[int]
    completion: list[int]  # ends in the end mark
    group: str


def read_rows(file: Path, tokenizer: Tokenizer) -> list[Row]:
    """Each part is tokenized alone, as the app does: `question\\n`, then the answer and the end mark."""
    end = tokenizer.token_to_id(END)
    rows = []
    for line in file.read_text().splitlines():
        row = json.loads(line)
        answer = [*tokenizer.encode(row["answer"]).ids, end]
        rows.append(Row(tokenizer.encode(row["question"] + "\n").ids, answer, row.get("group", "")))
    return rows


def padded(sequences: list[list[int]], fill: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in sequences], batch_first=True, padding_value=fill)


def supervised_batch(rows: list[Row]) -> tuple[Tensor, Tensor]:
    """ids and next-token targets [batch, seq - 1]; targets outside the answer are -100."""
    ids = padded([row.prompt + row.completion for row in rows], 0)
    targets = padded([[-100] * len(row.prompt) + row.completion for row in rows], -100)
    return ids[:, :-1], targets[:, 1:]


@torch.no_grad()
def teacher_forced(model: Llama, rows: list[Row]) -> list[bool]:
    """Every argmax along the answer is right: equals greedy exact match, in one pass."""
    correct: list[bool] = []
    for start in range(0, len(rows), EVALUATION_BATCH):
        ids, targets = supervised_batch(rows[start : start + EVALUATION_BATCH])
        guess = model(*one_document_per_row(ids)).argmax(-1)
        correct += ((guess == targets) | (targets == -100)).all(-1).tolist()
    return correct


@torch.no_grad()
def greedy(model: Llama, prompt: list[int], end: int) -> list[int]:
    ids = list(prompt)
    while len(ids) < len(prompt) + NEW_TOKENS and (len(ids) == len(prompt) or ids[-1] != end):
        logits = model(*one_document_per_row(torch.tensor([ids])))
        ids.append(int(logits[0, -1].argmax()))
    return ids[len(prompt) :]


@torch.no_grad()
def text_loss(model: Llama, file: Path, tokenizer: Tokenizer) -> float:
    """Mean negative log-likelihood a token of plain texts, first token excepted, end mark included."""
    end = tokenizer.token_to_id(END)
    texts = [[*tokenizer.encode(json.loads(line)["text"]).ids, end] for line in file.read_text().splitlines()]
    ids, targets = padded(texts, 0)[:, :-1], padded(texts, -100)[:, 1:]
    logits = model(*one_document_per_row(ids))
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100).item()
