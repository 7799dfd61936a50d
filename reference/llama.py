"""Golden values of the Llama family and of the fine-tuning methods, from transformers and PyTorch.

Writes reference/fixtures/llama-{tied,untied}/: a small random checkpoint in Hugging Face layout, a packed batch, and what
transformers gives for it: logits' losses, and the gradient of every weight. Beside them methods.json: losses, gradient norms
and penalties of 20 optimizer steps of each method, and the weights after step 1 and step 20.

    python reference/llama.py
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

FIXTURES = Path(__file__).parent / "fixtures"
ROWS, LENGTH, IGNORED = 2, 24, 0xFFFFFFFF

CONFIGS = {
    "tied": dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True),
    "untied": dict(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False),
}
# (method, options); k is a fraction of min(m, n) of each matrix
METHODS = {
    "sft": dict(),
    "rpsft": dict(penalty="block", strength=3.0, fraction=0.25),
    "l2sp": dict(penalty="full", strength=0.5),
}
OPTIMIZER = dict(learningRate=3e-3, beta1=0.9, beta2=0.98, epsilon=1e-7, weightDecay=0.1, clipNorm=1.0, warmupSteps=4, schedule="cosine", steps=20)


def make_model(name: str) -> LlamaForCausalLM:
    torch.manual_seed(7)
    config = LlamaConfig(vocab_size=50, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, initializer_range=0.2, **CONFIGS[name])
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():  # gains of one would hide a missing gain
        for parameter_name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def documents(seed: int) -> list[tuple[list[int], list[bool]]]:
    """Token ids with a mask of the tokens that are trained as targets; four documents for two rows."""
    generator = torch.Generator().manual_seed(seed)
    result = []
    for length, trained_from in ((10, 4), (14, 6), (17, 1), (1, 1)):
        ids = torch.randint(0, 50, (length,), generator=generator).tolist()
        result.append((ids, [i >= trained_from for i in range(length)]))
    return result


def pack(docs) -> dict:
    """Documents 0 and 1 fill row 0; document 2, 3 and padding fill row 1."""
    batch = dict(ids=[], labels=[], positions=[], documentStart=[], rowWeights=[])
    count = sum(sum(trained[1:]) for _, trained in docs)
    for row in ((docs[0], docs[1]), (docs[2], docs[3])):
        at = 0
        for ids, trained in row:
            for i, token in enumerate(ids):
                target = i + 1 < len(ids) and trained[i + 1]
                batch["ids"].append(token)
                batch["labels"].append(ids[i + 1] if target else IGNORED)
                batch["positions"].append(i)
                batch["documentStart"].append(at)
                batch["rowWeights"].append(1 / count if target else 0)
            at += len(ids)
        for i in range(at, LENGTH):
            for key, value in dict(ids=0, labels=IGNORED, positions=0, documentStart=i, rowWeights=0).items():
                batch[key].append(value)
    return batch


def loss_of(model, docs) -> torch.Tensor:
    """Mean cross-entropy over all trained tokens; every document by itself, as the document mask promises."""
    total, count = 0.0, 0
    for ids, trained in docs:
        if len(ids) < 2:
            continue
        logits = model(torch.tensor([ids])).logits[0, :-1]
        mask = torch.tensor(trained[1:])
        nll = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
        total, count = total + (nll * mask).sum(), count + int(mask.sum())
    return total / count


def learning_rate(step: int) -> float:
    """Linear warm-up, then cosine to zero; `step` counts from 1."""
    warm, last, peak = OPTIMIZER["warmupSteps"], OPTIMIZER["steps"], OPTIMIZER["learningRate"]
    if step <= warm:
        return peak * step / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (last - warm)))


def penalty_of(model, start, bases, options) -> torch.Tensor:
    value = torch.zeros(())
    for name, parameter in model.named_parameters():
        if parameter.dim() != 2 or "penalty" not in options:
            continue
        change = parameter - start[name]
        if options["penalty"] == "block":
            u, v = bases[name]
            change = u.T @ change @ v
        value = value + options["strength"] * (change**2).sum()
    return value


def train(name: str, options: dict) -> tuple[dict, dict, dict]:
    model = make_model(name)
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    bases = {}
    for n, w in start.items():
        if w.dim() == 2 and options.get("penalty") == "block":
            k = max(1, round(options["fraction"] * min(w.shape)))
            u, _, vh = torch.linalg.svd(w.double(), full_matrices=False)
            bases[n] = (u[:, :k].float(), vh[:k].T.float())
    groups = [
        dict(params=[p for p in model.parameters() if p.dim() == 2], weight_decay=OPTIMIZER["weightDecay"]),
        dict(params=[p for p in model.parameters() if p.dim() == 1], weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["epsilon"])
    curve = dict(loss=[], penalty=[], gradientNorm=[])
    after_first = {}
    for step in range(1, OPTIMIZER["steps"] + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        loss, penalty = loss_of(model, documents(step)), penalty_of(model, start, bases, options)
        (loss + penalty).backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIMIZER["clipNorm"])
        optimizer.step()
        curve["loss"].append(loss.item())
        curve["penalty"].append(penalty.item())
        curve["gradientNorm"].append(norm.item())
        if step == 1:
            after_first = {n: p.detach().clone() for n, p in model.named_parameters()}
    return curve, after_first, {n: p.detach().clone() for n, p in model.named_parameters()}


def main() -> None:
    for name in CONFIGS:
        folder = FIXTURES / f"llama-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        model = make_model(name)
        model.config.architectures = ["LlamaForCausalLM"]
        model.config.to_json_file(folder / "config.json")
        save_file({n: p.detach().contiguous() for n, p in model.named_parameters()}, folder / "model.safetensors", {"format": "pt"})
        docs = documents(1)
        loss = loss_of(model, docs)
        loss.backward()
        save_file({n: p.grad.contiguous() for n, p in model.named_parameters()}, folder / "gradients.safetensors", {"format": "pt"})
        (folder / "batch.json").write_text(json.dumps(dict(rows=ROWS, length=LENGTH, loss=loss.item(), **pack(docs))))
    methods = dict(optimizer=OPTIMIZER, batches=[pack(documents(step)) for step in range(1, OPTIMIZER["steps"] + 1)], methods={})
    for method, options in METHODS.items():
        curve, first, last = train("tied", options)
        methods["methods"][method] = dict(options=options, **curve)
        save_file({**{f"1/{n}": p for n, p in first.items()}, **{f"20/{n}": p for n, p in last.items()}}, FIXTURES / "llama-tied" / f"{method}.safetensors", {"format": "pt"})
    (FIXTURES / "llama-tied" / "methods.json").write_text(json.dumps(methods))


if __name__ == "__main__":
    main()
