// SPDX-License-Identifier: Apache-2.0
#include "common/llm/kernels.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <vector>

#include "common/llm/rotary.h"
#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using kernels::Bf16;
using torch::Tensor;

float* Floats(const Tensor& x) { return x.data_ptr<float>(); }
Bf16* Halves(const Tensor& x) { return static_cast<Bf16*>(x.data_ptr()); }

// Widths that are no multiple of a vector, too.
TEST_CASE("AddRmsNorm agrees with its definition") {
  torch::manual_seed(1);
  for (const int64_t width : {5, 16, 64, 100}) {
    const Tensor x = torch::randn({7, width}), delta = torch::randn({7, width});
    const Tensor weight = torch::randn({width});
    const Tensor sum = x + delta;
    const Tensor expected =
        sum * torch::rsqrt(sum.square().mean(1, true) + 1e-5) * weight;
    Tensor stream = x.clone(), out = torch::empty_like(x);
    kernels::AddRmsNorm(7, width, Floats(stream), Floats(delta), Floats(weight),
                        1e-5f, Floats(out));
    CHECK(torch::allclose(stream, sum));
    CHECK(torch::allclose(out, expected, 1e-5, 1e-6));

    stream = x.clone();
    Tensor half = torch::empty({7, width}, torch::kBFloat16);
    const Tensor half_delta = delta.to(torch::kBFloat16);
    kernels::AddRmsNorm(7, width, Floats(stream), Halves(half_delta),
                        Floats(weight), 1e-5f, Halves(half));
    CHECK(testing::MaxDifference(half, expected) < 0.05);
  }
}

TEST_CASE("Rounding to bfloat16 is LibTorch's") {
  const Tensor x = torch::randn({1, 4096}) * 100;
  const Tensor ones = torch::ones({4096});
  Tensor stream = x.clone();
  Tensor out = torch::empty({1, 4096}, torch::kBFloat16);
  kernels::AddRmsNorm(1, 4096, Floats(stream),
                      static_cast<const Bf16*>(nullptr), Floats(ones), 0.0f,
                      Halves(out));
  Tensor same = torch::empty({1, 4096});
  kernels::AddRmsNorm(1, 4096, Floats(stream),
                      static_cast<const float*>(nullptr), Floats(ones), 0.0f,
                      Floats(same));
  CHECK(torch::equal(out, same.to(torch::kBFloat16)));
}

TEST_CASE("SiluMul agrees with its definition") {
  torch::manual_seed(2);
  for (const int64_t width : {3, 16, 112}) {
    const Tensor x = torch::randn({6, 2 * width}) * 8;
    const Tensor expected =
        torch::silu(x.slice(1, 0, width)) * x.slice(1, width);
    Tensor out = torch::empty({6, width});
    kernels::SiluMul(6, width, Floats(x), Floats(out));
    CHECK(torch::allclose(out, expected, 1e-5, 1e-5));
  }
  // Far from zero nothing overflows.
  const Tensor far = torch::tensor({-1000.f, 1000.f, 1.f, 1.f});
  Tensor out = torch::empty({2});
  kernels::SiluMul(1, 2, Floats(far), Floats(out));
  CHECK(out[0].item<float>() == Approx(0).margin(1e-30));
  CHECK(out[1].item<float>() == Approx(1000));
}

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

TEST_CASE("The head's softmax agrees with its definition") {
  torch::manual_seed(6);
  for (const int64_t width : {1, 15, 16, 33, 1000}) {
    const Tensor logits = torch::randn({5, width}) * 10;
    const Tensor norm = torch::empty({5});
    kernels::LogSumExp(5, width, Floats(logits), Floats(norm));
    CHECK(torch::allclose(norm, logits.logsumexp(1), 1e-5, 1e-5));
    const Tensor expected = logits.softmax(1) * 0.25;
    Tensor slopes = logits.clone();
    kernels::SoftmaxInPlace(5, width, Floats(norm), 0.25f, Floats(slopes));
    CHECK(torch::allclose(slopes, expected, 1e-4, 1e-6));

    Tensor half = logits.to(torch::kBFloat16);
    const Tensor rounded = half.to(torch::kFloat32);
    kernels::LogSumExp(5, width, Halves(half), Floats(norm));
    CHECK(torch::allclose(norm, rounded.logsumexp(1), 1e-5, 1e-5));
    kernels::SoftmaxInPlace(5, width, Floats(norm), 0.25f, Halves(half));
    CHECK(testing::MaxDifference(half, rounded.softmax(1) * 0.25) < 2e-3);
  }
}

TEST_CASE("A transposed matrix is LibTorch's") {
  for (const auto& [rows, columns] :
       {std::pair(1, 1), std::pair(16, 16), std::pair(33, 70),
        std::pair(64, 200), std::pair(5, 129)}) {
    const Tensor from = torch::randn({rows, columns}).to(torch::kBFloat16);
    Tensor to = torch::zeros({columns, rows}, torch::kBFloat16);
    const int64_t middle = columns / 3;
    kernels::Transpose(rows, columns, 0, middle, Halves(from), Halves(to));
    kernels::Transpose(rows, columns, middle, columns, Halves(from),
                       Halves(to));
    CHECK(torch::equal(to, from.t()));
  }
}

TEST_CASE("AdamW is LibTorch's, whatever its gradients' dtype") {
  torch::manual_seed(7);
  const int64_t n = 100;
  const Tensor gradient = torch::randn({n}).to(torch::kBFloat16);
  Tensor parameter = torch::randn({n}), mean = torch::randn({n}) * 0.1;
  Tensor variance = torch::rand({n});
  const Tensor start[] = {parameter.clone(), mean.clone(), variance.clone()};
  at::_fused_adamw_({parameter}, {gradient.to(torch::kFloat32) * 0.5}, {mean},
                    {variance}, {}, {torch::scalar_tensor(3.0)}, 1e-2, 0.9,
                    0.95, 0.1, 1e-8, false, false);
  const kernels::AdamWStep step = {.rate = 1e-2f,
                                   .decay = 0.1f,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.95f,
                                   .epsilon = 1e-8f,
                                   .correction1 = 1 - 0.9f * 0.9f * 0.9f,
                                   .correction2 = 1 - 0.95f * 0.95f * 0.95f,
                                   .gradient_scale = 0.5f};
  for (const bool half : {false, true}) {
    Tensor moved[] = {start[0].clone(), start[1].clone(), start[2].clone()};
    const Tensor wide = gradient.to(torch::kFloat32);
    Tensor rounded = torch::zeros({n}, torch::kBFloat16);
    if (half) {
      kernels::AdamW(n, step, Halves(gradient), Floats(moved[0]),
                     Floats(moved[1]), Floats(moved[2]), Halves(rounded));
    } else {
      kernels::AdamW(n, step, Floats(wide), Floats(moved[0]), Floats(moved[1]),
                     Floats(moved[2]), Halves(rounded));
    }
    CHECK(torch::allclose(moved[0], parameter, 1e-5, 1e-6));
    CHECK(torch::allclose(moved[1], mean, 1e-5, 1e-6));
    CHECK(torch::allclose(moved[2], variance, 1e-5, 1e-6));
    CHECK(torch::equal(rounded, moved[0].to(torch::kBFloat16)));
  }
}

}  // namespace
}  // namespace larr
