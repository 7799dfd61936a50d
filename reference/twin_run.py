"""The runs of reference/twin.py: data, objectives, penalties, the loop and teacher-forced evaluation.

The model is transformers', adapters are PEFT's, and gradients autograd's: what agrees with the engine here agrees with other
people's code. `settings` are the engine's FineTuneSettings with the objective, the penalty and the held directions that
methods/registry.ts makes of them.
"""

import time
from contextlib import nullcontext

import torch
from methods import random_directions
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()

torch.set_num_threads(1)
# Batches of 16 examples are large enough for one core, and denormal moments would slow AdamW down.
torch.set_flush_denormal(True)

EVALUATION_ROWS = 64


class Suite:
    """Examples as the engine tokenised them. `trained` marks tokens that are labels."""

    def __init__(self, examples: list[dict]):
        self.ids = [torch.tensor(example["ids"]) for example in examples]
        self.trained = [torch.tensor(example["trained"], dtype=torch.bool) for example in examples]

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, indices) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and labels [examples, longest], -100 where nothing is trained. Padding stands last, where causal attention hides it."""
        pad = torch.nn.utils.rnn.pad_sequence
        ids = pad([self.ids[i] for i in indices], batch_first=True)
        labels = pad([self.ids[i].masked_fill(~self.trained[i], -100) for i in indices], batch_first=True, padding_value=-100)
        return ids, torch.cat([labels[:, 1:], torch.full((len(ids), 1), -100)], 1)


def predictions(model, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [trained tokens, vocabulary]."""
    decoder = model.get_base_model() if hasattr(model, "peft_config") else model
    hidden = decoder.model(input_ids=ids, use_cache=False).last_hidden_state
    return decoder.lm_head(hidden[labels != -100]).log_softmax(-1)


