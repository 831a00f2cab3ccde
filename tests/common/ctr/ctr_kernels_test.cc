// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ctr_kernels.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace larr::kernels {
namespace {

std::vector<float> Numbers(std::mt19937& random, int64_t n, float scale = 1) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> numbers(n);
  for (float& number : numbers) number = normal(random);
  return numbers;
}

void RequireNear(const std::vector<float>& expected,
                 const std::vector<float>& got, double tolerance = 2e-6) {
  REQUIRE(expected.size() == got.size());
  for (size_t i = 0; i < got.size(); ++i)
    REQUIRE(got[i] == Approx(expected[i]).margin(tolerance).epsilon(tolerance));
}

TEST_CASE("pools of parts merge into attention over all tokens") {
  std::mt19937 random(1);
  for (const PoolShape shape : {PoolShape{1, 1}, {2, 5}, {4, 32}, {3, 17}}) {
    const int64_t tokens = 7, first = 3,
                  pitch = shape.heads * (1 + shape.width);
    // Scores so large that e^score alone would overflow.
    const auto rows = Numbers(random, tokens * pitch, 60);
    std::vector<float> a(shape.size()), b(shape.size());
    PoolTokens(shape, first, rows.data(), a.data());
    PoolTokens(shape, tokens - first, rows.data() + first * pitch, b.data());
    std::vector<float> out(2 * shape.heads * shape.width);
    const float* own[] = {b.data(), nullptr};
    MergePools(shape, 2, a.data(), own, out.data());

    std::vector<float> expected;
    for (const int64_t count : {tokens, first}) {
      for (int64_t h = 0; h < shape.heads; ++h) {
        double max = -1e30, sum = 0;
        for (int64_t t = 0; t < count; ++t)
          max = std::max<double>(max, rows[t * pitch + h]);
        for (int64_t t = 0; t < count; ++t)
          sum += std::exp(rows[t * pitch + h] - max);
        for (int64_t d = 0; d < shape.width; ++d) {
          double mixed = 0;
          for (int64_t t = 0; t < count; ++t)
            mixed += std::exp(rows[t * pitch + h] - max) *
                     rows[t * pitch + shape.heads + h * shape.width + d];
          expected.push_back(static_cast<float>(mixed / sum));
        }
      }
    }
    RequireNear(expected, out, 1e-5);
  }
}

TEST_CASE("layer norm of a sum, for widths that are no multiple of a vector") {
  std::mt19937 random(2);
  for (const int64_t width : {1, 5, 16, 40, 128}) {
    const int64_t rows = 3;
    const auto in = Numbers(random, rows * width),
               residual = Numbers(random, rows * width),
               weight = Numbers(random, width), bias = Numbers(random, width);
    std::vector<float> out(rows * width), expected(rows * width);
    AddLayerNorm(rows, width, in.data(), residual.data(), weight.data(),
                 bias.data(), 1e-5F, out.data());
    for (int64_t r = 0; r < rows; ++r) {
      double mean = 0, square = 0;
      const auto x = [&](int64_t i) {
        return double{in[r * width + i]} + residual[r * width + i];
      };
      for (int64_t i = 0; i < width; ++i) mean += x(i) / width;
      for (int64_t i = 0; i < width; ++i)
        square += (x(i) - mean) * (x(i) - mean) / width;
      for (int64_t i = 0; i < width; ++i)
        expected[r * width + i] = static_cast<float>(
            (x(i) - mean) / std::sqrt(square + 1e-5) * weight[i] + bias[i]);
    }
    RequireNear(expected, out, 1e-5);
  }
}

TEST_CASE("gates mix the rectified experts of several parts") {
  std::mt19937 random(3);
  // Part 0: experts 0 and 1, two logits; part 1: expert 2, three logits.
  const int64_t width = 21, rows = 5;
  const int64_t part_columns[] = {2 * width + 2, width + 3};
  const int64_t columns = part_columns[0] + part_columns[1];
  const int64_t experts_a[] = {0, 2 * width + 2};
  const int64_t experts_b[] = {0, width, 2 * width + 2};
  const Gate gates[] = {{experts_a, 2, 2 * width}, {experts_b, 3, columns - 3}};
  const MixShape shape{width, gates, 2, part_columns, 2};
  const auto first = Numbers(random, rows * part_columns[0]);
  const auto second = Numbers(random, rows * part_columns[1]);
  const auto shared = Numbers(random, columns), own = Numbers(random, columns);
  const float* parts[] = {first.data(), second.data()};
  const std::vector<const float*> owns = {own.data(), nullptr, own.data(),
                                          own.data(), nullptr};
  std::vector<float> scratch(columns), a(rows * width), b(rows * width);
  float* out[] = {a.data(), b.data()};
  MixExperts(shape, rows, parts, shared.data(), owns.data(), scratch.data(),
             out);
  for (int64_t r = 0; r < rows; ++r) {
    const auto x = [&](int64_t i) {
      const float part =
          i < part_columns[0]
              ? first[r * part_columns[0] + i]
              : second[r * part_columns[1] + i - part_columns[0]];
      return double{part} + shared[i] + (owns[r] == nullptr ? 0 : own[i]);
    };
    for (int g = 0; g < 2; ++g) {
      double sum = 0;
      for (int64_t e = 0; e < gates[g].experts; ++e)
        sum += std::exp(x(gates[g].first_logit + e));
      for (int64_t i = 0; i < width; ++i) {
        double mixed = 0;
        for (int64_t e = 0; e < gates[g].experts; ++e)
          mixed += std::exp(x(gates[g].first_logit + e)) / sum *
                   std::max(0.0, x(gates[g].expert_columns[e] + i));
        REQUIRE(out[g][r * width + i] == Approx(mixed).margin(1e-5));
      }
    }
  }
}

