"""The engine's fine-tuning runs in PyTorch: the same examples, batches, objectives, penalties, AdamW and schedule.

experiment/studyTwin.ts starts it and talks to it over stdin and stdout, a line of JSON a message:

    {"model": folder, "suites": {name: [{"ids": [...], "trained": [...]}]}}    first; answered with what it runs on
    {"job": "train", "order": [...], "settings": {...}, ...}                    answered with evaluations, or with the curve of its steps
    {"job": "measure", "weights": file, "fraction": f, "seed": s}               answered with drift, representations, outputs, restore
    {"job": "fisher", "suite": name, "count": n, "fraction": f}                 answered with shares
    {"job": "reinforce", "order": [...], "tasks": [...], ...}                   answered with evaluations and the records of its steps

`order` has the index of every example of every step. Runs are in twin_run.py, what is measured after them in twin_measures.py, RL in
twin_reinforce.py.
"""

import json
import platform
import sys
from pathlib import Path

import torch
import twin_measures
import twin_reinforce
import twin_run


def device() -> str:
    name = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "CPU") if Path("/proc/cpuinfo").exists() else platform.processor()
    return f"PyTorch {torch.__version__.split('+')[0]}, one thread, {name}"


def main() -> None:
    setup = twin_run.Setup(json.loads(sys.stdin.readline()))
    print(json.dumps(dict(device=device())), flush=True)
    jobs = dict(train=twin_run.train, measure=twin_measures.measure, fisher=twin_measures.fisher, reinforce=twin_reinforce.reinforce)
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(jobs[job["job"]](setup, job)), flush=True)


if __name__ == "__main__":
    main()
