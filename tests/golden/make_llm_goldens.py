#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the reference tensors that the decoder and the tokenizer are tested against.

All are computed by `transformers` in fp32 with eager attention on the CPU, one
text at a time. Needs torch==2.11.0 and transformers==5.23.0, in an environment
of their own:  pip install torch==2.11.0 transformers==5.23.0

usage: make_llm_goldens.py tiny   tests/golden/tiny_llama
       make_llm_goldens.py smollm tests/golden/llm .deps/models/smollm2-135m

tiny makes a whole checkpoint: random weights (fp32, 2 layers, 4 heads on 2 key
heads, output not tied), a byte-level tokenizer, and goldens.safetensors with,
for text i of texts.json (T tokens):
  i.ids [T] int64; i.logits [T, vocab]; i.hidden [T, width], after the last norm
  i.labels [T] int64: the token itself where it is a target, else -100; the
           target at position t is predicted from the tokens before t
  i.nll    [1]: the sum of -log p over the targets of text i
  loss     [1]: the sum of all texts' nll over the number of all targets
  grad.NAME:    d loss / d parameter NAME
smollm stores of the converted model: i.ids, i.logits of the last two positions
[2, vocab], i.hidden; and tokens.json: texts that are hard to cut, and their ids.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM,
                          PreTrainedTokenizerFast)

TINY_TEXTS = [  # text, and how many of its first tokens are not targets
    ("<name>Mei's Noodles</name><type>noodles</type><dish>dan dan noodles, spicy beef</dish>", 29),
    ("<name>Green Bowl</name><type>salad</type><dish>quinoa, tofu</dish>", 20),
    ("<name>X</name>", 1),
]
SPECIAL_TOKENS = ["<|end|>", "<name>", "</name>", "<type>", "</type>", "<dish>", "</dish>"]

SMOLLM_TEXTS = [
    "The restaurant Golden Dragon sells dan dan noodles, hot and sour soup and fried rice.",
    "Rain, 8 degrees, Friday 18:30. The user is travelling and stays near the river.",
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    "hot",
]
TOKEN_TEXTS = [
    "", " ", "hot", " hot", "hot ", "  two  spaces", "line\n\n\nbreaks\tand\ttabs\r\n",
    "1234567890 12.50 3,000", "don't DON'T we'll I'm it's", "café naïve Zürich",
    "宫保鸡丁 ¥38", "🍜🍣👩‍👩‍👧‍👦", "<weather>hot, dry</weather>", "<|im_start|>user\nhi<|im_end|>",
    "a<|endoftext|>b", "<|im_start", "x" * 70, "snake_case CamelCase kebab-case", "e\u0301 vs \u00e9",
    "price: $12.99 (30% off!!!)", "\u200bzero\u00a0width", "ﬁ ligature Ⅳ ½",
]


def write_json(value, path):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def tiny_tokenizer():
    """All bytes, a few merges, and special tokens at the end of the vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("o", "o"), ("Ġ", "d"), ("a", "n"), ("oo", "d"), ("l", "e"), ("ood", "le")]
    tokens = alphabet + ["".join(merge) for merge in merges]
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>",
                                   pad_token="<|end|>", clean_up_tokenization_spaces=False)


def tiny_model(vocab_size):
    """Weights large enough that attention and gates are far from linear."""
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=vocab_size, hidden_size=64, intermediate_size=112, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 2500.0},
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=vocab_size - 7,
        pad_token_id=None, attn_implementation="eager", dtype=torch.float32))
    generator = torch.Generator().manual_seed(20260101)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                parameter.copy_(1 + 0.2 * noise)
            elif "embed" in name:
                parameter.copy_(noise)
            else:
                parameter.copy_(1.5 * noise / parameter.shape[1] ** 0.5)
    return model.eval()


def run(model, ids):
    """Logits [T, vocab] and last hidden states [T, width] of one text."""
    out = model(torch.tensor([ids]), output_hidden_states=True)
    return out.logits[0], out.hidden_states[-1][0]


def make_tiny(folder):
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer))
    goldens, nlls, targets = {}, [], 0
    for i, (text, prefix) in enumerate(TINY_TEXTS):
        ids = tokenizer(text)["input_ids"]
        logits, hidden = run(model, ids)
        labels = torch.tensor([-100] * prefix + ids[prefix:])
        nll = torch.nn.functional.cross_entropy(logits[:-1], labels[1:], reduction="sum")
        nlls.append(nll)
        targets += len(ids) - prefix
        goldens |= {f"{i}.ids": torch.tensor(ids), f"{i}.labels": labels,
                    f"{i}.nll": nll.detach().reshape(1), f"{i}.logits": logits.detach(),
                    f"{i}.hidden": hidden.detach()}
    loss = torch.stack(nlls).sum() / targets
    loss.backward()
    goldens["loss"] = loss.detach().reshape(1)
    goldens |= {f"grad.{name}": p.grad for name, p in model.named_parameters()}

    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_json([text for text, _ in TINY_TEXTS], folder / "texts.json")
    save_file(goldens, folder / "goldens.safetensors")
    print(f"loss {loss.item():.6f} over {targets} targets, vocabulary {len(tokenizer)}")


def make_smollm(folder, checkpoint):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    goldens = {}
    for i, text in enumerate(SMOLLM_TEXTS):
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            logits, hidden = run(model, ids)
        goldens |= {f"{i}.ids": torch.tensor(ids), f"{i}.logits": logits[-2:].clone(),
                    f"{i}.hidden": hidden}
    save_file(goldens, folder / "goldens.safetensors")
    write_json(SMOLLM_TEXTS, folder / "texts.json")
    write_json([{"text": text, "ids": tokenizer(text)["input_ids"]} for text in TOKEN_TEXTS],
               folder / "tokens.json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=["tiny", "smollm"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("checkpoint", type=pathlib.Path, nargs="?")
    args = parser.parse_args()
    torch.manual_seed(0)
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.which == "tiny":
        make_tiny(args.folder)
    else:
        make_smollm(args.folder, args.checkpoint)


if __name__ == "__main__":
    main()
