"""Golden tokens of tiny tokenizers of every kind, from the Rust library of Hugging Face.

Writes reference/fixtures/tokens.json: two small tokenizer.json (byte-level BPE, and SentencePiece-style BPE with byte
fallback), the changes that make the other kinds of them, and for each some texts with their ids, the ids between special
tokens, and the text that the ids decode to.

    python reference/tokens.py
"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

FILE = Path(__file__).parent / "fixtures" / "tokens.json"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
PARTS = [" ", " ", "  ", "\n", "\n\n", "\t", "\r", "\u0085", "\u00a0", "\u3000", "\ufeff", "\u2581", "the", "The", "the", "in", "and", "cab", "'s", "'LL",
         "\u00e9", "e\u0301", "\u0301", "\u03a3", "\u0130", "\u00df", "\u212b", "\u5b57", "\U0001f642", "1", "12", "123", "\u00bd", "\u0663", ".", "!!", "(", "_", "<s>", "</s>", "<x>", "\0"]


def added(id, content, **flags):
    return dict(id=id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) | flags


def stand_ins():
    printable = [byte for byte in range(256) if 0x20 < byte < 0x7F or (byte > 0xA0 and byte != 0xAD)]
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def base(alphabet, space, fallback):
    merges = [(space, "t"), ("h", "e"), (space + "t", "he"), ("i", "n"), (space, "a"), ("a", "n"), ("an", "d"), (space, "and"), ("1", "2"), (space, space), ("a", "b"), ("c", "ab")]
    tokens = ["<unk>", "<s>", "</s>", *alphabet, *("".join(pair) for pair in merges)]
    return {
        "version": "1.0",
        "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": None,
        "model": {"type": "BPE", "unk_token": "<unk>" if fallback else None, "fuse_unk": fallback, "byte_fallback": fallback,
                  "vocab": {token: id for id, token in enumerate(tokens)}, "merges": [list(pair) for pair in merges]},
    }


def prepending():
    return {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}


def bases():
    byte_level = base(stand_ins(), "\u0120", False)
    byte_level["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    byte_level["decoder"] = byte_level["pre_tokenizer"]
    sentence_piece = base([f"<0x{byte:02X}>" for byte in range(256)] + ["\u2581", *"abcdehint12._"], "\u2581", True)
    sentence_piece["normalizer"] = prepending()
    sentence_piece["decoder"] = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return {"byteLevel": byte_level, "sentencePiece": sentence_piece}


def variants():
    """name, base, what differs from it"""
    last = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    steps = lambda *pretokenizers: {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [*pretokenizers, last]}}
    yield "GPT-2", "byteLevel", {}
    yield "Llama 2", "sentencePiece", {}
    yield "GPT-NeoX", "byteLevel", {"normalizer": {"type": "NFC"}, "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>"), added(271, "   ", normalized=True, special=False), added(272, "  ", normalized=True, special=False)]}
    yield "Llama 3", "byteLevel", steps({"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False})
    digits = [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]
    yield "SmolLM2", "byteLevel", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": digits}}
    yield "prefix space", "byteLevel", {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}}
    for flags in [dict(lstrip=True), dict(rstrip=True), dict(single_word=True), dict(lstrip=True, rstrip=True), dict(normalized=True, special=False)]:
        for kind, id in [("byteLevel", 271), ("sentencePiece", 285)]:
            tokens = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>"), added(id, "<x>", **flags), added(id + 1, "in\n", **flags)]
            yield f"{', '.join(flags)} in {kind}", kind, {"added_tokens": tokens}
    for scheme in ["first", "always", "never"]:
        for cuts in [True, False]:
            space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": cuts}
            yield f"Metaspace {scheme}{' split' if cuts else ''}", "sentencePiece", {"normalizer": None, "pre_tokenizer": space, "decoder": space}
    for behavior in BEHAVIORS:
        for invert in [False, True]:
            split = {"type": "Split", "pattern": {"Regex": r"[a-e]+|\s|(1)2"}, "behavior": behavior, "invert": invert}
            yield f"Split {behavior}{' inverted' if invert else ''}", "byteLevel", steps(split)
        yield f"Punctuation {behavior}", "byteLevel", steps({"type": "Punctuation", "behavior": behavior})
    yield "Split by a string", "byteLevel", steps({"type": "Split", "pattern": {"String": "e "}, "behavior": "Removed", "invert": False})
    for step in [{"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}, {"type": "CharDelimiterSplit", "delimiter": "a"}, {"type": "FixedLength", "length": 3}, {"type": "Digits", "individual_digits": False}]:
        yield step["type"], "byteLevel", steps(step)
    for normalizer in [{"type": "NFKC"}, {"type": "NFD"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": "$&"}]:
        yield normalizer["type"], "byteLevel", {"normalizer": normalizer}


def main():
    random.seed(11)
    made = bases()
    cases = []
    for name, kind, changes in variants():
        tokenizer = Tokenizer.from_str(json.dumps(made[kind] | changes))
        texts = []
        for _ in range(10):
            text = "".join(random.choice(PARTS) for _ in range(random.randrange(2, 10)))
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            texts.append([text, ids, tokenizer.encode(text).ids, tokenizer.decode(ids, skip_special_tokens=False)])
        cases.append({"name": name, "base": kind, "changes": changes, "texts": texts})
    compact = lambda value: json.dumps(value, separators=(",", ":"))
    lines = ",\n".join(compact(case) for case in cases)
    FILE.write_text(f'{{"bases":{compact(made)},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
