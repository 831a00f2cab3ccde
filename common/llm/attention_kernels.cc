// SPDX-License-Identifier: Apache-2.0
#include "common/llm/attention_kernels.h"

#include <algorithm>
#include <cmath>

#include "common/simd/lanes.h"

namespace larr::kernels {
namespace {

constexpr int kRows = 8;  // rows of queries handled together

LARR_INLINE int64_t RoundUp(int64_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

// A head's row as float32, turned by its position: pairs (i, i + D/2).
template <typename T>
LARR_INLINE void Rotate(const T* from, int64_t half, const float* cosine,
                        const float* sine, float factor, float* to,
                        bool back = false) {
  for (int64_t i = 0; i < half; i += kLanes) {
    Vec a, b, c, s;
    LoadPart(from + i, half - i, a);
    LoadPart(from + half + i, half - i, b);
    LoadPart(cosine + i, half - i, c);
    LoadPart(sine + i, half - i, s);
    if (back) s = -s;
    StorePart((a * c - b * s) * factor, half - i, to + i);
    StorePart((b * c + a * s) * factor, half - i, to + half + i);
  }
}

template <typename T>
LARR_INLINE void StoreRow(const float* row, int64_t dim, T* to,
                          float factor = 1.0f) {
  for (int64_t d = 0; d < dim; d += kLanes) {
    Vec part;
    LoadPart(row + d, dim - d, part);
    StorePart(part * factor, dim - d, to + d);
  }
}

// scores[r, j] = queries[r] . keys[j] for Blocks vectors of columns.
template <int Blocks>
LARR_INLINE void ScoreBlocks(const float* queries, int64_t pitch, int64_t dim,
                             const float* keys, int64_t stride, float* scores) {
  Vec sum[Blocks][kRows] = {};
  for (int64_t d = 0; d < dim; ++d) {
    Vec key[Blocks];
    for (int b = 0; b < Blocks; ++b)
      Load(keys + d * stride + b * kLanes, key[b]);
    for (int r = 0; r < kRows; ++r) {
      const float query = queries[r * pitch + d];
      for (int b = 0; b < Blocks; ++b) sum[b][r] += query * key[b];
    }
  }
  for (int b = 0; b < Blocks; ++b)
    for (int r = 0; r < kRows; ++r)
      Store(sum[b][r], scores + r * stride + b * kLanes);
}

// scores[r, j] = queries[r] . keys[j] for j < width (a multiple of kLanes).
// queries [kRows, pitch], of which dim columns count; keys [dim, stride].
LARR_INLINE void Scores(const float* queries, int64_t pitch, int64_t dim,
                        const float* keys, int64_t stride, int64_t width,
                        float* scores) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= width; j += 2 * kLanes)
    ScoreBlocks<2>(queries, pitch, dim, keys + j, stride, scores + j);
  if (j < width)
    ScoreBlocks<1>(queries, pitch, dim, keys + j, stride, scores + j);
}

// Turns one row of scores into e^(score - max) for the first `known` of
// `width`, zero for the others, which are fewer than kLanes. Returns their sum.
LARR_INLINE float Soften(float* scores, int64_t known, int64_t width) {
  const int64_t last = width - kLanes;
  Vec tail;
  Load(scores + last, tail);
  tail = Inside(tail, known - last, kLowest);
  Vec top = tail;
  for (int64_t j = 0; j < last; j += kLanes) {
    Vec value;
    Load(scores + j, value);
    top = value > top ? value : top;
  }
  const float max = Max(top);
  Vec sum = {};
  for (int64_t j = 0; j < last; j += kLanes) {
    Vec value;
    Load(scores + j, value);
    value = Exp(value - max);
    Store(value, scores + j);
    sum += value;
  }
  tail = Inside(Exp(tail - max), known - last, 0.0f);
  Store(tail, scores + last);
  return Sum(sum + tail);
}

// out[r, d] = sum over j < count of weights[r, j] * values[j, d] for Blocks
// vectors of columns.
template <int Blocks>
LARR_INLINE void MixBlocks(const float* weights, int64_t stride,
                           const float* values, int64_t wide, int64_t count,
                           float* out) {
  Vec sum[Blocks][kRows] = {};
  for (int64_t j = 0; j < count; ++j) {
    Vec value[Blocks];
    for (int b = 0; b < Blocks; ++b)
      Load(values + j * wide + b * kLanes, value[b]);
    for (int r = 0; r < kRows; ++r) {
      const float weight = weights[r * stride + j];
      for (int b = 0; b < Blocks; ++b) sum[b][r] += weight * value[b];
    }
  }
  for (int b = 0; b < Blocks; ++b)
    for (int r = 0; r < kRows; ++r)
      Store(sum[b][r], out + r * wide + b * kLanes);
}

// out [kRows, wide] = the first `count` columns of weights [kRows, stride]
// times values [count, wide].
LARR_INLINE void Mix(const float* weights, int64_t stride, const float* values,
                     int64_t wide, int64_t count, float* out) {
  int64_t d = 0;
  for (; d + 2 * kLanes <= wide; d += 2 * kLanes)
    MixBlocks<2>(weights, stride, values + d, wide, count, out + d);
  if (d < wide) MixBlocks<1>(weights, stride, values + d, wide, count, out + d);
}

// One key/value head as float32: keys [dim, stride], turned and transposed;
// values [length, wide].
template <typename T>
LARR_INLINE void LoadHead(const AttentionShape& shape, int64_t kv_head,
                          int64_t length, const T* qkv, const float* cosine,
                          const float* sine, float* keys, float* values) {
  const int64_t dim = shape.head_dim, half = dim / 2, wide = RoundUp(dim);
  const int64_t stride = RoundUp(length);
  const int64_t columns = (shape.heads + 2 * shape.kv_heads) * dim;
  float row[kMaxHeadDim];
  for (int64_t t = 0; t < length; ++t) {
    const T* key = qkv + t * columns + (shape.heads + kv_head) * dim;
    Rotate(key, half, cosine + t * half, sine + t * half, 1.0f, row);
    for (int64_t d = 0; d < dim; ++d) keys[d * stride + t] = row[d];
    const T* value = key + shape.kv_heads * dim;
    for (int64_t d = 0; d < wide; d += kLanes) {
      Vec part = {};
      if (d < dim) LoadPart(value + d, dim - d, part);
      Store(part, values + t * wide + d);
    }
  }
  for (int64_t d = 0; d < dim; ++d)
    std::fill(keys + d * stride + length, keys + (d + 1) * stride, 0.0f);
}

template <typename T>
LARR_INLINE void AttentionBody(const AttentionShape& shape, int64_t kv_head,
                               int64_t length, int64_t first_row, const T* qkv,
                               const float* cosine, const float* sine,
                               float* scratch, T* out) {
  const int64_t dim = shape.head_dim, half = dim / 2, wide = RoundUp(dim);
  const int64_t group = shape.heads / shape.kv_heads, stride = RoundUp(length);
  const int64_t columns = (shape.heads + 2 * shape.kv_heads) * dim;
  float* keys = scratch;                    // [dim, stride]
  float* values = keys + dim * stride;      // [length, wide]
  float* queries = values + length * wide;  // [kRows, wide]
  float* scores = queries + kRows * wide;   // [kRows, stride]
  LoadHead(shape, kv_head, length, qkv, cosine, sine, keys, values);
  std::fill(queries, scores, 0.0f);
  const float factor = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int64_t t = first_row; t < length; t += kRows) {
      const int rows = static_cast<int>(std::min<int64_t>(kRows, length - t));
      for (int r = 0; r < rows; ++r) {
        Rotate(qkv + (t + r) * columns + head * dim, half,
               cosine + (t + r) * half, sine + (t + r) * half, factor,
               queries + r * wide);
      }
      const int64_t width = RoundUp(t + rows);
      Scores(queries, wide, dim, keys, stride, width, scores);
      float inverse[kRows] = {};
      for (int r = 0; r < rows; ++r)
        inverse[r] = 1.0f / Soften(scores + r * stride, t + r + 1, width);
      Mix(scores, stride, values, wide, t + rows, queries);
      for (int r = 0; r < rows; ++r) {
        StoreRow(queries + r * wide, dim,
                 out + ((t + r) * shape.heads + head) * dim, inverse[r]);
      }
    }
  }
}

