"""RPSFT with LoRA on a real model in PyTorch, with bases by torch.linalg.svd in f64: called by bench/rpsft.ts.

    python reference/real_rpsft.py MODEL-FOLDER ROWS.jsonl OUT

Writes to OUT: start.safetensors and end.safetensors (A and B of every linear layer by PEFT's names, before and after), and run.json: the settings, the tokens
and trained labels of the step's rows, and loss, penalty and gradient norm of each step.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

STEPS, RANK, LENGTH, LAMBDA, FRACTION = 5, 16, 192, 1.0, 0.2
OPTIMIZER = dict(learningRate=1e-3, beta1=0.9, beta2=0.98, epsilon=1e-7, weightDecay=0.0, clipNorm=1.0)
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def rows_of(path: str, tokenizer) -> list[dict]:
    rows = []
    for line in Path(path).read_text().splitlines():
        row = json.loads(line)
        prompt = tokenizer(row["question"] + "\n", add_special_tokens=False)["input_ids"]
        answer = tokenizer(row["answer"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        if len(prompt) + len(answer) <= LENGTH:
            rows.append(dict(ids=prompt + answer, prompt=len(prompt)))
        if len(rows) == STEPS:
            return rows
    raise SystemExit(f"{path} has fewer than {STEPS} rows of at most {LENGTH} tokens.")


def effective_rank(shape: torch.Size) -> int:
    """As src/spectral/decompose.ts has it: whole fours from a smaller side of 32 on."""
    return 4 * max(1, int(FRACTION * min(shape) / 4 + 0.5))


def factors(model) -> dict[str, torch.nn.Parameter]:
    return {name.removeprefix("base_model.model.").replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad}


def main() -> None:
    folder, data, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    torch.manual_seed(1)
    rows = rows_of(data, AutoTokenizer.from_pretrained(folder))
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=RANK, lora_dropout=0.0, target_modules=TARGETS)).eval()
    parameters = factors(model)
    save_file({name: p.detach().clone() for name, p in parameters.items()}, out / "start.safetensors")
    bases = []
    for module in model.modules():
        if hasattr(module, "lora_A"):
            weight = module.base_layer.weight.detach()
            k = effective_rank(weight.shape)
            u, _, vh = torch.linalg.svd(weight.double(), full_matrices=False)
            bases.append((module, u[:, :k].float(), vh[:k].T.float()))
    optimizer = torch.optim.AdamW(
        list(parameters.values()), lr=OPTIMIZER["learningRate"], betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["epsilon"], weight_decay=OPTIMIZER["weightDecay"]
    )
    curve = dict(loss=[], penalty=[], gradientNorm=[])
    for row in rows:
        optimizer.zero_grad()
        ids = torch.tensor([row["ids"]])
        labels = torch.tensor([[-100] * row["prompt"] + row["ids"][row["prompt"] :]])
        loss = model(input_ids=ids, labels=labels).loss
        penalty = torch.zeros(())
        for module, u, v in bases:
            block = (u.T @ module.lora_B["default"].weight) @ (module.lora_A["default"].weight @ v)
            penalty = penalty + LAMBDA * (module.scaling["default"] * block).square().sum()
        (loss + penalty).backward()
        norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), OPTIMIZER["clipNorm"])
        optimizer.step()
        for name, value in dict(loss=loss, penalty=penalty, gradientNorm=norm).items():
            curve[name].append(value.item())
    save_file({name: p.detach().clone() for name, p in parameters.items()}, out / "end.safetensors")
    facts = dict(rank=RANK, length=LENGTH, strength=LAMBDA, fraction=FRACTION, optimizer=OPTIMIZER, rows=rows, **curve)
    (out / "run.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