TEST_CASE("the mixtures' gradient is the slope along any direction") {
  std::mt19937 random(4);
  const int64_t width = 19, rows = 3, columns = 2 * width + 3;
  const int64_t both[] = {0, width}, one[] = {width};
  const Gate gates[] = {{both, 2, 2 * width}, {one, 1, 2 * width + 2}};
  const MixShape shape{width, gates, 2, &columns, 1};
  const auto x = Numbers(random, rows * columns);
  const auto direction = Numbers(random, rows * columns);
  const auto of_a = Numbers(random, rows * width),
             of_b = Numbers(random, rows * width);
  const auto value = [&](float step) {
    std::vector<float> moved = x, scratch(columns), a(rows * width), b(a);
    for (size_t i = 0; i < x.size(); ++i) moved[i] += step * direction[i];
    const float* parts[] = {moved.data()};
    float* out[] = {a.data(), b.data()};
    MixExperts(shape, rows, parts, nullptr,
               static_cast<const float* const*>(nullptr), scratch.data(), out);
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i)
      sum += double{of_a[i]} * a[i] + double{of_b[i]} * b[i];
    return sum;
  };
  std::vector<float> scratch(2 * columns), gradient(x.size());
  const float* parts[] = {x.data()};
  const float* grads[] = {of_a.data(), of_b.data()};
  float* grad_parts[] = {gradient.data()};
  MixExpertsBackward(shape, rows, parts, grads, scratch.data(), grad_parts);
  double slope = 0;
  for (size_t i = 0; i < x.size(); ++i)
    slope += double{gradient[i]} * direction[i];
  const float step = 1e-3F;
  REQUIRE((value(step) - value(-step)) / (2 * step) ==
          Approx(slope).epsilon(0.01));
}

TEST_CASE("rows are added where they belong, of a share of the places") {
  const int64_t width = 3;
  const std::vector<int64_t> places = {0, 2, 1, 2};
  const std::vector<float> from = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30};
  std::vector<float> sums(9);
  AddRows(4, width, places.data(), 1, 3, from.data(), sums.data());
  REQUIRE(sums == std::vector<float>{0, 0, 0, 7, 8, 9, 14, 25, 36});
}

TEST_CASE("a null part is zero") {
  const int64_t expert = 0, columns = 3;
  const Gate gate{&expert, 1, 2};
  const MixShape shape{2, &gate, 1, &columns, 1};
  const float* parts[] = {nullptr};
  const std::vector<float> shared = {1, -1, 0};
  std::vector<float> scratch(columns), mixed(2);
  float* out[] = {mixed.data()};
  MixExperts(shape, 1, parts, shared.data(),
             static_cast<const float* const*>(nullptr), scratch.data(), out);
  REQUIRE(mixed == std::vector<float>{1, 0});
}

TEST_CASE("logits to probabilities") {
  const std::vector<float> in = {1, 2, 3, 0, 0, 0}, weight = {0.5, -1, 0.25};
  std::vector<float> out(2);
  DotSigmoid(2, 3, in.data(), weight.data(), 0.1F, out.data());
  RequireNear({static_cast<float>(1 / (1 + std::exp(0.65))),
               static_cast<float>(1 / (1 + std::exp(-0.1)))},
              out);
}

TEST_CASE("rounding keeps the upper half, ties to even") {
  const std::vector<float> in = {1.0F, 1.00390625F, 1.01171875F, -2.5F};
  std::vector<Bf16> out(in.size());
  Round(static_cast<int64_t>(in.size()), in.data(), out.data());
  REQUIRE(out[0].bits == 0x3f80);
  REQUIRE(out[1].bits == 0x3f80);  // Half-way: to even.
  REQUIRE(out[2].bits == 0x3f82);
  REQUIRE(out[3].bits == 0xc020);
}

}  // namespace
}  // namespace larr::kernels
