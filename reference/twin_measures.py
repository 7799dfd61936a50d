"""What the study measures beside accuracy, of weights that reference/twin_run.py trained: drift, representations, outputs, restore, Fisher shares.

Definitions are those of src/spectral. Singular vectors and everything after the forward passes are f64.
"""

from pathlib import Path

import torch
from diagnostics import divergences, representation, states
from safetensors.torch import load_file
from twin_run import directions, effective_rank, evaluate_all

PROBE_TOKENS = 1024
# The engine's random directions take a seed; Fisher shares are of the pretrained weights and have no run's.
FISHER_SEED = 0


def matrices(model) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if p.dim() == 2}


def drift_of(before: torch.Tensor, after: torch.Tensor, k: int) -> dict:
    before, after = before.double(), after.double()
    u0, s0, v0 = torch.linalg.svd(before, full_matrices=False)
    u1, s1, v1 = torch.linalg.svd(after, full_matrices=False)
    left, right = u0[:, :k].T @ u1[:, :k], v0[:k] @ v1[:k].T
    angles = lambda cross: torch.rad2deg(torch.linalg.svdvals(cross).clamp(max=1).acos())
    change = after - before
    block = u0[:, :k].T @ change @ v0[:k].T
    whole = (change**2).sum()
    share = lambda values: ((values**2).sum() / whole).item() if whole > 0 else 0.0
    return dict(
        leftAngle=angles(left).mean().item(),
        rightAngle=angles(right).mean().item(),
        largestAngle=max(angles(left).max().item(), angles(right).max().item()),
        vectorAlignment=(left.diagonal().abs().mean() + right.diagonal().abs().mean()).item() / 2,
        blockShare=share(block),
        blockDiagonal=share(block.diagonal()),
        blockChance=k * k / before.numel(),
        singularValueChange=((s1 - s0)[:k].abs() / s0[:k]).mean().item(),
        relativeChange=(change.norm() / before.norm()).item(),
    )


def mean_of(rows: list[dict]) -> dict:
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def probe(suite) -> list[tuple[list[int], None]]:
    """The first examples of PROBE_TOKENS tokens together, the last of them cut."""
    documents, left = [], PROBE_TOKENS
    for ids in suite.ids:
        if left > 0:
            documents.append((ids[:left].tolist(), None))
            left -= len(ids)
    return documents


@torch.no_grad()
def restored(model, tuned: dict, start: dict, part: str, fraction: float, seed: int):
    """`model` with the tuned weights, of which a part of the top-k block, or a block of random directions, is the pretrained one again."""
    for name, parameter in model.named_parameters():
        parameter.copy_(tuned[name])
        if name not in start:
            continue
        u, v = directions(name, start[name], "random" if part == "random" else "top", fraction, seed)
        block = u.T @ (tuned[name] - start[name]) @ v
        if part == "values":
            block = block.diagonal().diag()
        elif part == "rotation":
            block = block - block.diagonal().diag()
        parameter -= u @ block @ v.T
    return model


def measure(setup, job: dict) -> dict | None:
    if not Path(job["weights"]).exists():
        return None
    base, model, fraction = setup.model(), setup.model(), job["fraction"]
    start, tuned = matrices(base), load_file(job["weights"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tuned[name])
    documents = probe(setup.suites["outOfDomain"])
    (before, p), (after, q) = states(base, documents), states(model, documents)
    places = [representation(x, y) for x, y in zip(before, after)]
    return dict(
        drift=mean_of([drift_of(weight, tuned[name], effective_rank(weight.shape, fraction)) for name, weight in start.items()]),
        representation=dict(cka=places[-1]["cka"], cosine=places[-1]["cosine"], pcaShift=places[-1]["pcaShift"], layerCka=[place["cka"] for place in places[:-1]]),
        output=divergences(p, q),
        restore={part: evaluate_all(restored(model, tuned, start, part, fraction, job["seed"]), setup) for part in ("block", "values", "rotation", "random")},
    )


def fisher(setup, job: dict) -> dict:
    """E‖UᵀGV‖² / E‖G‖² over single examples' gradients G of the pretrained weights, all matrices together, and k²/(mn) weighted by their energy."""
    model, suite, fraction = setup.model(), setup.suites[job["suite"]], job["fraction"]
    start = {name: p for name, p in model.named_parameters() if p.dim() == 2}
    bases = {name: {held: directions(name, p.detach(), held, fraction, FISHER_SEED) for held in ("top", "random", "tail")} for name, p in start.items()}
    energy, chance, shares = 0.0, 0.0, dict(top=0.0, random=0.0, tail=0.0)
    # Every n-th example, so that all groups of a suite are among them.
    chosen = range(0, len(suite), max(1, len(suite) // job["count"]))[: job["count"]]
    for i in chosen:
        ids, labels = suite.batch([i])
        loss = torch.nn.functional.cross_entropy(model(ids).logits[0], labels[0])
        for (name, p), gradient in zip(start.items(), torch.autograd.grad(loss, list(start.values()))):
            own = (gradient.double() ** 2).sum().item()
            energy, chance = energy + own, chance + own * effective_rank(p.shape, fraction) ** 2 / p.numel()
            for held, (u, v) in bases[name].items():
                shares[held] += ((u.T @ gradient @ v).double() ** 2).sum().item()
    return dict(examples=len(chosen), chance=chance / energy, **{held: value / energy for held, value in shares.items()})
