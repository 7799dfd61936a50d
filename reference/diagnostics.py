"""Golden values of the diagnostics from PyTorch and transformers, on checkpoints of reference/llama.py and reference/families.py.

Writes reference/fixtures/diagnostics.json: for each family, how far the hidden states and the next-token distributions of a
changed copy are from those of the checkpoint, and for some the Fisher alignment of per-example gradients. The changed copy
has 0.05 sin(i) added to element i of every tensor of its file. Everything after the forward and backward passes is f64.
Beside it fisher.safetensors: the gradients of one matrix, example by example.

    python reference/diagnostics.py
"""

import json

import torch
from families import MODELS, make_model, named
from llama import FIXTURES, documents
from llama import make_model as make_llama
from safetensors.torch import save_file

FRACTION = 0.25
FISHER = ["llama-tied", "gpt2"]
KEPT = ("llama-tied", "model.layers.0.self_attn.k_proj.weight")


def checkpoint(folder: str):
    return make_llama(folder.removeprefix("llama-")) if folder in ("llama-tied", "llama-untied") else make_model(*MODELS[folder])


def change(model) -> None:
    with torch.no_grad():
        for parameter in {id(p): p for p in named(model).values()}.values():
            parameter.add_((0.05 * torch.sin(torch.arange(parameter.numel(), dtype=torch.float64))).float().reshape(parameter.shape))


def layers_and_norm(model):
    body = getattr(model, "model", None) or getattr(model, "transformer", None) or model.gpt_neox
    norm = next(getattr(body, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(body, name))
    return getattr(body, "layers", None) or body.h, norm


def states(model, docs) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Residual streams after each layer with the final-normed states last, [tokens, hidden] each, and log-probabilities."""
    layers, norm = layers_and_norm(model)
    seen = [[] for _ in range(len(layers) + 1)]
    first = lambda output: output[0] if isinstance(output, tuple) else output
    hooks = [module.register_forward_hook(lambda _m, _i, output, at=at: seen[at].append(first(output)[0])) for at, module in enumerate([*layers, norm])]
    with torch.no_grad():
        logits = torch.cat([model(torch.tensor([ids])).logits[0] for ids, _ in docs])
    for hook in hooks:
        hook.remove()
    return [torch.cat(each).double() for each in seen], logits.double().log_softmax(-1)


def representation(x: torch.Tensor, y: torch.Tensor) -> dict:
    centred, centred_y = x - x.mean(0), y - y.mean(0)
    cka = (centred.T @ centred_y).norm() ** 2 / ((centred.T @ centred).norm() * (centred_y.T @ centred_y).norm())
    _, sigma, vh = torch.linalg.svd(centred, full_matrices=False)
    moved = (y.mean(0) - x.mean(0)) @ vh[:2].T
    spread = (sigma[:2] ** 2).sum() / len(x)
    return dict(
        cka=cka.item(),
        cosine=torch.cosine_similarity(x, y, dim=-1).mean().item(),
        pcaShift=(moved.norm() / spread.sqrt()).item(),
        explained=((sigma[:2] ** 2).sum() / (sigma**2).sum()).item(),
    )


def divergences(p: torch.Tensor, q: torch.Tensor) -> dict:
    """Means over tokens of KL(p, q), KL(q, p) and the Jensen-Shannon divergence, from log-probabilities, in nats."""
    kl = lambda a, b: (a.exp() * (a - b)).sum(-1)
    middle = torch.log((p.exp() + q.exp()) / 2)
    return dict(baseToTuned=kl(p, q).mean().item(), tunedToBase=kl(q, p).mean().item(), jensenShannon=((kl(p, middle) + kl(q, middle)) / 2).mean().item())


def fisher(folder: str, docs) -> dict:
    model = checkpoint(folder)
    matrices = {name: p for name, p in named(model).items() if p.dim() == 2}
    energies = {name: dict(gradient=[], top=[], tail=[]) for name in matrices}
    kept = []
    for ids, trained in docs:
        if not any(trained[1:]):
            continue
        logits = model(torch.tensor([ids])).logits[0, :-1]
        mask = torch.tensor(trained[1:])
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")[mask].mean()
        for (name, parameter), gradient in zip(matrices.items(), torch.autograd.grad(loss, list(matrices.values()))):
            u, _, vh = torch.linalg.svd(parameter.detach().double(), full_matrices=False)
            short = min(parameter.shape)
            # As the engine has it: whole fours from 32 on.
            step = 4 if short >= 32 else 1
            k = step * max(1, round(FRACTION * short / step))
            energies[name]["gradient"].append((gradient.double() ** 2).sum().item())
            for kind, part in (("top", slice(0, k)), ("tail", slice(short - k, short))):
                energies[name][kind].append(((u[:, part].T @ gradient.double() @ vh[part].T) ** 2).sum().item())
            if (folder, name) == KEPT:
                kept.append(gradient)
    if kept:
        save_file({str(i): gradient.contiguous() for i, gradient in enumerate(kept)}, FIXTURES / "fisher.safetensors", {"format": "pt"})
    return energies


def main() -> None:
    docs = documents(1)
    facts = dict(documents=[dict(ids=ids, trained=trained) for ids, trained in docs], fraction=FRACTION, kept=KEPT[1], drift={}, fisher={})
    for folder in ["llama-tied", "llama-untied", *MODELS]:
        base, tuned = checkpoint(folder), checkpoint(folder)
        change(tuned)
        (x, p), (y, q) = states(base, docs), states(tuned, docs)
        facts["drift"][folder] = dict(layers=[representation(a, b) for a, b in zip(x, y)], output=divergences(p, q))
    for folder in FISHER:
        facts["fisher"][folder] = fisher(folder, docs)
    (FIXTURES / "diagnostics.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
