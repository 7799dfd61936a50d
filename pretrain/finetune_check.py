"""Does the built-in model show what the page is about? Fine-tunes it on the demo task, with and without RPSFT.

    python finetune_check.py [--steps 600] [--methods sft rpsft] [--seeds 0 1 2] [--rate 5e-4]

SFT should learn the word problems and forget much of the rest; RPSFT should keep clearly more. Writes one section a
method into results.json: in-domain and out-of-domain counts along the run.
"""

import argparse

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from corpus import DATA
from evaluate import record
from model import Llama, load, one_document_per_row
from scoring import Row, read_rows, supervised_batch, teacher_forced
from tokenizer import MODEL

BATCH, WARM_UP, EVERY = 16, 20, 50


class RotationPenalty:
    """lambda * sum over 2-D weights of the squared norm of U_k^T (W - W0) V_k, with k a share of min(m, n)."""

    def __init__(self, model: Llama, strength: float, share: float):
        self.strength = strength
        self.held: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        for weight in (p for p in model.parameters() if p.dim() == 2):
            start = weight.detach().clone()
            u, _, vt = torch.linalg.svd(start, full_matrices=False)
            k = round(share * min(start.shape))
            self.held.append((weight, start, u[:, :k], vt[:k].T))

    def __call__(self) -> Tensor:
        return self.strength * sum((u.T @ (weight - start) @ v).square().sum() for weight, start, u, v in self.held)


def scores(model: Llama, held_out: list[Row], ood: list[Row]) -> str:
    right = [sum(teacher_forced(model, rows)) for rows in (held_out, ood)]
    return f"{right[0]}/{len(held_out)} in-domain, {right[1]}/{len(ood)} out-of-domain"


def fine_tune(seed: int, steps: int, rate: float, strength: float, share: float, train: list[Row], held_out: list[Row], ood: list[Row]) -> dict[str, str]:
    model = load(MODEL)
    penalty = RotationPenalty(model, strength, share) if strength else None
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.999), weight_decay=0.0)
    order = torch.cat([torch.randperm(len(train), generator=torch.Generator().manual_seed(seed * 100 + epoch)) for epoch in range(steps * BATCH // len(train) + 1)])
    along = {"0": scores(model, held_out, ood)}
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / WARM_UP)
        ids, targets = supervised_batch([train[i] for i in order[step * BATCH : (step + 1) * BATCH]])
        logits = model(*one_document_per_row(ids))
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
        (loss + penalty() if penalty else loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % EVERY == 0:
            along[str(step + 1)] = scores(model, held_out, ood)
            print(f"  step {step + 1}: loss {loss.item():.3f}, {along[str(step + 1)]}", flush=True)
    return along


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--methods", nargs="+", choices=("sft", "rpsft"), default=["sft", "rpsft"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--strength", type=float, default=10.0, help="lambda")
    parser.add_argument("--share", type=float, default=0.5, help="k as a share of min(m, n)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    suites = [read_rows(DATA / file, tokenizer) for file in ("demo-train.jsonl", "demo-heldout.jsonl", "ood.jsonl")]
    for method in arguments.methods:
        strength = arguments.strength if method == "rpsft" else 0.0
        name = f"{method}, lr {arguments.rate:g}" + (f", lambda {strength:g}, k {arguments.share:.0%}" if strength else "")
        runs = {}
        for seed in arguments.seeds:
            print(f"{name}, seed {seed}", flush=True)
            runs[f"seed {seed}"] = fine_tune(seed, arguments.steps, arguments.rate, strength, arguments.share, *suites)
        command = f"python finetune_check.py --methods {method} --steps {arguments.steps} --seeds {' '.join(map(str, arguments.seeds))} --rate {arguments.rate:g}"
        if strength:
            command += f" --strength {strength:g} --share {arguments.share:g}"
        record(name, {"command": command, "runs": runs})


if __name__ == "__main__":
    main()
