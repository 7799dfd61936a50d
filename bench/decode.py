"""The other side of decode.ts: transformers on the CPU, timed on request.

Reads lines of JSON {"ids", "tokens"} and answers each with {"prompt", "answer", "tokens"}: seconds until every sequence has its first
token, and seconds of the tokens after it, one forward pass each, greedy, with the key-value cache.
"""

import json
import sys
import time

import torch
import transformers

torch.set_num_threads(int(sys.argv[2]))
transformers.utils.logging.set_verbosity_error()
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
print(json.dumps({"versions": f"transformers {transformers.__version__}, PyTorch {torch.__version__}"}), flush=True)

for line in sys.stdin:
    wanted = json.loads(line)
    ids = torch.tensor(wanted["ids"])
    with torch.inference_mode():
        started = time.perf_counter()
        out = model(ids, use_cache=True, logits_to_keep=1)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        read = time.perf_counter()
        answer = [token]
        for _ in range(wanted["tokens"]):
            out = model(token, past_key_values=out.past_key_values, use_cache=True, logits_to_keep=1)
            token = out.logits[:, -1].argmax(-1, keepdim=True)
            answer.append(token)
        done = time.perf_counter()
    print(json.dumps({"prompt": read - started, "answer": done - read, "tokens": torch.cat(answer, 1).tolist()}), flush=True)