// sums[j] += sum over r of weights[r, j] * rows[r], for j < count.
LARR_INLINE void AddOuter(const float* weights, int64_t stride,
                          const float* rows, int64_t dim, int64_t count,
                          float* sums) {
  for (int64_t d = 0; d < dim; d += kLanes) {
    Vec row[kRows];
    for (int r = 0; r < kRows; ++r) Load(rows + r * dim + d, row[r]);
    for (int64_t j = 0; j < count; ++j) {
      Vec sum;
      Load(sums + j * dim + d, sum);
      for (int r = 0; r < kRows; ++r) sum += weights[r * stride + j] * row[r];
      Store(sum, sums + j * dim + d);
    }
  }
}

// Turns weights and the slopes towards them into slopes towards the scores:
// d_s = p (d_p - sum p d_p). `weights` is e^(s - max) and becomes p.
LARR_INLINE void SoftmaxBackward(float inverse, int64_t width, float* weights,
                                 float* slopes) {
  Vec dots = {};
  for (int64_t j = 0; j < width; j += kLanes) {
    Vec p, slope;
    Load(weights + j, p);
    Load(slopes + j, slope);
    p *= inverse;
    Store(p, weights + j);
    dots += p * slope;
  }
  const float dot = Sum(dots);
  for (int64_t j = 0; j < width; j += kLanes) {
    Vec p, slope;
    Load(weights + j, p);
    Load(slopes + j, slope);
    Store(p * (slope - dot), slopes + j);
  }
}