def losses(model, reference, ids: torch.Tensor, labels: torch.Tensor, settings: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """The objective and the mean cross-entropy. `reference` gives the pretrained model and a context to run it in."""
    kind = settings["objective"]
    targets = labels[labels != -100]
    log_p = predictions(model, ids, labels)
    nll = -log_p.gather(1, targets[:, None])[:, 0]
    if kind == "sft":
        return nll.mean(), nll.detach().mean()
    if kind == "dft":
        return ((-nll).exp().detach() * nll).mean(), nll.detach().mean()
    pretrained, switched_off = reference()
    with torch.no_grad(), switched_off:
        log_q = predictions(pretrained, ids, labels)
    if kind == "kl-sft":
        return (nll + settings["beta"] * (log_p.exp() * (log_p - log_q)).sum(-1)).mean(), nll.detach().mean()
    ratio = (-nll - log_q.gather(1, targets[:, None])[:, 0]).detach()
    row = (labels != -100).nonzero()[:, 0]
    counts = torch.zeros(len(ids)).index_add_(0, row, torch.ones_like(ratio)).clamp(min=1)
    means = torch.zeros(len(ids)).index_add_(0, row, ratio) / counts
    return ((settings["tau"] * means).exp().clamp(max=16)[row] * nll).mean(), nll.detach().mean()


def effective_rank(shape, fraction: float) -> int:
    """As spectral/decompose.ts has it: whole fours from 32 on."""
    short = min(shape)
    step = 4 if short >= 32 else 1
    return short if fraction >= 1 else min(short, step * max(1, int(fraction * short / step + 0.5)))


def directions(name: str, weight: torch.Tensor, held: str, fraction: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """U [rows, k] and V [columns, k] of the pretrained weight: its `top` or `tail` singular vectors, or the engine's `random` ones."""
    k = effective_rank(weight.shape, fraction)
    if held == "random":
        return random_directions(name, weight.shape[0], k, seed, 0x10001), random_directions(name, weight.shape[1], k, seed, 0x20002)
    u, _, vh = torch.linalg.svd(weight.double(), full_matrices=False)
    chosen = slice(-k, None) if held == "tail" else slice(k)
    return u[:, chosen].float(), vh[chosen].T.float()


class Setup:
    def __init__(self, message: dict):
        self.folder = message["model"]
        self.suites = {name: Suite(examples) for name, examples in message["suites"].items()}

    def model(self):
        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval()


class Run:
    """A model under training. `matrices` are the pretrained weights a penalty holds, by the names of their files."""

    def __init__(self, setup: Setup, settings: dict, adapter: dict | None):
        self.settings = settings
        self.model = setup.model()
        self.start = {name: parameter.detach().clone() for name, parameter in self.model.named_parameters()}
        lora = settings.get("lora")
        if lora:
            options = LoraConfig(r=lora["rank"], lora_alpha=lora["alpha"], use_rslora=lora["rsLora"], lora_dropout=0.0, target_modules=lora["targets"])
            self.model = get_peft_model(self.model, options)
            self.adapted = {name.removeprefix("base_model.model.") + ".weight": module for name, module in self.model.named_modules() if hasattr(module, "lora_A")}
            with torch.no_grad():
                for name, module in self.adapted.items():
                    module.lora_A["default"].weight.copy_(torch.tensor(adapter[name]).reshape(module.lora_A["default"].weight.shape))
            self.matrices = {name: self.start[name] for name in self.adapted}
            self.reference = lambda: (self.model, self.model.disable_adapter())
        else:
            self.adapted = None
            self.matrices = {name: weight for name, weight in self.start.items() if weight.dim() == 2}
            pretrained = setup.model() if settings["objective"] in ("iw-sft", "kl-sft") else None
            self.reference = lambda: (pretrained, nullcontext())
        self.parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        held = settings.get("held")
        self.bases = {name: directions(name, w, held, settings["rankFraction"], settings["seed"]) for name, w in self.matrices.items()} if held else {}
        decay = settings["optimizer"]["weightDecay"]
        groups = [dict(params=[p], weight_decay=decay if p.dim() == 2 else 0.0) for p in self.parameters.values()]
        optimizer = settings["optimizer"]
        self.optimizer = torch.optim.AdamW(groups, betas=(optimizer["beta1"], optimizer["beta2"]), eps=optimizer["epsilon"])

    def change(self, name: str) -> torch.Tensor:
        if self.adapted is None:
            return self.parameters[name] - self.start[name]
        module = self.adapted[name]
        return module.scaling["default"] * (module.lora_B["default"].weight @ module.lora_A["default"].weight)

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights, adapters merged."""
        with torch.no_grad():
            if self.adapted is None:
                return {name: p.detach().clone() for name, p in self.parameters.items()}
            return {name: w + self.change(name) if name in self.adapted else w for name, w in self.start.items()}

    def penalty(self) -> torch.Tensor:
        kind = self.settings.get("penalty")
        value = torch.zeros(())
        if kind in (None, "projection"):
            return value
        for name in self.matrices:
            change = self.change(name)
            if kind == "l2sp":
                held = (change**2).sum()
            elif kind == "two-sided-rpsft":
                u, v = self.bases[name]
                right = change @ v
                held = ((u.T @ change) ** 2).sum() + ((right - u @ (u.T @ right)) ** 2).sum()
            else:
                u, v = self.bases[name]
                held = ((u.T @ change @ v) ** 2).sum()
            value = value + held
        return self.settings["lambda"] * value

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then constant; steps count from 1."""
        schedule = self.settings["schedule"]
        assert schedule["kind"] == "constant", schedule
        return schedule["learningRate"] * min(1.0, step / schedule["warmupSteps"])

    def step(self, step: int, ids: torch.Tensor, labels: torch.Tensor) -> dict:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        self.optimizer.zero_grad()
        loss, plain = losses(self.model, self.reference, ids, labels, self.settings)
        penalty = self.penalty()
        (loss + penalty).backward()
        if self.settings.get("penalty") == "projection":
            for name, (u, v) in self.bases.items():
                gradient = self.parameters[name].grad
                gradient -= u @ (u.T @ gradient @ v) @ v.T
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings["optimizer"]["clipNorm"])
        self.optimizer.step()
        return dict(loss=loss.item(), crossEntropy=plain.item(), penalty=penalty.item(), gradientNorm=norm.item())


@torch.no_grad()
def evaluate(model, suite: Suite) -> dict:
    """Items of which greedy decoding would write exactly the completion, and the mean loss of their trained tokens."""
    correct, total, tokens = 0, 0.0, 0
    order = sorted(range(len(suite)), key=lambda i: len(suite.ids[i]))
    for first in range(0, len(order), EVALUATION_ROWS):
        ids, labels = suite.batch(order[first : first + EVALUATION_ROWS])
        log_p = predictions(model, ids, labels)
        targets = labels[labels != -100]
        wrong = torch.zeros(len(ids)).index_add_(0, (labels != -100).nonzero()[:, 0], (log_p.argmax(-1) != targets).float())
        correct += int((wrong == 0).sum())
        total, tokens = total - log_p.gather(1, targets[:, None]).sum().item(), tokens + len(targets)
    return dict(correct=correct, items=len(suite), loss=total / tokens)


def train(setup, job: dict) -> dict:
    settings = job["settings"]
    run = Run(setup, settings, job.get("adapter"))
    size, steps, every = settings["batchSize"], settings["schedule"]["steps"], job.get("evaluateEvery")
    started, training, points, curve = time.perf_counter(), 0.0, [], []
    for step in range(steps + 1):
        if step > 0:
            before = time.perf_counter()
            curve.append(run.step(step, *setup.suites["train"].batch(job["order"][(step - 1) * size : step * size])))
            training += time.perf_counter() - before
        if every and step % every == 0:
            points.append(dict(step=step, **evaluate_all(run.model, setup)))
    if "save" in job:
        save_file({name: weight.contiguous() for name, weight in run.weights().items()}, job["save"])
    if job.get("curve"):
        return dict(curve=curve)
    return dict(points=points, trainingSeconds=training, seconds=time.perf_counter() - started)


def evaluate_all(model, setup) -> dict:
    return {name: evaluate(model, setup.suites[name]) for name in ("heldOut", "outOfDomain")}
