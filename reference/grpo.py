"""Golden values of GRPO from PyTorch: four updates on given groups of answers, on the tied Llama of reference/llama.py.

Writes reference/fixtures/grpo.json: prompts, answers and rewards; the advantages, and of each update the loss, the gradient norm
and the share of tokens that are clipped; the entropy at the sampled tokens. Beside it grpo.safetensors: some gradients of the
first update (ratio 1) and of the last (clipped on both sides), and weights after it. The twin of the study has to come to these weights too.

    python reference/grpo.py
"""

import json
from types import SimpleNamespace

import torch
from llama import FIXTURES, make_model
from safetensors.torch import save_file
from twin_reinforce import update

SETTINGS = dict(clipLow=0.2, clipHigh=0.28, updates=4, learningRate=4e-3, beta1=0.9, beta2=0.98, epsilon=1e-7, clipNorm=1.0)
REWARDS = [[1, 0, 0, 1], [0, 0, 1, 0], [1, 1, 1, 1]]
KEPT = ["model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight", "model.norm.weight"]


def groups() -> list[dict]:
    """Prompts and answers of several lengths; what a step learns from."""
    generator = torch.Generator().manual_seed(5)
    draw = lambda low, high, size=(): torch.randint(low, high, size, generator=generator).tolist()
    return [dict(prompt=draw(0, 50, (draw(2, 7),)), answers=[draw(0, 50, (draw(1, 9),)) for _ in rewards], rewards=rewards) for rewards in REWARDS]


def twin_difference(samples: list, tensors: dict) -> float:
    """Largest difference of a weight after the same updates by the twin of the study."""
    model = make_model("tied")
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.AdamW(parameters.values(), lr=0.0, betas=(SETTINGS["beta1"], SETTINGS["beta2"]), eps=SETTINGS["epsilon"], weight_decay=0.0)
    answers = [(torch.tensor(prompt), answer, advantage) for prompt, answer, advantage in samples]
    settings = dict(clipLow=SETTINGS["clipLow"], clipHigh=SETTINGS["clipHigh"], optimizer=dict(clipNorm=SETTINGS["clipNorm"]))
    update(SimpleNamespace(model=model, parameters=parameters, optimizer=optimizer), [SETTINGS["learningRate"]] * SETTINGS["updates"], answers, settings)
    return max((parameters[name] - tensors[f"weight/{name}"]).abs().max().item() for name in KEPT)


def main() -> None:
    model = make_model("tied")
    rollout = groups()
    for group in rollout:
        rewards = torch.tensor(group["rewards"], dtype=torch.float)
        group["advantages"] = ((rewards - rewards.mean()) / (rewards.std() + 1e-6)).tolist()
    samples = [(g["prompt"], answer, advantage) for g in rollout for answer, advantage in zip(g["answers"], g["advantages"])]
    count = sum(len(answer) for _, answer, _ in samples)
    optimizer = torch.optim.AdamW(model.parameters(), lr=SETTINGS["learningRate"], betas=(SETTINGS["beta1"], SETTINGS["beta2"]), eps=SETTINGS["epsilon"], weight_decay=0.0)
    sampled: list[torch.Tensor] = []
    curve = dict(loss=[], gradientNorm=[], clipShare=[])
    tensors = {}
    entropy, nearest = 0.0, 1.0
    for update in range(SETTINGS["updates"]):
        optimizer.zero_grad()
        loss, clipped = torch.zeros(()), 0
        for i, (prompt, answer, advantage) in enumerate(samples):
            log_p = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            chosen = log_p.gather(1, torch.tensor(answer)[:, None])[:, 0]
            if update == 0:
                sampled.append(chosen.detach())
                entropy += -(log_p.exp() * log_p).sum().item() / count
            ratio = (chosen - sampled[i]).exp()
            bounded = ratio.clamp(1 - SETTINGS["clipLow"], 1 + SETTINGS["clipHigh"])
            loss = loss - torch.minimum(ratio * advantage, bounded * advantage).sum() / count
            clipped += int((bounded * advantage < ratio * advantage).sum())
            for bound in (1 - SETTINGS["clipLow"], 1 + SETTINGS["clipHigh"]):
                nearest = min(nearest, (ratio - bound).abs().min().item())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf"))
        if update in (0, SETTINGS["updates"] - 1):
            tensors |= {f"gradient {update + 1}/{n}": p.grad.clone() for n, p in model.named_parameters() if n in KEPT}
        torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS["clipNorm"])
        optimizer.step()
        for key, value in dict(loss=loss.item(), gradientNorm=norm.item(), clipShare=clipped / count).items():
            curve[key].append(value)
    # A ratio beside its bound could fall to either side by a rounding.
    assert nearest > 1e-4, nearest
    assert 0 < curve["clipShare"][-1] < 1
    tensors |= {f"weight/{n}": p.detach().clone() for n, p in model.named_parameters() if n in KEPT}
    difference = twin_difference(samples, tensors)
    # Four updates of weights of about 1, each rounded by about 2^-24, from gradients summed in another order.
    assert difference < 1e-6, difference
    (FIXTURES / "grpo.json").write_text(json.dumps(dict(settings=SETTINGS, groups=rollout, entropy=entropy, **curve)))
    save_file(tensors, FIXTURES / "grpo.safetensors", {"format": "pt"})
    print(curve, entropy, nearest, difference)


if __name__ == "__main__":
    main()
