#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny sentencepiece tokenizers and the ids that ours are tested against.

Ids are those of the class that `transformers` builds its sentencepiece tokenizers
on (SentencePieceBackend), which runs `sentencepiece` itself; no token is added at
either end. Needs sentencepiece==0.2.3 and transformers==5.24.0, in an environment
of their own:  pip install sentencepiece==0.2.3 transformers==5.24.0

usage: make_sentencepiece_goldens.py tests/golden/sentencepiece

One folder a model, each with a tokenizer.model of some 300 to 400 pieces,
trained on the words below:
  baichuan  BPE, bytes for what is unknown, text left as it is, no prefix space;
            its special tokens are named in special_tokens_map.json, none of them
            as an added token, and `<pad>` is no piece
  llama     BPE, bytes, a prefix space; `added_tokens_decoder` in its configuration
  unigram   unigram, an unknown piece, a prefix space, spaces squeezed; no
            configuration at all
and tokens.json: {"added": [tokens], "entries": [{"text", "ids", "added_ids"}]},
ids before and after the tokens of `added` were added as special ones.
"""
import argparse
import json
import pathlib

import sentencepiece
from transformers.tokenization_utils_sentencepiece import SentencePieceBackend

WORDS = """the restaurant sells dan noodles hot and sour soup fried rice spicy beef
rain degrees friday user is travelling near river weather dry name price off order
宫保鸡丁 麻婆豆腐 火锅 米饭 面条 很好吃 的 了 在 我 你 café naïve <s> </s> weather>""".split()
COMMON = {"vocab_size": 380, "normalization_rule_name": "identity", "character_coverage": 1.0,
          "hard_vocab_limit": False, "num_threads": 1, "minloglevel": 2}
MODELS = {
    "baichuan": {"model_type": "bpe", "byte_fallback": True, "add_dummy_prefix": False,
                 "remove_extra_whitespaces": False, "user_defined_symbols": ["<reserved_1>"]},
    "llama": {"model_type": "bpe", "byte_fallback": True, "remove_extra_whitespaces": False},
    "unigram": {"model_type": "unigram", "vocab_size": 120},
}
SLOTS = ["<weather>", "</weather>", "<name>", "</name>", "<user>", "</user>", "<users>"]
TEXTS = [
    "", " ", "hot", " hot", "hot ", "  two  spaces", "line\n\n\nbreaks\tand\ttabs\r\n", "\u2581hot",
    "1234567890 12.50 3,000", "don't DON'T we'll", "café naïve Zürich", "e\u0301 vs \u00e9",
    "宫保鸡丁 ¥38", "我在吃火锅", "🍜🍣👩‍👩‍👧‍👦", "x" * 70, "\u200bzero\u00a0width", "ﬁ ligature Ⅳ ½",
    "<weather>hot, dry</weather>", "<weather> hot</weather> <name>宫保鸡丁</name>",
    "<weather></weather>", "<weather><weather>", "<users>", "<user>s", "<user", "a<user>b</user>c",
    "a<s>b", "<s>hot</s>", "a <s> b", "<unk>", "<pad>", "<reserved_1>", "<0x41>", "<weather >",
    "hot\0dry",
]


def write_json(value, path):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def token(content, single_word=False):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": single_word, "special": True}


def write_configuration(name, folder):
    if name == "baichuan":
        flat = {key: value for key, value in token("").items() if key != "special"}
        write_json({"tokenizer_class": "BaichuanTokenizer"}, folder / "tokenizer_config.json")
        write_json({field: flat | {"content": text} for field, text in
                    [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"),
                     ("pad_token", "<pad>")]}, folder / "special_tokens_map.json")
    if name == "llama":
        write_json({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
                    "unk_token": "<unk>", "legacy": True,
                    "added_tokens_decoder": {str(i): token(text, single_word=text == "<s>")
                                             for i, text in enumerate(["<unk>", "<s>", "</s>"])}},
                   folder / "tokenizer_config.json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    root = parser.parse_args().folder
    for name, options in MODELS.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        # The same words in turns of many lengths, so that pieces have distinct counts.
        lines = [" ".join(WORDS[i % min(k + 2, len(WORDS))] for i in range(k, k + 9)) for k in range(len(WORDS))]
        with open(folder / "tokenizer.model", "wb") as model:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines * 2), model_writer=model, **(COMMON | options))
        write_configuration(name, folder)
        named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} if name == "unigram" else {}
        tokenizer = SentencePieceBackend.from_pretrained(folder, **named)
        encode = lambda text: tokenizer.encode(text, add_special_tokens=False)
        entries = [{"text": text, "ids": encode(text)} for text in TEXTS]
        tokenizer.add_tokens(SLOTS, special_tokens=True)
        for entry in entries:
            entry["added_ids"] = encode(entry["text"])
        write_json({"added": {text: tokenizer.convert_tokens_to_ids(text) for text in SLOTS},
                    "entries": entries}, folder / "tokens.json")
        print(f"{name}: {tokenizer.vocab_size} pieces, {len(tokenizer)} tokens with the added ones")


if __name__ == "__main__":
    main()
