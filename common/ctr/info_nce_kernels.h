// SPDX-License-Identifier: Apache-2.0
//
// The passes of a symmetric InfoNCE over its similarities S [n, n], row-major,
// for CPUs: each goes over S once. They work on the rows [begin, end), so that
// threads share a pass; arrays of columns are then a thread's own. No LibTorch.
//
// Threads: pure functions of their arguments.
#pragma once

#include <cstdint>

namespace larr::kernels {

struct SimilarityRows {
  int64_t n = 0, begin = 0, end = 0;
};

// Takes out of S what is of the same pair, and S_ij where kept[(j - i) mod n]
// is 0; a null `kept` keeps all. The diagonal stays. row_max[i] is set for the
// rows; column_max [n] is raised to what they hold.
void MaskAndMax(const SimilarityRows& rows, const int64_t* pairs,
                const uint8_t* kept, float* s, float* row_max,
                float* column_max);

// row_sum[i] = sum over j of exp(S_ij - row_max[i]); column_sum [n] grows by
// exp(S_ij - column_max[j]).
void SumExponentials(const SimilarityRows& rows, const float* s,
                     const float* row_max, const float* column_max,
                     float* row_sum, float* column_sum);

// gradient_ij = factor (exp(S_ij - row_log[i]) + exp(S_ij - column_log[j])),
// less 2 factor on the diagonal: that of
// factor (sum of row_log + sum of column_log - 2 sum of S_ii).
void InfoNceGradient(const SimilarityRows& rows, const float* s,
                     const float* row_log, const float* column_log,
                     float factor, float* gradient);

}  // namespace larr::kernels
