"""Golden values of the model families beside plain Llama, from transformers.

Writes reference/fixtures/<name>/ for each of MODELS: a small random checkpoint in Hugging Face layout, a packed batch, and
what transformers gives for it: the loss, the logits of every token of the batch, and the gradient of every weight. Writes
reference/fixtures/rope.json: the angles of rotary embeddings as config.json of real models asks for them.

    python reference/families.py
"""

import json

import torch
import transformers
from llama import FIXTURES, LENGTH, ROWS, documents, loss_of, pack
from safetensors.torch import save_file
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

LLAMA3 = dict(rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=0.5, high_freq_factor=2.0, original_max_position_embeddings=16)
# Sizes are shared where they may be: equal kernels are compiled once in the tests.
COMMON = dict(vocab_size=50, initializer_range=0.2)
LLAMA = dict(**COMMON, num_hidden_layers=2, max_position_embeddings=64, num_attention_heads=4, num_key_value_heads=2)
GPT2 = dict(**COMMON, n_embd=16, n_head=2, n_layer=2, bos_token_id=0, eos_token_id=1)
NEOX = dict(**COMMON, num_hidden_layers=2, max_position_embeddings=64, hidden_size=16, num_attention_heads=2, intermediate_size=40)
MODELS = {
    "llama3": ("Llama", dict(**LLAMA, hidden_size=16, head_dim=8, intermediate_size=20, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True)),
    "qwen2": ("Qwen2", dict(**LLAMA, hidden_size=32, intermediate_size=22, tie_word_embeddings=True)),
    "qwen3": ("Qwen3", dict(**LLAMA, hidden_size=16, head_dim=8, intermediate_size=20)),
    "gpt2": ("GPT2", dict(**GPT2, n_positions=32, n_inner=40)),
    "gpt2-untied": ("GPT2", dict(**GPT2 | dict(vocab_size=53), n_positions=24, n_inner=37, tie_word_embeddings=False)),
    "gpt-neox": ("GPTNeoX", dict(**NEOX, rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.25))),
    "gpt-neox-sequential": (
        "GPTNeoX",
        dict(**NEOX, use_parallel_residual=False, tie_word_embeddings=True, hidden_act="gelu_new", rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=1.0)),
    ),
}
QWEN25 = dict(hidden_size=896, num_attention_heads=14, max_position_embeddings=32768, rope_theta=1000000.0)
ROPES = [
    ("Llama", dict(hidden_size=2048, num_attention_heads=32, head_dim=64, max_position_embeddings=131072, rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192))),
    ("Llama", dict(hidden_size=576, num_attention_heads=9, head_dim=None, max_position_embeddings=8192, rope_theta=100000, rope_scaling=None)),
    ("Llama", dict(hidden_size=4096, num_attention_heads=32, max_position_embeddings=4096, rope_theta=10000.0, rope_scaling=dict(type="linear", factor=2.5))),
    ("Qwen2", dict(**QWEN25, rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=32768))),
    ("Qwen2", dict(**QWEN25, rope_scaling=dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=4096, beta_fast=16, beta_slow=2, mscale=0.9, mscale_all_dim=0.7, truncate=False))),
    ("Qwen2", dict(**QWEN25, rope_scaling=dict(rope_type="yarn", factor=8.0, attention_factor=1.25))),
    ("GPTNeoX", dict(hidden_size=512, num_attention_heads=8, max_position_embeddings=2048, rotary_pct=0.25, rotary_emb_base=10000)),
]


def make_model(architecture: str, fields: dict) -> transformers.PreTrainedModel:
    torch.manual_seed(7)
    config = getattr(transformers, f"{architecture}Config")(**fields)
    model = getattr(transformers, f"{architecture}{'LMHeadModel' if architecture == 'GPT2' else 'ForCausalLM'}")(config).eval()
    with torch.no_grad():  # gains of one and biases of zero would hide missing ones
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.config.architectures = [type(model).__name__]
    return model


def named(model) -> dict:
    """Parameters by the names that files have; transformers 5 calls GPT-NeoX's head otherwise in memory."""
    neox = model.config.model_type == "gpt_neox"
    return {name.replace("lm_head.", "embed_out.") if neox else name: parameter for name, parameter in model.named_parameters()}


def logits_of(model, docs) -> torch.Tensor:
    """Logits of every document by itself, one after the other, [tokens, vocabulary]."""
    with torch.no_grad():
        return torch.cat([model(torch.tensor([ids])).logits[0] for ids, _ in docs])


def angles(architecture: str, fields: dict) -> dict:
    config = getattr(transformers, f"{architecture}Config")(**fields)
    kind = config.rope_parameters["rope_type"]
    if kind == "default":
        part = config.rope_parameters.get("partial_rotary_factor", 1.0)
        size = int(part * config.hidden_size // config.num_attention_heads)
        frequencies, factor = config.rope_parameters["rope_theta"] ** (-torch.arange(0, size, 2) / size), 1.0
    else:
        frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config)
    return dict(config=dict(model_type=config.model_type, vocab_size=8, intermediate_size=8, num_hidden_layers=1, **fields), modern=config.rope_parameters, frequencies=frequencies.tolist(), factor=factor)


def main() -> None:
    for name, (architecture, fields) in MODELS.items():
        folder = FIXTURES / name
        folder.mkdir(parents=True, exist_ok=True)
        model = make_model(architecture, fields)
        model.config.to_json_file(folder / "config.json")
        save_file({n: p.detach().contiguous() for n, p in named(model).items()}, folder / "model.safetensors", {"format": "pt"})
        docs = documents(1)
        loss = loss_of(model, docs)
        loss.backward()
        golden = {"logits": logits_of(model, docs), **{n: p.grad.contiguous() for n, p in named(model).items()}}
        save_file(golden, folder / "golden.safetensors", {"format": "pt"})
        (folder / "batch.json").write_text(json.dumps(dict(rows=ROWS, length=LENGTH, loss=loss.item(), **pack(docs))))
    (FIXTURES / "rope.json").write_text(json.dumps([angles(*case) for case in ROPES]))


if __name__ == "__main__":
    main()
