#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the reference tensors that the decoder and the tokenizer are tested against.

All are computed by `transformers` in fp32 with eager attention on the CPU, one
text at a time. Needs torch==2.11.0 and transformers==5.23.0, in an environment
of their own:  pip install torch==2.11.0 transformers==5.23.0  (families: 5.24.0)

usage: make_llm_goldens.py tiny     tests/golden/tiny_llama
       make_llm_goldens.py families tests/golden/families
       make_llm_goldens.py smollm   tests/golden/llm .deps/models/smollm2-135m

tiny makes a whole checkpoint: random weights (fp32, 2 layers, 4 heads on 2 key
heads, output not tied), a byte-level tokenizer, and goldens.safetensors with,
for text i of texts.json (T tokens):
  i.ids [T] int64; i.logits [T, vocab]; i.hidden [T, width], after the last norm
  i.labels [T] int64: the token itself where it is a target, else -100; the
           target at position t is predicted from the tokens before t
  i.nll    [1]: the sum of -log p over the targets of text i
  loss     [1]: the sum of all texts' nll over the number of all targets
  grad.NAME:    d loss / d parameter NAME
families makes a folder for each family and form of file, with the same goldens
but without a tokenizer (its ids are random), named as the files name tensors:
  llama3         RoPE scaled as in Llama 3.1, all three bands of it hit
  llama_bias     attention_bias, linear RoPE scaling; pytorch_model.bin in shards
  qwen2_tied     q/k/v bias, the head is the embedding
  qwen2_untied   the same with a head; safetensors in shards
  baichuan2      W_pack and NormHead; pytorch_model.bin of an OrderedDict with
                 `_metadata`, as a module's state dict is. Not part of transformers:
                 a Llama whose head rows have length 1 computes what Baichuan2 does
                 with these rows at any length. Only the head's gradient differs,
                 and follows through torch.nn.functional.normalize.
