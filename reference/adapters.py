"""Small adapters that PEFT itself writes, for the reader's tests: reference/fixtures/peft/<case>/.

Each has random A and B, and expected.json with what PEFT adds to each layer's weight, as [out, in] whatever the layer's own layout.

    python reference/adapters.py
"""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM

FIXTURES = Path(__file__).parent / "fixtures" / "peft"

MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(vocab_size=10, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=10, n_embd=8, n_head=2, n_layer=1, n_positions=16, bos_token_id=0, eos_token_id=0)),
    "gpt_neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=10, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=16)),
}
CASES = {
    "llama": ("llama", dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"])),
    "llama-rslora": ("llama", dict(r=4, lora_alpha=6, use_rslora=True, target_modules=r".*self_attn\.(v|o)_proj", init_lora_weights="gaussian")),
    "gpt2": ("gpt2", dict(r=2, lora_alpha=8, fan_in_fan_out=True, target_modules=["c_attn", "c_proj"])),
    "gpt_neox": ("gpt_neox", dict(r=2, lora_alpha=1, target_modules="all-linear")),
}


def main() -> None:
    for case, (family, options) in CASES.items():
        torch.manual_seed(5)
        folder = FIXTURES / case
        shutil.rmtree(folder, ignore_errors=True)
        base = MODELS[family]()
        shapes = {name: list(parameter.shape) for name, parameter in base.named_parameters()}
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", base_model_name_or_path="org/base", **options))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_" in name:
                    parameter.normal_()
        model.peft_config["default"].base_model_name_or_path = "org/base"
        model.peft_config["default"].revision = "main"
        deltas = {}
        for name, module in model.base_model.model.named_modules():
            if isinstance(module, LoraLayer):
                delta = module.get_delta_weight("default")
                deltas[name] = (delta.T if family == "gpt2" else delta).flatten().tolist()
        model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink()
        (folder / "expected.json").write_text(json.dumps(dict(modelType=family, shapes=shapes, deltas=deltas)))


if __name__ == "__main__":
    main()
