"""GRPO in reference/twin.py: fine-tuning to a level of in-domain accuracy, and from there groups of sampled answers and their rewards.

The start is a run of twin_run.py, stopped early. Advantages, the clipped ratio and the mean over tokens are those of
src/training/grpo.ts, which reference/grpo.py holds to PyTorch number for number on given answers. Prompts are the engine's, step by
step; answers are sampled by transformers' generate, so they are drawn from the same distribution with other random numbers.
"""

import re
import sys
import time

import torch
from transformers import AutoTokenizer
from twin_run import Run, evaluate, evaluate_all, predictions

# Answers of an update that are in memory together.
ANSWERS = 128


def fine_tune(run: Run, setup, job: dict) -> int:
    """Trains until in-domain accuracy is at `level` at two looks in a row; steps taken. One look alone may be there by chance."""
    size, before = run.settings["batchSize"], 0.0
    for step in range(1, run.settings["schedule"]["steps"] + 1):
        run.step(step, *setup.suites["train"].batch(job["order"][(step - 1) * size : step * size]))
        if step % job["lookEvery"] == 0:
            result = evaluate(run.model, setup.suites["heldOut"])
            share = result["correct"] / result["items"]
            if min(before, share) >= job["level"]:
                return step
            before = share
    raise ValueError(f"in-domain accuracy is {share} after {step} steps, below {job['level']}")


@torch.no_grad()
def sample(model, prompts: list[torch.Tensor], samples: int, limit: int) -> list[list[list[int]]]:
    """[prompt][answer] at temperature 1, the token that ends an answer included. Padding stands first, where it is masked."""
    end = model.config.eos_token_id
    longest = max(map(len, prompts))
    ids = torch.stack([torch.cat([torch.full((longest - len(prompt),), end), prompt]) for prompt in prompts])
    mask = torch.stack([torch.arange(longest) >= longest - len(prompt) for prompt in prompts]).long()
    options = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0, num_return_sequences=samples, max_new_tokens=limit, pad_token_id=end)
    answers = [answer[: answer.index(end) + 1] if end in answer else answer for answer in model.generate(ids, attention_mask=mask, **options)[:, longest:].tolist()]
    return [answers[first : first + samples] for first in range(0, len(answers), samples)]


def final_number(text: str) -> int | None:
    """As src/data/gold.ts finds it in the demo data: what stands after the last ####, else the last number. None where that is no whole number."""
    marked = text.rpartition("####")[2].lstrip().split("\n")[0].strip() if "####" in text else ""
    numbers = [marked] if marked else re.findall(r"(?<![\w)])-?\d+|\d+", text)[-1:]
    return int(numbers[0]) if numbers and re.fullmatch(r"-?\d+", numbers[0]) else None


def batches_of(answers: list[tuple[torch.Tensor, list[int], float]]):
    """Ids, labels and, of every label, the advantage; of the answers that have one. The others have no gradient."""
    pad = lambda rows, value: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
    learned = [each for each in answers if each[2] != 0]
    for first in range(0, len(learned), ANSWERS):
        part = learned[first : first + ANSWERS]
        ids = pad([torch.cat([prompt, torch.tensor(answer)]) for prompt, answer, _ in part], 0)
        labels = pad([torch.tensor([-100] * (len(prompt) - 1) + answer + [-100]) for prompt, answer, _ in part], -100)
        yield ids, labels, torch.tensor([advantage for _, _, advantage in part])[(labels != -100).nonzero()[:, 0]]


def update(run: Run, rates: list[float], answers: list[tuple[torch.Tensor, list[int], float]], settings: dict) -> float:
    """An update at each of the learning rates on (prompt, answer, advantage), a mean over the tokens of all answers; the gradient norm of the last."""
    tokens = sum(len(answer) for _, answer, _ in answers)
    low, high = 1 - settings["clipLow"], 1 + settings["clipHigh"]
    batches, sampled = list(batches_of(answers)), {}
    for rate in rates:
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        run.optimizer.zero_grad()
        for i, (ids, labels, advantages) in enumerate(batches):
            chosen = predictions(run.model, ids, labels).gather(1, labels[labels != -100][:, None])[:, 0]
            ratio = (chosen - sampled.setdefault(i, chosen.detach())).exp()
            (-torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages).sum() / tokens).backward()
        norm = torch.nn.utils.clip_grad_norm_(run.parameters.values(), settings["optimizer"]["clipNorm"]).item()
        run.optimizer.step()
    return norm


def reinforce(setup, job: dict) -> dict:
    """`tasks` has the index of the training example of every prompt of every step. `checked` are the answers of the last step with their rewards."""
    settings, tokenizer = job["reinforce"], AutoTokenizer.from_pretrained(setup.folder)
    schedule, size, updates = settings["schedule"], settings["prompts"], settings["updates"]
    read = lambda ids: tokenizer.decode(ids, skip_special_tokens=True)
    train = setup.suites["train"]
    prompts = [ids[~trained] for ids, trained in zip(train.ids, train.trained)]
    gold = [final_number(read(ids[trained])) for ids, trained in zip(train.ids, train.trained)]
    torch.manual_seed(settings["seed"])
    run = Run(setup, job["settings"], None)
    fine_tuned = fine_tune(run, setup, job)
    # Moments of fine-tuning are not those of the reward.
    optimizer = settings["optimizer"]
    run.optimizer = torch.optim.AdamW(run.parameters.values(), betas=(optimizer["beta1"], optimizer["beta2"]), eps=optimizer["epsilon"], weight_decay=optimizer["weightDecay"])
    points, records, seconds = [], [], 0.0

    def look(step: int) -> None:
        points.append(dict(step=step, **evaluate_all(run.model, setup)))
        print(f"GRPO step {step} after {fine_tuned} of fine-tuning: {points[-1]}", file=sys.stderr, flush=True)

    look(0)
    for step in range(1, schedule["steps"] + 1):
        before = time.perf_counter()
        tasks = job["tasks"][(step - 1) * size : step * size]
        groups = sample(run.model, [prompts[i] for i in tasks], settings["samples"], settings["maxNewTokens"])
        texts = [[read(answer) for answer in group] for group in groups]
        rewards = torch.tensor([[float(final_number(text) == gold[i]) for text in group] for i, group in zip(tasks, texts)])
        advantages = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-6)
        answers = [(prompts[i], answer, advantage) for i, group, row in zip(tasks, groups, advantages.tolist()) for answer, advantage in zip(group, row)]
        rates = [schedule["learningRate"] * min(1.0, ((step - 1) * updates + number) / schedule["warmupSteps"]) for number in range(1, updates + 1)]
        norm = update(run, rates, answers, settings)
        seconds += time.perf_counter() - before
        tokens = sum(len(answer) for _, answer, _ in answers) / len(answers)
        records.append(dict(reward=rewards.mean().item(), mixedGroups=(rewards.std(1) > 0).float().mean().item(), answerTokens=tokens, gradientNorm=norm))
        if step % job["evaluateEvery"] == 0:
            look(step)
    checked = [dict(task=i, text=text, reward=reward) for i, group, row in zip(tasks, texts, rewards.tolist()) for text, reward in zip(group, row)]
    return dict(fineTunedSteps=fine_tuned, points=points, records=records, seconds=seconds, checked=checked)
