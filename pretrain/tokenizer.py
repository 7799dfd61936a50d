"""Trains the byte-level BPE tokenizer on the head of the corpus and writes its three files.

    python tokenizer.py
"""

import json
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import BUILD, HERE

MODEL = HERE.parent / "public" / "model"
END = "<|endoftext|>"  # id 0: ends every document, pads batches
VOCABULARY = 1280
SAMPLE = 200_000


def train(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    ))  # fmt: skip
    return tokenizer


def write(folder: Path, tokenizer: Tokenizer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"bos_token": END, "eos_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    settings = {"add_bos_token": False, "add_prefix_space": False, "clean_up_tokenization_spaces": False, "model_max_length": 256, **special, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


if __name__ == "__main__":
    with (BUILD / "corpus.jsonl").open() as lines:
        texts = [json.loads(line) for line in islice(lines, SAMPLE)]
    tokenizer = train(texts)
    write(MODEL, tokenizer)
    samples = ["Tom has 47 apples.\n#### 82", "naïve 日本語 🙂\t\x00 end  "]
    assert all(tokenizer.decode(tokenizer.encode(text).ids) == text for text in samples)
    tokens = sum(len(encoding) for encoding in tokenizer.encode_batch(texts[:10_000]))
    print(f"{tokenizer.get_vocab_size()} tokens; {tokens / 10_000:.1f} a document")