// Scratch of the backward pass of one key/value head.
struct BackwardScratch {
  LARR_INLINE BackwardScratch(int64_t dim, int64_t length, float* scratch)
      : wide(RoundUp(dim)), stride(RoundUp(length)) {
    for (float** part : {&keys, &values, &d_values_to, &d_keys_to}) {
      *part = scratch;
      scratch += part == &keys ? dim * stride : length * wide;
    }
    value_columns = scratch;
    key_rows = value_columns + wide * stride;
    queries = key_rows + length * wide;
    slopes_out = queries + kRows * wide;
    weights = slopes_out + kRows * wide;
    slopes = weights + kRows * stride;
  }
  int64_t wide, stride;
  float *keys, *values;            // of LoadHead
  float *d_values_to, *d_keys_to;  // [length, wide]
  float* value_columns;            // [wide, stride], transposed
  float* key_rows;                 // [length, wide], turned
  float *queries, *slopes_out;     // [kRows, wide]
  float *weights, *slopes;         // [kRows, stride]
};

template <typename T>
LARR_INLINE void AttentionBackwardBody(const AttentionShape& shape,
                                       int64_t kv_head, int64_t length,
                                       const T* qkv, const float* cosine,
                                       const float* sine, const T* d_out,
                                       float* scratch, T* d_qkv) {
  const int64_t dim = shape.head_dim, half = dim / 2;
  const int64_t group = shape.heads / shape.kv_heads;
  const int64_t columns = (shape.heads + 2 * shape.kv_heads) * dim;
  const BackwardScratch s(dim, length, scratch);
  LoadHead(shape, kv_head, length, qkv, cosine, sine, s.keys, s.values);
  std::fill(s.d_values_to, s.d_values_to + length * s.wide, 0.0f);
  std::fill(s.d_keys_to, s.d_keys_to + length * s.wide, 0.0f);
  std::fill(s.value_columns, s.weights, 0.0f);
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t d = 0; d < dim; ++d) {
      s.value_columns[d * s.stride + t] = s.values[t * s.wide + d];
      s.key_rows[t * s.wide + d] = s.keys[d * s.stride + t];
    }
  }
  const float factor = 1.0f / std::sqrt(static_cast<float>(dim));
  float row[kMaxHeadDim];
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int64_t t = 0; t < length; t += kRows) {
      const int rows = static_cast<int>(std::min<int64_t>(kRows, length - t));
      std::fill(s.queries, s.weights, 0.0f);
      for (int r = 0; r < rows; ++r) {
        Rotate(qkv + (t + r) * columns + head * dim, half,
               cosine + (t + r) * half, sine + (t + r) * half, factor,
               s.queries + r * s.wide);
        for (int64_t d = 0; d < dim; d += kLanes) {
          Vec slope;
          LoadPart(d_out + ((t + r) * shape.heads + head) * dim + d, dim - d,
                   slope);
          Store(slope, s.slopes_out + r * s.wide + d);
        }
      }
      const int64_t width = RoundUp(t + rows);
      Scores(s.queries, s.wide, dim, s.keys, s.stride, width, s.weights);
      Scores(s.slopes_out, s.wide, dim, s.value_columns, s.stride, width,
             s.slopes);
      for (int r = 0; r < kRows; ++r) {
        float* weights = s.weights + r * s.stride;
        const int64_t known = std::min(t + r + 1, length);
        const float inverse = 1.0f / Soften(weights, known, width);
        SoftmaxBackward(inverse, width, weights, s.slopes + r * s.stride);
      }
      AddOuter(s.weights, s.stride, s.slopes_out, s.wide, t + rows,
               s.d_values_to);
      AddOuter(s.slopes, s.stride, s.queries, s.wide, t + rows, s.d_keys_to);
      // Each query's own slope, turned back.
      Mix(s.slopes, s.stride, s.key_rows, s.wide, t + rows, s.queries);
      for (int r = 0; r < rows; ++r) {
        Rotate(s.queries + r * s.wide, half, cosine + (t + r) * half,
               sine + (t + r) * half, factor, row, /*back=*/true);
        StoreRow(row, dim, d_qkv + (t + r) * columns + head * dim);
      }
    }
  }
  for (int64_t t = 0; t < length; ++t) {
    T* to = d_qkv + t * columns + (shape.heads + kv_head) * dim;
    Rotate(s.d_keys_to + t * s.wide, half, cosine + t * half, sine + t * half,
           1.0f, row, /*back=*/true);
    StoreRow(row, dim, to);
    StoreRow(s.d_values_to + t * s.wide, dim, to + shape.kv_heads * dim);
  }
}

}  // namespace