smollm stores of the converted model: i.ids, i.logits of the last two positions
[2, vocab], i.hidden; and tokens.json: texts that are hard to cut, and their ids.
"""
import argparse
import collections
import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM)

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
    return fill(model, 20260101)


def fill(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                parameter.copy_(0.5 * noise)
            elif parameter.dim() == 1:
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


def goldens_of(model, texts):
    """The goldens of texts: ids, and how many of the first are not targets."""
    goldens, nlls, targets = {}, [], 0
    for i, (ids, prefix) in enumerate(texts):
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
    print(f"loss {loss.item():.6f} over {targets} targets")
    return goldens | {f"grad.{name}": p.grad for name, p in model.named_parameters()}


def make_tiny(folder):
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer))
    texts = [(tokenizer(text)["input_ids"], prefix) for text, prefix in TINY_TEXTS]
    goldens = goldens_of(model, texts)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_json([text for text, _ in TINY_TEXTS], folder / "texts.json")
    save_file(goldens, folder / "goldens.safetensors")


FAMILY_SHAPE = dict(vocab_size=48, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
                    rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
                    pad_token_id=None, attn_implementation="eager", dtype=torch.float32)
# Frequencies of D = 8, theta = 100: waves of 6, 20, 63 and 199 positions; those
# shorter than 48 / 4 stay, those longer than 48 / 1 are stretched.
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 48}


def family_texts():
    generator = torch.Generator().manual_seed(7)
    return [(torch.randint(3, FAMILY_SHAPE["vocab_size"], (length,), generator=generator).tolist(), prefix)
            for length, prefix in [(60, 20), (11, 1), (25, 24), (1, 1)]]


def save_bin_shards(state, folder):
    names = sorted(state)
    half = len(names) // 2
    weight_map = {}
    for number, part in enumerate([names[:half], names[half:]], 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save({name: state[name].clone() for name in part}, folder / file)
        weight_map |= {name: file for name in part}
    size = sum(tensor.nbytes for tensor in state.values())
    write_json({"metadata": {"total_size": size}, "weight_map": weight_map},
               folder / "pytorch_model.bin.index.json")


def pack(tensors, prefix=""):
    """q, k and v of each layer as one W_pack."""
    packed = collections.OrderedDict()
    for name, tensor in tensors.items():
        if not name.startswith(prefix):
            continue
        if ".q_proj." in name:
            parts = [tensors[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            packed[name.replace("q_proj", "W_pack")] = torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            packed[name] = tensor.clone()
    return packed


def make_baichuan2(folder):
    shape = FAMILY_SHAPE | dict(num_key_value_heads=4, rms_norm_eps=1e-6)
    model = fill(LlamaForCausalLM(LlamaConfig(**shape)), 5)
    generator = torch.Generator().manual_seed(11)
    length = 0.2 + 3 * torch.rand(shape["vocab_size"], 1, generator=generator)
    with torch.no_grad():
        model.lm_head.weight.copy_(torch.nn.functional.normalize(model.lm_head.weight))
    goldens = goldens_of(model, family_texts())

    state = model.state_dict()
    head = (state["lm_head.weight"] * length).requires_grad_()
    torch.nn.functional.normalize(head).backward(goldens["grad.lm_head.weight"])
    goldens["grad.lm_head.weight"] = head.grad
    gradients = pack(goldens, "grad.")
    goldens = {name: value for name, value in goldens.items() if not name.startswith("grad.")} | gradients

    metadata = state._metadata
    state = pack(state)
    state["lm_head.weight"] = head.detach()
    state._metadata = metadata
    torch.save(state, folder / "pytorch_model.bin")
    # The fields of Baichuan2-7B-Base, with numbers of ours.
    write_json({
        "architectures": ["BaichuanForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_baichuan.BaichuanConfig",
                     "AutoModelForCausalLM": "modeling_baichuan.BaichuanForCausalLM"},
        "tokenizer_class": "BaichuanTokenizer", "bos_token_id": 1, "eos_token_id": 2,
        "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 40,
        "max_position_embeddings": 256, "model_max_length": 256, "model_type": "baichuan",
        "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0, "rms_norm_eps": 1e-6,
        "_from_model_config": True, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
        "transformers_version": "4.29.2", "use_cache": True, "vocab_size": 48, "z_loss_weight": 0,
    }, folder / "config.json")
    save_file(goldens, folder / "goldens.safetensors")


def make_families(root):
    def make(name, model, seed, save):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        fill(model, seed)
        save_file(goldens_of(model.eval(), family_texts()), folder / "goldens.safetensors")
        model.config.save_pretrained(folder)
        save(folder)

    llama3 = LlamaForCausalLM(LlamaConfig(**FAMILY_SHAPE, rope_parameters=LLAMA3_ROPE))
    make("llama3", llama3, 1, llama3.save_pretrained)
    bias = LlamaForCausalLM(LlamaConfig(
        **FAMILY_SHAPE, attention_bias=True,
        rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}))
    make("llama_bias", bias, 2, lambda folder: save_bin_shards(bias.state_dict(), folder))
    tied = Qwen2ForCausalLM(Qwen2Config(**FAMILY_SHAPE | dict(tie_word_embeddings=True)))
    make("qwen2_tied", tied, 3, tied.save_pretrained)
    untied = Qwen2ForCausalLM(Qwen2Config(**FAMILY_SHAPE))
    make("qwen2_untied", untied, 4,
         lambda folder: untied.save_pretrained(folder, max_shard_size="40KB"))
    (root / "baichuan2").mkdir(exist_ok=True)
    make_baichuan2(root / "baichuan2")
    for file in root.glob("*/generation_config.json"):
        file.unlink()


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
    parser.add_argument("which", choices=["tiny", "families", "smollm"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("checkpoint", type=pathlib.Path, nargs="?")
    args = parser.parse_args()
    torch.manual_seed(0)
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.which == "tiny":
        make_tiny(args.folder)
    elif args.which == "families":
        make_families(args.folder)
    else:
        make_smollm(args.folder, args.checkpoint)


if __name__ == "__main__":
    main()
