"""Steps of the engine, as reference/exportTwin.ts wrote them, run again by the twin of the study."""

import json
from pathlib import Path

import twin_run

# Both sum in f32, in another order, as for logits. AdamW divides a gradient by its own size, so the few elements whose gradients are rounding step the
# other way; one of the 16,000 that does changes 4 / 16,000 of a penalty at most, and hardly a loss, which barely depends on it.
LOSS = 1e-5
GRADIENT_NORM = 1e-4
PENALTY = 1e-3


class TwinRun:
    def __init__(self, folder: Path):
        self.expected = json.loads((folder / "expected.json").read_text())
        self.worst = 0.0

    def check_twin_gives_the_same_steps(self):
        ours = twin_run.train(twin_run.Setup(self.expected["setup"]), self.expected["job"])["curve"]
        theirs = self.expected["curve"]
        assert len(ours) == len(theirs) > 0, (len(ours), len(theirs))
        for key, tolerance in dict(loss=LOSS, crossEntropy=LOSS, gradientNorm=GRADIENT_NORM, penalty=PENALTY).items():
            largest = max(abs(step[key]) for step in theirs)
            for at, (own, other) in enumerate(zip(ours, theirs), 1):
                size = largest if key == "penalty" else abs(other[key])
                difference = abs(own[key] - other[key])
                assert difference <= tolerance * size, f"step {at}: {key} {own[key]} here, {other[key]} in the engine"
        if self.expected["job"]["settings"]["lambda"] > 0:
            assert theirs[-1]["penalty"] > 1e-3 * theirs[-1]["loss"], "the penalty is too small to be compared"