int64_t AttentionScratch(const AttentionShape& shape, int64_t length) {
  const int64_t stride = RoundUp(length), wide = RoundUp(shape.head_dim);
  return shape.head_dim * stride + length * wide + kRows * (wide + stride);
}

int64_t AttentionBackwardScratch(const AttentionShape& shape, int64_t length) {
  const int64_t stride = RoundUp(length), wide = RoundUp(shape.head_dim);
  return shape.head_dim * stride + 4 * length * wide + wide * stride +
         2 * kRows * (wide + stride);
}

// The same functions for both types of number.
#define LARR_KERNELS(T)                                                       \
  LARR_CLONES void Attention(const AttentionShape& shape, int64_t kv_head,    \
                             int64_t length, int64_t first_row, const T* qkv, \
                             const float* cosine, const float* sine,          \
                             float* scratch, T* out) {                        \
    AttentionBody(shape, kv_head, length, first_row, qkv, cosine, sine,       \
                  scratch, out);                                              \
  }                                                                           \
  LARR_CLONES void AttentionBackward(                                         \
      const AttentionShape& shape, int64_t kv_head, int64_t length,           \
      const T* qkv, const float* cosine, const float* sine, const T* d_out,   \
      float* scratch, T* d_qkv) {                                             \
    AttentionBackwardBody(shape, kv_head, length, qkv, cosine, sine, d_out,   \
                          scratch, d_qkv);                                    \
  }

LARR_KERNELS(float)
LARR_KERNELS(Bf16)
#undef LARR_KERNELS

}  // namespace larr::kernels
