"""Scores the model in public/model, checks it against transformers, and writes the base section of results.json.

    python evaluate.py
"""

import json
from collections import Counter
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from corpus import DATA, HERE
from model import Llama, load, one_document_per_row
from scoring import Row, greedy, read_rows, teacher_forced, text_loss
from tokenizer import END, MODEL

RESULTS = HERE / "results.json"


def record(section: str, values: dict) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[section] = values
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def both_ways(model: Llama, rows: list[Row], end: int) -> tuple[list[bool], list[bool]]:
    return teacher_forced(model, rows), [greedy(model, row.prompt, end) == row.completion for row in rows]


def check_against_transformers(model: Llama, folder: Path, rows: list[Row], tokenizer: Tokenizer) -> float:
    """Largest difference of the logits; the tokenizers must agree on every token."""
    theirs, their_tokenizer = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager"), AutoTokenizer.from_pretrained(folder)
    largest = 0.0
    for row in rows:
        ids = torch.tensor([row.prompt + row.completion])
        text = tokenizer.decode(row.prompt, skip_special_tokens=False)
        assert their_tokenizer(text)["input_ids"] == row.prompt and their_tokenizer.decode(row.prompt) == text
        with torch.no_grad():
            largest = max(largest, (theirs(ids).logits - model(*one_document_per_row(ids))).abs().max().item())
    assert largest < 1e-3, f"logits differ from transformers by {largest}"
    return largest


def main() -> None:
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    end = tokenizer.token_to_id(END)
    model = load(MODEL)
    base: dict = {"parameters": sum(p.numel() for p in model.parameters())}
    for name, file in (("in_domain", "demo-heldout.jsonl"), ("out_of_domain", "ood.jsonl")):
        rows = read_rows(DATA / file, tokenizer)
        forced, decoded = both_ways(model, rows, end)
        base[name] = {"items": len(rows), "correct_teacher_forced": sum(forced), "correct_greedy": sum(decoded), "accuracy": round(sum(decoded) / len(rows), 4)}
    items, correct = Counter(row.group for row in rows), Counter(row.group for row, right in zip(rows, decoded) if right)
    base["out_of_domain"]["groups"] = {group: f"{correct[group]}/{count}" for group, count in items.items()}
    base["story_loss"] = round(text_loss(model, DATA / "ood-text.jsonl", tokenizer), 4)
    base["largest_logit_difference_from_transformers"] = check_against_transformers(model, MODEL, rows[:31], tokenizer)
    record("base", base)
    print(json.dumps(base, indent=2))


if __name__ == "__main__":
    main()
