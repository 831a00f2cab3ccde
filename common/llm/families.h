// SPDX-License-Identifier: Apache-2.0
//
// What differs between the families of models that the one decoder runs, read
// from `config.json`. All else follows from its numbers (llm_config.h).
//
//   model_type  architectures        models
//   llama       (not read)           SmolLM2, Llama 2, Llama 3
//   qwen2       (not read)           Qwen2, Qwen2.5
//   baichuan    BaiChuanForCausalLM  Baichuan-7B
//   baichuan    BaichuanForCausalLM  Baichuan2-7B
//
// The two of Baichuan are told apart by the class that their public code
// defines: huggingface.co/baichuan-inc/Baichuan2-7B-Base, modeling_baichuan.py.
// It differs from Llama in `W_pack` and in `NormHead`, which divides each row
// of the head by its length in every forward pass of training, and once for
// all before inference; to do so again changes nothing. RoPE (base 10000, in
// float32), RMSNorm and SwiGLU are Llama's. The 13B models have ALiBi instead
// of RoPE, and no `max_position_embeddings`: they are refused. The code's
// z-loss (`z_loss_weight`, 0 in the public files) is a term of its training
// loss, not of the model, and is not part of ours.
//
// Errors: kInvalidArgument names the file and the field
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace larr {

struct LlmFamily {
  bool packed_qkv = false;   // files hold q, k and v as one `W_pack`
  bool qkv_bias = false;     // q, k and v have biases
  bool output_bias = false;  // the projection behind attention has one
  bool norm_head = false;    // logits are of head rows of length 1
  // Texts beyond it would be computed wrongly: attention slides there.
  int64_t max_positions = INT64_MAX;
};

absl::StatusOr<LlmFamily> ReadLlmFamily(const nlohmann::json& config,
                                        const std::string& file);

}  // namespace larr
