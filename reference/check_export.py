"""Opens an exported folder with safetensors and transformers, and compares its losses with those the engine gave.

    node scripts/run.mjs reference/export.ts FOLDER && python reference/check_export.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = Path(sys.argv[1])
with safe_open(folder / "model.safetensors", "pt") as file:
    assert file.metadata() == {"format": "pt"}, file.metadata()
    names = set(file.keys())
model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    assert not info[kind], (kind, info[kind])
assert names == {name for name, _ in model.named_parameters()}, "names differ from the model's own"
tokenizer = AutoTokenizer.from_pretrained(folder)

worst = 0.0
for item in json.loads((folder / "expected.json").read_text()):
    ids = torch.tensor(item["ids"])
    assert tokenizer.encode(tokenizer.decode(ids), add_special_tokens=False) == item["ids"], "the tokenizer does not round-trip"
    with torch.no_grad():
        logits = model(ids[None]).logits[0, :-1]
    trained = torch.tensor(item["trained"][1:], dtype=torch.bool)
    nll = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")[trained].sum().item()
    exact = bool((logits.argmax(-1) == ids[1:])[trained].all())
    assert exact == item["exact"]
    worst = max(worst, abs(nll - item["nll"]) / nll)
assert worst < 1e-5, worst

model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = model(ids[None], labels=ids[None]).loss
loss.backward()
optimizer.step()
print(f"{len(names)} tensors open, largest relative difference of a loss {worst:.1e}, and a training step from there works (loss {loss.item():.3f})")
