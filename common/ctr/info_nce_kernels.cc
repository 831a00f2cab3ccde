// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/info_nce_kernels.h"

#include <algorithm>

#include "common/simd/lanes.h"

namespace larr::kernels {

LARR_CLONES void MaskAndMax(const SimilarityRows& rows, const int64_t* pairs,
                            const uint8_t* kept, float* s, float* row_max,
                            float* column_max) {
  const int64_t n = rows.n;
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    float* row = s + i * n;
    const float own = row[i];
    const int64_t pair = pairs[i];
    for (int64_t j = 0; j < n; ++j)
      row[j] = pairs[j] == pair ? kLowest : row[j];
    if (kept != nullptr) {
      for (int64_t j = 0; j < i; ++j)
        row[j] = kept[n - i + j] != 0 ? row[j] : kLowest;
      for (int64_t j = i; j < n; ++j)
        row[j] = kept[j - i] != 0 ? row[j] : kLowest;
    }
    row[i] = own;
    Vec max = Vec{} + own;
    for (int64_t j = 0; j < n; j += kLanes) {
      Vec x, column;
      LoadPart(row + j, n - j, x);
      LoadPart(column_max + j, n - j, column);
      x = Inside(x, n - j, kLowest);
      max = x > max ? x : max;
      StorePart(x > column ? x : column, n - j, column_max + j);
    }
    row_max[i] = Max(max);
  }
}

LARR_CLONES void SumExponentials(const SimilarityRows& rows, const float* s,
                                 const float* row_max, const float* column_max,
                                 float* row_sum, float* column_sum) {
  const int64_t n = rows.n;
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const float* row = s + i * n;
    Vec sum = {};
    for (int64_t j = 0; j < n; j += kLanes) {
      Vec x, max, column;
      LoadPart(row + j, n - j, x);
      LoadPart(column_max + j, n - j, max);
      LoadPart(column_sum + j, n - j, column);
      sum += Inside(Exp(x - row_max[i]), n - j, 0.0f);
      StorePart(column + Exp(x - max), n - j, column_sum + j);
    }
    row_sum[i] = Sum(sum);
  }
}

LARR_CLONES void InfoNceGradient(const SimilarityRows& rows, const float* s,
                                 const float* row_log, const float* column_log,
                                 float factor, float* gradient) {
  const int64_t n = rows.n;
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const float* row = s + i * n;
    float* out = gradient + i * n;
    for (int64_t j = 0; j < n; j += kLanes) {
      Vec x, column;
      LoadPart(row + j, n - j, x);
      LoadPart(column_log + j, n - j, column);
      StorePart((Exp(x - row_log[i]) + Exp(x - column)) * factor, n - j,
                out + j);
    }
    out[i] -= 2 * factor;
  }
}

}  // namespace larr::kernels
