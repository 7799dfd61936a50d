"""Golden values of the objectives, penalties and controls beside SFT, RPSFT and L2-SP, from PyTorch and PEFT.

Writes reference/fixtures/methods.json: losses, cross-entropies, penalties and gradient norms of 20 optimizer steps of each run,
on the tied Llama of reference/llama.py with its optimizer and batches, and with the adapter of reference/lora.py; and
methods.safetensors: some weights after step 1 and step 20. Penalties are written densely and differentiated by autograd.

    python reference/methods.py
"""

import json
from contextlib import nullcontext

import lora
import numpy as np
import torch
from llama import FIXTURES, OPTIMIZER, documents, learning_rate, make_model
from safetensors.torch import save_file

# Strengths at which each term shows beside a gradient that is clipped to 1; k is a fraction of min(m, n) of each matrix.
BLOCK = dict(strength=3.0, fraction=0.25)
RUNS = {
    "dft": dict(objective="dft"),
    "iw-sft": dict(objective="iw-sft", tau=1.0),
    "iw-sft-through-scale": dict(objective="iw-sft", tau=0.5, throughScale=True),
    "kl-sft": dict(objective="kl-sft", beta=0.5),
    "two-sided-rpsft": dict(penalty="two-sided", **BLOCK),
    "random-basis": dict(penalty="random", seed=5, **BLOCK),
    "tail-basis": dict(penalty="tail", **BLOCK),
    "projection": dict(penalty="projection", fraction=0.25),
    "dft-rpsft": dict(objective="dft", penalty="top", **BLOCK),
    "iw-sft-two-sided": dict(objective="iw-sft", tau=1.0, penalty="two-sided", **BLOCK),
    "kl-sft-l2sp": dict(objective="kl-sft", beta=0.5, penalty="full", strength=0.5),
}
KEPT = ["model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight", "model.norm.weight"]
KEPT_OF_ADAPTER = ["model.layers.1.self_attn.q_proj.lora_A.weight", "model.layers.0.mlp.down_proj.lora_B.weight"]


def losses(model, without_training, docs, options) -> tuple[torch.Tensor, torch.Tensor]:
    """The objective, and the mean cross-entropy; every document by itself. `without_training()` gives the reference model and a context to run it in."""
    objective = options.get("objective", "sft")
    total, plain, count = 0.0, 0.0, 0
    for ids, trained in docs:
        if len(ids) < 2:
            continue
        mask = torch.tensor(trained[1:])
        targets = torch.tensor(ids[1:])
        log_p = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)[mask]
        nll = -log_p.gather(1, targets[mask, None])[:, 0]
        loss = nll
        if objective in ("iw-sft", "kl-sft"):
            reference, switched_off = without_training()
            with torch.no_grad(), switched_off:
                log_q = reference(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)[mask]
        if objective == "dft":
            loss = (-nll).exp().detach() * nll
        elif objective == "iw-sft":
            ratio = (-nll - log_q.gather(1, targets[mask, None])[:, 0]).mean()
            scale = (options["tau"] * ratio).exp().clamp(max=16)
            loss = (scale if options.get("throughScale") else scale.detach()) * nll
        elif objective == "kl-sft":
            loss = nll + options["beta"] * (log_p.exp() * (log_p - log_q)).sum(-1)
        total, plain, count = total + loss.sum(), plain + nll.sum(), count + int(mask.sum())
    return total / count, plain.detach() / count


def mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def random_directions(name: str, rows: int, k: int, seed: int, side: int) -> torch.Tensor:
    """An orthonormal basis of the subspace that shaders/spectral-gaussian.wgsl draws for a matrix."""
    hashed = 0x811C9DC5
    for character in name:
        hashed = ((hashed ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        first = mix(mix(np.array([hashed ^ seed ^ side], dtype=np.uint32)) + np.arange(rows * k, dtype=np.uint32))
        second = mix(first ^ np.uint32(0x85EBCA6B))
    radius = np.sqrt(-2 * np.log(((first >> np.uint32(8)) + 1.0) / 2**24))
    numbers = radius * np.cos(2 * np.pi * (second >> np.uint32(8)) / 2**24)
    return torch.linalg.qr(torch.tensor(numbers.reshape(rows, k)))[0].float()


def directions(name: str, weight: torch.Tensor, options: dict) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = weight.shape
    k = max(1, round(options["fraction"] * min(rows, columns)))
    if options["penalty"] == "random":
        return random_directions(name, rows, k, options["seed"], 0x10001), random_directions(name, columns, k, options["seed"], 0x20002)
    u, _, vh = torch.linalg.svd(weight.double(), full_matrices=False)
    chosen = slice(-k, None) if options["penalty"] == "tail" else slice(k)
    return u[:, chosen].float(), vh[chosen].T.float()


def penalty_of(changes: dict[str, torch.Tensor], bases: dict, options: dict) -> torch.Tensor:
    value = torch.zeros(())
    for name, change in changes.items():
        if options.get("penalty", "projection") == "projection":
            continue
        if options["penalty"] == "full":
            held = (change**2).sum()
        elif options["penalty"] == "two-sided":
            u, v = bases[name]
            right = change @ v
            held = ((u.T @ change) ** 2).sum() + ((right - u @ (u.T @ right)) ** 2).sum()
        else:
            u, v = bases[name]
            held = ((u.T @ change @ v) ** 2).sum()
        value = value + options["strength"] * held
    return value


def train(model, parameters: dict, matrices: dict, changes, without_training, options: dict, kept: list[str]) -> tuple[dict, dict]:
    """`matrices` are the pretrained weights that a penalty holds, and `changes()` what training has added to them."""
    bases = {name: directions(name, weight, options) for name, weight in matrices.items()} if "fraction" in options else {}
    decay = 0.0 if "lora" in next(iter(parameters)) else OPTIMIZER["weightDecay"]
    groups = [dict(params=[p], weight_decay=decay if p.dim() == 2 else 0.0) for p in parameters.values()]
    optimizer = torch.optim.AdamW(groups, betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["epsilon"])
    curve = dict(loss=[], crossEntropy=[], penalty=[], gradientNorm=[])
    weights = {}
    for step in range(1, OPTIMIZER["steps"] + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        loss, plain = losses(model, without_training, documents(step), options)
        penalty = penalty_of(changes(), bases, options)
        (loss + penalty).backward()
        if options.get("penalty") == "projection":
            for name, (u, v) in bases.items():
                gradient = parameters[name].grad
                gradient -= u @ (u.T @ gradient @ v) @ v.T
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), OPTIMIZER["clipNorm"])
        optimizer.step()
        for key, value in dict(loss=loss, crossEntropy=plain, penalty=penalty, gradientNorm=norm).items():
            curve[key].append(value.item())
        if step in (1, OPTIMIZER["steps"]):
            weights |= {f"{step}/{name}": parameters[name].detach().clone() for name in kept}
    return dict(options=options, **curve), weights


def train_full(options: dict) -> tuple[dict, dict]:
    model, reference = make_model("tied"), make_model("tied")
    parameters = dict(model.named_parameters())
    start = {name: p.detach().clone() for name, p in parameters.items() if p.dim() == 2}
    return train(model, parameters, start, lambda: {n: parameters[n] - w for n, w in start.items()}, lambda: (reference, nullcontext()), options, KEPT)


def train_adapter(options: dict) -> tuple[dict, dict]:
    model = lora.adapted(*lora.CASES[0])
    modules = {name.removeprefix("base_model.model.") + ".weight": m for name, m in model.named_modules() if hasattr(m, "lora_A")}
    matrices = {name: m.base_layer.weight.detach() for name, m in modules.items()}
    changes = lambda: {name: m.scaling["default"] * (m.lora_B["default"].weight @ m.lora_A["default"].weight) for name, m in modules.items()}
    return train(model, lora.factors(model), matrices, changes, lambda: (model, model.disable_adapter()), options, KEPT_OF_ADAPTER)


def main() -> None:
    facts: dict = dict(full={}, lora={})
    tensors = {}
    for name, options in RUNS.items():
        for kind, run in (("full", train_full), ("lora", train_adapter)):
            if kind == "lora" and options.get("penalty") == "projection":
                continue  # adapters have no gradient of a whole matrix
            facts[kind][name], weights = run(options)
            tensors |= {f"{kind}/{name}/{key}": value for key, value in weights.items()}
    (FIXTURES / "methods.json").write_text(json.dumps(facts))
    save_file(tensors, FIXTURES / "methods.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main()
