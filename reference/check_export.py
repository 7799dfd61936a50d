"""Opens every kind of export with safetensors, transformers and peft, compares logits with those the engine gave, and trains a step from there.

    node scripts/run.mjs reference/export.ts FOLDER && python reference/check_export.py FOLDER

The last line is "N passed, N failed"; a check is one thing said of one export. A second argument names a file for the two numbers.
"""

import json
import math
import sys
import traceback
import warnings
from pathlib import Path

import torch
from check_twin import TwinRun
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerState
from transformers.utils import logging

logging.disable_progress_bar()
warnings.filterwarnings("ignore", category=FutureWarning)

# Both sides sum in f32, in another order: a relative error of some sqrt(products * terms) roundings of 2^-24, with room for a factor of ten.
ROUNDING = 1e-5


def rows(path: Path) -> dict:
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()
    return load_file(path)


class Export:
    def __init__(self, folder: Path):
        self.folder = folder
        self.expected = json.loads((folder / "expected.json").read_text())
        self.worst = 0.0

    def load_base(self):
        return AutoModelForCausalLM.from_pretrained(self.expected["base"], dtype=torch.float32).eval()

    def difference(self, model) -> float:
        """Largest difference of a logit after the prompts, relative to the largest logit."""
        worst = largest = 0.0
        for prompt in self.expected["prompts"]:
            with torch.no_grad():
                logits = model(torch.tensor([prompt["ids"]])).logits[0, -1]
            theirs = torch.tensor(prompt["logits"])
            if theirs.dim() == 2:  # [id, logit] of the largest, as logits.json has them
                logits, theirs = logits[theirs[:, 0].long()], theirs[:, 1]
            worst = max(worst, (logits - theirs).abs().max().item())
            largest = max(largest, theirs.abs().max().item())
        return worst / largest

    def compare(self, model) -> None:
        self.worst = max(self.worst, self.difference(model))
        assert self.worst < ROUNDING, f"logits differ by {self.worst:.1e} of the largest"

    def train(self, model, names: str) -> None:
        """One step of AdamW; every parameter whose name has `names` in it must move and stay finite."""
        model.train()
        parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3)
        ids = torch.tensor([self.expected["prompts"][0]["ids"]])
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        assert math.isfinite(loss.item()), loss
        assert parameters and all(names in name for name in parameters), "other parameters are trained"
        for name, parameter in parameters.items():
            assert torch.isfinite(parameter).all() and not torch.equal(parameter, before[name]), f"{name} did not move"

    # Checks of every export

    def check_trainer_state_opens(self):
        state = TrainerState.load_from_json(self.folder / "trainer_state.json")
        steps = [entry["step"] for entry in state.log_history if "loss" in entry]
        assert state.global_step == self.expected["steps"] and steps == list(range(1, state.global_step + 1)), steps
        assert all(math.isfinite(entry[key]) for entry in state.log_history if "loss" in entry for key in ("epoch", "grad_norm", "learning_rate", "loss"))

    def check_tokenizer_opens(self):
        ids = self.expected["prompts"][0]["ids"]
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        assert tokenizer.convert_tokens_to_ids(tokenizer.convert_ids_to_tokens(ids)) == ids


class ModelExport(Export):
    def load(self):
        model, info = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32, output_loading_info=True)
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            assert not info[kind], (kind, info[kind])
        return model.eval()

    def check_safetensors_has_every_weight(self):
        tensors = rows(self.folder / "model.safetensors")
        dtype = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}[self.expected["dtype"]]
        assert {tensor.dtype for tensor in tensors.values()} == {dtype}
        # That every name is known is what load asserts: GPT-NeoX's head has one name in files and another in transformers 5.
        assert len(tensors) == len(list(self.load().parameters()))
        assert json.loads((self.folder / "config.json").read_text())["torch_dtype"] == str(dtype).removeprefix("torch.")

    def check_transformers_gives_the_same_logits(self):
        self.compare(self.load())

    def check_training_goes_on(self):
        self.train(self.load(), "")


class PeftExport(Export):
    def load(self, **options):
        with warnings.catch_warnings():
            # PEFT only warns of an adapter whose names match nothing.
            warnings.filterwarnings("error", message=".*(missing|unexpected|fan_in_fan_out).*")
            return PeftModel.from_pretrained(self.load_base(), self.folder, **options)

    def check_peft_gives_the_same_logits(self):
        model = self.load()
        self.compare(model)
        adapted = {name.rsplit(".lora_A", 1)[0] for name in model.state_dict() if ".lora_A." in name}
        stored = {name.rsplit(".lora_A", 1)[0] for name in rows(self.folder / "adapter_model.safetensors") if ".lora_A." in name}
        assert adapted == stored, adapted ^ stored

    def check_adapter_is_no_noop(self):
        apart = self.difference(self.load_base())
        assert apart > 1000 * ROUNDING, f"the base model alone differs by {apart:.1e} only"

    def check_merged_gives_the_same_logits(self):
        self.compare(self.load().merge_and_unload())

    def check_training_goes_on(self):
        self.train(self.load(is_trainable=True), "lora_")


class MlxExport(Export):
    """mlx-lm runs on Apple's machines first; here the file is held against PEFT's, which is checked as above."""

    LAYERS = {"gpt2": "transformer.h.", "gpt_neox": "gpt_neox.layers."}

    def check_has_pefts_matrices_transposed(self):
        config = json.loads((self.folder / "adapter_config.json").read_text())
        theirs = json.loads((self.folder.parent / "peft" / "adapter_config.json").read_text())
        base = json.loads((Path(self.expected["base"]) / "config.json").read_text())
        r, alpha = theirs["r"], theirs["lora_alpha"]
        parameters = config["lora_parameters"]
        assert config["fine_tune_type"] == "lora" and parameters["rank"] == r and parameters["dropout"] == 0
        assert math.isclose(parameters["scale"], alpha / (math.sqrt(r) if theirs["use_rslora"] else r))
        assert config["num_layers"] == base.get("num_hidden_layers", base.get("n_layer"))
        layers = self.LAYERS.get(base["model_type"], "model.layers.")
        peft = rows(self.folder.parent / "peft" / "adapter_model.safetensors")
        mlx = rows(self.folder / "adapters.safetensors")
        assert len(mlx) == len(peft)
        for name, tensor in mlx.items():
            path, half = name.rsplit(".lora_", 1)
            layer, key = path.removeprefix("model.layers." if layers == "model.layers." else "model.h.").split(".", 1)
            assert key in parameters["keys"], key
            assert torch.equal(tensor.T, peft[f"base_model.model.{layers}{layer}.{key}.lora_{half.upper()}.weight"]), name


KINDS = {"model": ModelExport, "peft": PeftExport, "mlx": MlxExport, "twin": TwinRun}


def main() -> int:
    passed = failed = 0
    worst = 0.0
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/*/expected.json"))
    for folder in folders:
        export = KINDS[json.loads((folder / "expected.json").read_text())["kind"]](folder)
        for name in (name for name in dir(export) if name.startswith("check_")):
            where = f"{folder.parent.name}/{folder.name}: {name.removeprefix('check_').replace('_', ' ')}"
            try:
                getattr(export, name)()
                passed += 1
            except Exception:
                failed += 1
                print(f"FAILED {where}\n{traceback.format_exc()}", file=sys.stderr)
            else:
                print(f"ok {where}")
        worst = max(worst, export.worst)
    print(f"Largest difference of a logit, relative to the largest: {worst:.1e}\n{passed} passed, {failed} failed")
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(dict(passed=passed, failed=failed)))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
