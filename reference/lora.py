"""Golden values of LoRA from PEFT, on the checkpoint of reference/llama.py.

Writes reference/fixtures/llama-tied/lora.json and lora-*.safetensors: for alpha / r with r = 4 and for rsLoRA with r = 3, given A and B,
the loss of the batch in batch.json with the gradient of every A and B; and losses, gradient norms and penalties of 20 optimizer
steps of SFT, RPSFT and L2-SP with the first, and the A and B they end at. The penalties are written densely, on s B A, and differentiated by
autograd.

    python reference/lora.py
"""

import json

import torch
from llama import FIXTURES, METHODS, OPTIMIZER, documents, learning_rate, loss_of, make_model
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

# One of q, k, v missing, one of gate, up missing, and both layers that stand alone.
TARGETS = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
SETTINGS = {
    "lora": dict(r=4, alpha=6, rsLora=False),
    "rslora": dict(r=3, alpha=2, rsLora=True),
}


def adapted(name: str):
    """The model with an adapter whose B is not zero, so that no gradient is."""
    settings = SETTINGS[name]
    config = LoraConfig(r=settings["r"], lora_alpha=settings["alpha"], use_rslora=settings["rsLora"], lora_dropout=0.0, target_modules=TARGETS)
    model = get_peft_model(make_model("tied"), config)
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
    model = adapted("lora")
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
    folder = FIXTURES / "llama-tied"
    facts = dict(targets=TARGETS, settings=SETTINGS, loss={}, runs={})
    for name in SETTINGS:
        model = adapted(name)
        loss = loss_of(model, documents(1))
        loss.backward()
        facts["loss"][name] = loss.item()
        tensors = {n: p.detach().clone() for n, p in factors(model).items()}
        save_file(tensors | {f"gradient/{n}": p.grad for n, p in factors(model).items()}, folder / f"{name}.safetensors", {"format": "pt"})
    for name, options in METHODS.items():
        curve, last = train(options)
        facts["runs"][name] = dict(options=options, **curve)
        save_file(last, folder / f"lora-{name}.safetensors", {"format": "pt"})
    (folder / "lora.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
