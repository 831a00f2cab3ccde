// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/info_nce_kernels.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace larr::kernels {
namespace {

TEST_CASE("the passes give logarithms of sums, and their gradient") {
  std::mt19937 random(8);
  std::normal_distribution<float> normal(0, 20);
  for (const int64_t n : {1, 2, 15, 16, 17, 50}) {
    const auto count = static_cast<size_t>(n);
    std::vector<float> s(count * count);
    for (float& x : s) x = normal(random);
    std::vector<int64_t> pairs(count);
    for (int64_t& pair : pairs) pair = static_cast<int64_t>(random() % 10);
    const std::vector<float> original = s;
    std::vector<uint8_t> flags(count);
    for (uint8_t& flag : flags) flag = random() % 3 != 0 ? 1 : 0;
    const bool all = n % 2 == 0;
    const auto kept = [&](size_t i, size_t j) {
      const bool drawn = all || flags[(j + count - i) % count] != 0;
      return i == j || (drawn && pairs[i] != pairs[j]);
    };
    // Two threads' shares.
    const SimilarityRows shares[] = {{n, 0, n / 2}, {n, n / 2, n}};
    std::vector<float> row_max(count), row_sum(count);
    std::vector<float> column_max(count, -1e30F), column_sum(count);
    for (const SimilarityRows& rows : shares)
      MaskAndMax(rows, pairs.data(), all ? nullptr : flags.data(), s.data(),
                 row_max.data(), column_max.data());
    for (const SimilarityRows& rows : shares)
      SumExponentials(rows, s.data(), row_max.data(), column_max.data(),
                      row_sum.data(), column_sum.data());
    std::vector<float> row_log(count), column_log(count);
    for (size_t i = 0; i < count; ++i) {
      float row = -1e30F, column = -1e30F;
      for (size_t j = 0; j < count; ++j) {
        if (kept(i, j)) row = std::max(row, original[i * count + j]);
        if (kept(j, i)) column = std::max(column, original[j * count + i]);
      }
      double of_row = 0, of_column = 0;
      for (size_t j = 0; j < count; ++j) {
        if (kept(i, j)) of_row += std::exp(original[i * count + j] - row);
        if (kept(j, i)) of_column += std::exp(original[j * count + i] - column);
      }
      REQUIRE(row_max[i] == row);
      REQUIRE(column_max[i] == column);
      REQUIRE(row_sum[i] == Approx(of_row));
      REQUIRE(column_sum[i] == Approx(of_column));
      row_log[i] = row + std::log(row_sum[i]);
      column_log[i] = column + std::log(column_sum[i]);
    }
    std::vector<float> gradient(count * count);
    for (const SimilarityRows& rows : shares)
      InfoNceGradient(rows, s.data(), row_log.data(), column_log.data(), 0.5F,
                      gradient.data());
    for (size_t i = 0; i < count; ++i)
      for (size_t j = 0; j < count; ++j) {
        const float x = original[i * count + j];
        const double share =
            kept(i, j) ? std::exp(x - row_log[i]) + std::exp(x - column_log[j])
                       : 0;
        REQUIRE(gradient[i * count + j] ==
                Approx(0.5 * share - (i == j ? 1 : 0)).margin(1e-5));
      }
  }
}

}  // namespace
}  // namespace larr::kernels
