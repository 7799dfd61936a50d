"""Golden values of LoRA from PEFT, on checkpoints of reference/llama.py and reference/families.py.

Writes beside a checkpoint <settings>.safetensors: given A and B, and the gradient of each for the batch of batch.json, whose loss
is in lora.json. For the tied Llama also losses, gradient norms and penalties of 20 optimizer steps of each method, and in
lora-<method>.safetensors the A and B they end at. The penalties are written densely, on s B A, and differentiated by autograd.

    python reference/lora.py
"""

import json

import families
import torch
from llama import FIXTURES, METHODS, OPTIMIZER, documents, learning_rate, loss_of, make_model
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

SETTINGS = {
    "lora": dict(r=4, alpha=6, rsLora=False),
    "rslora": dict(r=3, alpha=2, rsLora=True),
}
# (folder, settings, targets). Of Llama one of q, k, v is missing, one of gate, up, and both layers that stand alone are there; of
# Qwen2 biases are added after the adapter; GPT-2's layers are Conv1D; GPT-NeoX mixes the rows of query, key and value.
CASES = [
    ("llama-tied", "lora", ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]),
    ("llama-tied", "rslora", ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]),
    ("qwen2", "lora", ["k_proj", "v_proj", "gate_proj"]),
    ("gpt2", "lora", ["c_attn", "c_proj", "c_fc"]),
    ("gpt-neox", "lora", ["query_key_value", "dense", "dense_4h_to_h"]),
]


def adapted(folder: str, name: str, targets: list[str]):
    """The model with an adapter whose B is not zero, so that no gradient is."""
    settings = SETTINGS[name]
    config = LoraConfig(r=settings["r"], lora_alpha=settings["alpha"], use_rslora=settings["rsLora"], lora_dropout=0.0, target_modules=list(targets))
    base = make_model("tied") if folder == "llama-tied" else families.make_model(*families.MODELS[folder])
    model = get_peft_model(base, config)
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in factors(model).values():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def factors(model) -> dict[str, torch.nn.Parameter]:
    """A and B by the names PEFT saves them under, less its prefix."""
    return {name.removeprefix("base_model.model.").replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad}


def penalty_of(model, bases, options) -> torch.Tensor:
    value = torch.zeros(())
    for name, module in model.named_modules():
        if not hasattr(module, "lora_A") or "penalty" not in options:
            continue
        change = module.scaling["default"] * (module.lora_B["default"].weight @ module.lora_A["default"].weight)
        if options["penalty"] == "block":
            u, v = bases[name]
            change = u.T @ change @ v
        value = value + options["strength"] * (change**2).sum()
    return value


def bases_of(model, options) -> dict:
    bases = {}
    for name, module in model.named_modules():
        if hasattr(module, "lora_A") and options.get("penalty") == "block":
            weight = module.base_layer.weight.detach()
            k = max(1, round(options["fraction"] * min(weight.shape)))
            u, _, vh = torch.linalg.svd(weight.double(), full_matrices=False)
            bases[name] = (u[:, :k].float(), vh[:k].T.float())
    return bases


def train(options: dict) -> tuple[dict, dict]:
    model = adapted(*CASES[0])
    bases = bases_of(model, options)
    parameters = list(factors(model).values())
    optimizer = torch.optim.AdamW(parameters, betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["epsilon"], weight_decay=OPTIMIZER["weightDecay"])
    curve = dict(loss=[], penalty=[], gradientNorm=[])
    for step in range(1, OPTIMIZER["steps"] + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        loss, penalty = loss_of(model, documents(step)), penalty_of(model, bases, options)
        (loss + penalty).backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, OPTIMIZER["clipNorm"])
        optimizer.step()
        curve["loss"].append(loss.item())
        curve["penalty"].append(penalty.item())
        curve["gradientNorm"].append(norm.item())
    return curve, {name: p.detach().clone() for name, p in factors(model).items()}


def main() -> None:
    facts = dict(cases=[], runs={})
    for folder, name, targets in CASES:
        model = adapted(folder, name, targets)
        loss = loss_of(model, documents(1))
        loss.backward()
        tensors = {n: p.detach().clone() for n, p in factors(model).items()}
        save_file(tensors | {f"gradient/{n}": p.grad for n, p in factors(model).items()}, FIXTURES / folder / f"{name}.safetensors", {"format": "pt"})
        facts["cases"].append(dict(folder=folder, name=name, settings=SETTINGS[name], loss=loss.item()))
    for name, options in METHODS.items():
        curve, last = train(options)
        facts["runs"][name] = dict(options=options, **curve)
        save_file(last, FIXTURES / "llama-tied" / f"lora-{name}.safetensors", {"format": "pt"})
    (FIXTURES / "lora.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
