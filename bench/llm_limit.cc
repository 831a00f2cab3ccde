// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <vector>

#include "bench/llm.h"
#include "bench/llm_material.h"
#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/llm_config.h"
#include "common/tensors/packed_linear.h"
#include "common/tensors/torch_status.h"

namespace larr::bench {
namespace {

constexpr int64_t kForwardTokens = 4096;  // An embedder's batch.

// x [rows, in] times a weight [out, in], `calls` times.
struct Gemm {
  int64_t rows, in, out, calls;
};

std::vector<Gemm> LayerGemms(const LlmConfig& config, int64_t rows) {
  const int64_t h = config.hidden_size, wide = config.intermediate_size;
  const int64_t queries = config.heads * config.head_dim;
  const int64_t all = queries + 2 * config.kv_heads * config.head_dim;
  return {{rows, h, all, config.layers},
          {rows, queries, h, config.layers},
          {rows, h, 2 * wide, config.layers},
          {rows, wide, h, config.layers}};
}

// With the gradients of x, [rows, out] times [out, in], and of the weight,
// [out, rows] times [rows, in].
std::vector<Gemm> WithBackward(const std::vector<Gemm>& forward) {
  std::vector<Gemm> all;
  for (const Gemm& gemm : forward) {
    all.push_back(gemm);
    all.push_back({gemm.rows, gemm.out, gemm.in, gemm.calls});
    all.push_back({gemm.out, gemm.rows, gemm.in, gemm.calls});
  }
  return all;
}

absl::Status Multiply(const std::vector<Gemm>& gemms, torch::ScalarType dtype,
                      int threads, int64_t tokens, const Serve& serve) {
  at::set_num_threads(threads);
  const torch::InferenceMode inference;
  std::vector<PackedLinear> weights;
  std::vector<torch::Tensor> inputs;
  for (const Gemm& gemm : gemms) {
    weights.emplace_back(torch::randn({gemm.out, gemm.in}).to(dtype),
                         torch::Tensor(), gemm.rows);
    inputs.push_back(torch::randn({gemm.rows, gemm.in}).to(dtype));
  }
  return serve(tokens, [&] {
    return GuardTorch("multiplying",
                      [&]() -> absl::StatusOr<std::vector<float>> {
                        for (size_t i = 0; i < gemms.size(); ++i) {
                          for (int64_t n = 0; n < gemms[i].calls; ++n)
                            weights[i](inputs[i]);
                        }
                        return std::vector<float>();
                      });
  });
}

absl::StatusOr<LlmConfig> Config(const Arguments& arguments) {
  return ReadLlmConfig(arguments.folder / "embedder" / "config.json");
}

}  // namespace

absl::Status MultiplyForward(const Arguments& arguments,
                             config::v1::Precision precision,
                             const Serve& serve) {
  LARR_ASSIGN_OR_RETURN(const LlmConfig config, Config(arguments));
  return Multiply(LayerGemms(config, kForwardTokens), DtypeOf(precision),
                  arguments.threads, kForwardTokens, serve);
}

absl::Status MultiplyStep(const Arguments& arguments, const Serve& serve) {
  LARR_ASSIGN_OR_RETURN(const LlmConfig config, Config(arguments));
  const int64_t tokens = kTrainingTexts * kTrainingTokens;
  std::vector<Gemm> forward = LayerGemms(config, tokens);
  forward.push_back({tokens, config.hidden_size, config.vocab_size, 1});
  return Multiply(WithBackward(forward), torch::kBFloat16, arguments.threads,
                  tokens, serve);
}

}  // namespace larr::bench
