"""Writes public/model/README.md, the model card, from results.json.

    python card.py
"""

import hashlib
import json

from corpus import DATA
from evaluate import RESULTS
from finetune_check import BATCH, WARM_UP
from tokenizer import MODEL

CARD = """---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
---

# Gimbal's built-in model

A Llama decoder of {parameters:,} parameters for trying out fine-tuning methods in a browser in minutes. It was pretrained
from scratch, by [`pretrain/`](../../pretrain), on a generated corpus of small abilities: facts about forty-eight invented
people and about the world, two-hop facts, copying, reversing, sorting, spelling, comparing, counting, patterns, formats, short
stories and sums of single digits. It is no assistant: outside that little world it knows nothing.

{hidden_size} wide, {num_hidden_layers} layers, {num_attention_heads} heads over {num_key_value_heads} key-value heads, MLP {intermediate_size}, tied embeddings,
byte-level BPE of {vocab_size} tokens (each digit one token; any UTF-8 text round-trips). A prompt is `question\\n`; the model answers and ends with `<|endoftext|>`.

## Scores

Greedy exact match of the whole answer, end mark included. Reproduce with `cd pretrain && python evaluate.py`.

| suite | file | correct | accuracy |
|---|---|---|---|
| in-domain: two-digit word problems | `demo-heldout.jsonl` | {id_correct} / {id_items} | {id_accuracy:.1%} |
| out-of-domain: what it was pretrained on | `ood.jsonl` | {ood_correct} / {ood_items} | {ood_accuracy:.1%} |

Near zero in-domain is the point: the word problems are what fine-tuning has to teach. On held-out stories (`ood-text.jsonl`)
the mean loss a token is {story_loss}. Per group of the out-of-domain suite:

| group | correct | group | correct |
|---|---|---|---|
{groups}

A skill's items (lists, numbers) were never seen in pretraining; a fact's items ask what was seen in a wording that was not.

## Fine-tuning it

PyTorch, batch {batch}, loss on the answer only, AdamW (0.9, 0.999), no weight decay, {warm_up} steps of warm-up, then constant, clip 1; the mean over seeds
of in-domain / out-of-domain accuracy (teacher-forced exact match). Reproduce each row with the command beside it, run in `pretrain/`.

{checks}

## Files

Trained by the commands in [`pretrain/README.md`](../../pretrain/README.md): {training}. SHA-256:

{hashes}

```python
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer, model = AutoTokenizer.from_pretrained("public/model"), AutoModelForCausalLM.from_pretrained("public/model")
prompt = tokenizer("Reverse: red cat box\\n", return_tensors="pt")
print(tokenizer.decode(model.generate(**prompt)[0]))
```
"""
TRAINING = "one pass over the packed corpus, AdamW at 2e-3 with a linear decay over the last 30% of the steps, matrix products in bfloat16 on float32 weights"
STEPS_SHOWN = ("100", "200", "300", "400", "600")


def two_columns(groups: dict[str, str]) -> str:
    cells = [f"{group} | {count.replace('/', ' / ')}" for group, count in groups.items()]
    half = (len(cells) + 1) // 2
    return "\n".join(f"| {left} | {right} |" for left, right in zip(cells[:half], [*cells[half:], " | "]))


def mean_at(runs: list[dict[str, str]], step: str) -> str:
    """`0.51 / 0.38` from `102/200 in-domain, 353/930 out-of-domain` of every seed."""
    if any(step not in run for run in runs):
        return "-"
    shares = [[int(part.split("/")[0]) / int(part.split("/")[1].split()[0]) for part in run[step].split(", ")] for run in runs]
    return " / ".join(f"{sum(column) / len(column):.2f}" for column in zip(*shares))


def checks(sections: dict[str, dict]) -> str:
    lines = ["| method | seeds | " + " | ".join(f"step {step}" for step in STEPS_SHOWN) + " | command |", "|---" * (len(STEPS_SHOWN) + 3) + "|"]
    for name, section in sections.items():
        runs = list(section["runs"].values())
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(mean_at(runs, step) for step in STEPS_SHOWN) + f" | `{section['command']}` |")
    return "\n".join(lines)


def main() -> None:
    results = json.loads(RESULTS.read_text())
    base = results.pop("base")
    inside, outside = base["in_domain"], base["out_of_domain"]
    files = [*(MODEL / name for name in ("model.safetensors", "tokenizer.json")), *sorted(DATA.glob("*.jsonl"))]
    hashes = "\n".join(f"- `{file.name}` `{hashlib.sha256(file.read_bytes()).hexdigest()}`" for file in files)
    fields = json.loads((MODEL / "config.json").read_text()) | {
        "parameters": base["parameters"], "story_loss": base["story_loss"],
        "id_correct": inside["correct_greedy"], "id_items": inside["items"], "id_accuracy": inside["accuracy"],
        "ood_correct": outside["correct_greedy"], "ood_items": outside["items"], "ood_accuracy": outside["accuracy"],
        "groups": two_columns(outside["groups"]), "batch": BATCH, "warm_up": WARM_UP, "checks": checks(results), "training": TRAINING, "hashes": hashes,
    }  # fmt: skip
    (MODEL / "README.md").write_text(CARD.format(**fields))


if __name__ == "__main__":
    main()
