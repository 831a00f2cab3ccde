// SPDX-License-Identifier: Apache-2.0
#include "common/llm/attention_kernels.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "common/llm/rotary.h"
#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using torch::Tensor;

float* Floats(const Tensor& x) { return x.data_ptr<float>(); }

Tensor Rotated(const Tensor& x, const RotaryTable& table) {  // [L, n, D]
  const auto halves = x.chunk(2, -1);
  const auto c = table.cosine.unsqueeze(1), s = table.sine.unsqueeze(1);
  return torch::cat(
      {halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1);
}

TEST_CASE("Attention agrees with its definition") {
  torch::manual_seed(3);
  for (const int64_t length : {1, 2, 7, 16, 17, 50}) {
    for (const auto& shape :
         {kernels::AttentionShape{4, 2, 16}, kernels::AttentionShape{9, 3, 64},
          kernels::AttentionShape{2, 2, 10}}) {
      const int64_t dim = shape.head_dim;
      const auto table = MakeRotaryTable(length, dim, 1000);
      const Tensor qkv =
          torch::randn({length, shape.heads + 2 * shape.kv_heads, dim});
      const auto parts = qkv.split_with_sizes(
          {shape.heads, shape.kv_heads, shape.kv_heads}, 1);
      const auto expand = [&](const Tensor& x) {
        return x.repeat_interleave(shape.heads / shape.kv_heads, 1)
            .transpose(0, 1);
      };
      const Tensor scores =
          Rotated(parts[0], table)
              .transpose(0, 1)
              .matmul(expand(Rotated(parts[1], table)).transpose(1, 2)) /
          std::sqrt(static_cast<double>(dim));
      const Tensor mask = torch::ones({length, length}, torch::kBool).triu(1);
      const Tensor expected = scores.masked_fill(mask, -1e30)
                                  .softmax(-1)
                                  .matmul(expand(parts[2]))
                                  .transpose(0, 1)
                                  .reshape({length, -1});
      std::vector<float> scratch(kernels::AttentionScratch(shape, length));
      const auto run = [&](int64_t first_row) {
        Tensor out = torch::full_like(expected, 99);
        for (int64_t head = 0; head < shape.kv_heads; ++head) {
          kernels::Attention(shape, head, length, first_row, Floats(qkv),
                             Floats(table.cosine), Floats(table.sine),
                             scratch.data(), Floats(out));
        }
        return out;
      };
      INFO("length " << length << " heads " << shape.heads);
      CHECK(testing::MaxDifference(run(0), expected) < 1e-5);
      const Tensor last = run(length - 1);
      CHECK(testing::MaxDifference(last[length - 1], expected[length - 1]) <
            1e-5);
      if (length > 1) CHECK(last[0].eq(99).all().item<bool>());
    }
  }
}

}  // namespace
}  // namespace larr
