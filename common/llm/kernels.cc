// SPDX-License-Identifier: Apache-2.0
#include "common/llm/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#define LARR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LARR_CLONES
#endif
#define LARR_INLINE [[gnu::always_inline]] inline

namespace larr::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int kRows = 8;  // rows of queries handled together
constexpr float kLowest = -1e30f;
using Vec = float __attribute__((vector_size(64)));
using IntVec = int32_t __attribute__((vector_size(64)));
using UintVec = uint32_t __attribute__((vector_size(64)));
using HalfVec = uint16_t __attribute__((vector_size(32)));

LARR_INLINE void Load(const float* from, Vec& to) { memcpy(&to, from, 64); }
LARR_INLINE void Load(const Bf16* from, Vec& to) {
  HalfVec bits;
  memcpy(&bits, from, 32);
  const UintVec wide = __builtin_convertvector(bits, UintVec) << 16;
  memcpy(&to, &wide, 64);
}
LARR_INLINE void Store(const Vec& from, float* to) { memcpy(to, &from, 64); }
// Rounds to nearest, ties to even.
LARR_INLINE void Store(const Vec& from, Bf16* to) {
  UintVec wide;
  memcpy(&wide, &from, 64);
  wide = (wide + 0x7fff + ((wide >> 16) & 1)) >> 16;
  const HalfVec bits = __builtin_convertvector(wide, HalfVec);
  memcpy(to, &bits, 32);
}

// The first n lanes; the others are zero, or not written.
template <typename T>
LARR_INLINE void LoadPart(const T* from, int64_t n, Vec& to) {
  if (n >= kLanes) return Load(from, to);
  T part[kLanes] = {};
  memcpy(part, from, n * sizeof(T));
  Load(part, to);
}
template <typename T>
LARR_INLINE void StorePart(const Vec& from, int64_t n, T* to) {
  if (n >= kLanes) return Store(from, to);
  T part[kLanes];
  Store(from, part);
  memcpy(to, part, n * sizeof(T));
}

// The lanes, the upper half before the lower, and so on down to single ones.
LARR_INLINE Vec Swapped(const Vec& x, int half) {
  switch (half) {
    case 8:
      return __builtin_shuffle(
          x, IntVec{8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7});
    case 4:
      return __builtin_shuffle(
          x, IntVec{4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11});
    case 2:
      return __builtin_shuffle(
          x, IntVec{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13});
    default:
      return __builtin_shuffle(
          x, IntVec{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14});
  }
}

LARR_INLINE float Sum(Vec x) {
  for (const int half : {8, 4, 2, 1}) x += Swapped(x, half);
  return x[0];
}

LARR_INLINE float Max(Vec x) {
  for (const int half : {8, 4, 2, 1}) {
    const Vec other = Swapped(x, half);
    x = x > other ? x : other;
  }
  return x[0];
}

// e^x to 2 units in the last place: 2^n times a polynomial on half an octave.
LARR_INLINE Vec Exp(Vec x) {
  const Vec low = Vec{} - 87.0f, high = Vec{} + 88.0f;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const Vec shifted = x * 1.44269504f + 12582912.0f;
  const Vec n = shifted - 12582912.0f;
  const Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntVec power = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec scale;
  memcpy(&scale, &power, 64);
  return p * scale;
}

template <typename T>
LARR_INLINE void AddRmsNormBody(int64_t rows, int64_t width, float* x,
                                const T* delta, const float* weight,
                                float epsilon, T* out) {
  for (int64_t row = 0; row < rows; ++row, x += width, out += width) {
    Vec squares = {};
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value;
      LoadPart(x + i, width - i, value);
      if (delta != nullptr) {
        Vec more;
        LoadPart(delta + row * width + i, width - i, more);
        value += more;
        StorePart(value, width - i, x + i);
      }
      squares += value * value;
    }
    const float scale =
        1.0f / std::sqrt(Sum(squares) / static_cast<float>(width) + epsilon);
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value, factor;
      LoadPart(x + i, width - i, value);
      LoadPart(weight + i, width - i, factor);
      StorePart(value * scale * factor, width - i, out + i);
    }
  }
}

template <typename T>
LARR_INLINE void RmsNormBackwardBody(int64_t rows, int64_t width,
                                     const float* x, const float* weight,
                                     float epsilon, const T* d_out, float* d_x,
                                     float* d_weight) {
  for (int64_t row = 0; row < rows; ++row) {
    Vec squares = {}, dots = {};
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value, slope, factor;
      LoadPart(x + i, width - i, value);
      LoadPart(d_out + i, width - i, slope);
      LoadPart(weight + i, width - i, factor);
      squares += value * value;
      dots += value * slope * factor;
    }
    const auto count = static_cast<float>(width);
    const float scale = 1.0f / std::sqrt(Sum(squares) / count + epsilon);
    const float pull = Sum(dots) / count * scale * scale;
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value, slope, factor, total;
      LoadPart(x + i, width - i, value);
      LoadPart(d_out + i, width - i, slope);
      LoadPart(weight + i, width - i, factor);
      LoadPart(d_weight + i, width - i, total);
      StorePart((slope * factor - value * pull) * scale, width - i, d_x + i);
      StorePart(total + slope * value * scale, width - i, d_weight + i);
    }
    x += width;
    d_out += width;
    d_x += width;
  }
}

template <typename T>
LARR_INLINE void SiluMulBody(int64_t rows, int64_t width, const T* gate_up,
                             T* out) {
  for (int64_t row = 0; row < rows; ++row, gate_up += 2 * width, out += width) {
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec gate, up;
      LoadPart(gate_up + i, width - i, gate);
      LoadPart(gate_up + width + i, width - i, up);
      StorePart(gate * up / (1.0f + Exp(-gate)), width - i, out + i);
    }
  }
}

template <typename T>
LARR_INLINE void SiluMulBackwardBody(int64_t rows, int64_t width,
                                     const T* gate_up, const T* d_out,
                                     T* d_gate_up) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec gate, up, slope;
      LoadPart(gate_up + i, width - i, gate);
      LoadPart(gate_up + width + i, width - i, up);
      LoadPart(d_out + i, width - i, slope);
      const Vec sigmoid = 1.0f / (1.0f + Exp(-gate));
      const Vec silu = gate * sigmoid;
      StorePart(slope * up * (sigmoid + silu * (1.0f - sigmoid)), width - i,
                d_gate_up + i);
      StorePart(slope * silu, width - i, d_gate_up + width + i);
    }
    gate_up += 2 * width;
    d_out += width;
    d_gate_up += 2 * width;
  }
}

// x with its lanes from n on replaced.
LARR_INLINE Vec Inside(const Vec& x, int64_t n, float other) {
  const IntVec lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return lanes < static_cast<int32_t>(std::min<int64_t>(n, kLanes))
             ? x
             : Vec{} + other;
}

template <typename T>
LARR_INLINE void LogSumExpBody(int64_t rows, int64_t width, const T* logits,
                               float* out) {
  for (int64_t row = 0; row < rows; ++row, logits += width) {
    Vec top = Vec{} + kLowest;
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value;
      LoadPart(logits + i, width - i, value);
      value = Inside(value, width - i, kLowest);
      top = value > top ? value : top;
    }
    const float max = Max(top);
    Vec sum = {};
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value;
      LoadPart(logits + i, width - i, value);
      sum += Inside(Exp(value - max), width - i, 0.0f);
    }
    out[row] = max + std::log(Sum(sum));
  }
}

template <typename T>
LARR_INLINE void SoftmaxInPlaceBody(int64_t rows, int64_t width,
                                    const float* norm, float weight,
                                    T* logits) {
  for (int64_t row = 0; row < rows; ++row, logits += width) {
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec value;
      LoadPart(logits + i, width - i, value);
      StorePart(Exp(value - norm[row]) * weight, width - i, logits + i);
    }
  }
}

// Lanes of a and b in turn, from the lower or the upper half of each.
LARR_INLINE HalfVec Interleave(const HalfVec& a, const HalfVec& b, bool upper) {
  using Index = int16_t __attribute__((vector_size(32)));
  return upper ? __builtin_shuffle(a, b,
                                   Index{8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                         13, 29, 14, 30, 15, 31})
               : __builtin_shuffle(a, b,
                                   Index{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                         21, 6, 22, 7, 23});
}

// A square of kLanes rows and columns: interleaving the rows of its two halves
// four times moves each element to its transposed place.
LARR_INLINE void TransposeTile(const Bf16* from, int64_t columns, int64_t rows,
                               Bf16* to) {
  HalfVec a[kLanes], b[kLanes];
  for (int i = 0; i < kLanes; ++i) memcpy(&a[i], from + i * columns, 32);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < kLanes / 2; ++i) {
      b[2 * i] = Interleave(a[i], a[i + kLanes / 2], false);
      b[2 * i + 1] = Interleave(a[i], a[i + kLanes / 2], true);
    }
    for (int i = 0; i < kLanes; ++i) a[i] = b[i];
  }
  for (int i = 0; i < kLanes; ++i) memcpy(to + i * rows, &a[i], 32);
}

LARR_INLINE void TransposeBody(int64_t rows, int64_t columns, int64_t first,
                               int64_t last, const Bf16* from, Bf16* to) {
  constexpr int64_t kStretch = 4 * kLanes;  // of columns: a cache line or two
  for (int64_t begin = first; begin < last; begin += kStretch) {
    const int64_t end = std::min(begin + kStretch, last);
    for (int64_t r = 0; r < rows; r += kLanes) {
      for (int64_t c = begin; c < end; c += kLanes) {
        if (r + kLanes <= rows && c + kLanes <= end) {
          TransposeTile(from + r * columns + c, columns, rows,
                        to + c * rows + r);
          continue;
        }
        for (int64_t i = r; i < std::min(r + kLanes, rows); ++i)
          for (int64_t j = c; j < std::min(c + kLanes, end); ++j)
            to[j * rows + i] = from[i * columns + j];
      }
    }
  }
}

LARR_INLINE Vec SquareRoot(Vec x) {
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}

template <typename T>
LARR_INLINE void AdamWBody(int64_t n, const AdamWStep& step, const T* gradient,
                           float* parameter, float* mean, float* variance,
                           Bf16* rounded) {
  const float keep = 1.0f - step.rate * step.decay;
  const float rate = step.rate / step.correction1;
  const float root = 1.0f / std::sqrt(step.correction2);
  for (int64_t i = 0; i < n; i += kLanes) {
    Vec slope, value, first, second;
    LoadPart(gradient + i, n - i, slope);
    LoadPart(parameter + i, n - i, value);
    LoadPart(mean + i, n - i, first);
    LoadPart(variance + i, n - i, second);
    slope *= step.gradient_scale;
    first += (slope - first) * (1.0f - step.beta1);
    second = second * step.beta2 + slope * slope * (1.0f - step.beta2);
    value = value * keep -
            rate * first / (SquareRoot(second) * root + step.epsilon);
    StorePart(value, n - i, parameter + i);
    StorePart(first, n - i, mean + i);
    StorePart(second, n - i, variance + i);
    if (rounded != nullptr) StorePart(value, n - i, rounded + i);
  }
}

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

LARR_CLONES void Transpose(int64_t rows, int64_t columns, int64_t first,
                           int64_t last, const Bf16* from, Bf16* to) {
  TransposeBody(rows, columns, first, last, from, to);
}

// The same functions for both types of number.
#define LARR_KERNELS(T)                                                       \
  LARR_CLONES void AddRmsNorm(int64_t rows, int64_t width, float* x,          \
                              const T* delta, const float* weight,            \
                              float epsilon, T* out) {                        \
    AddRmsNormBody(rows, width, x, delta, weight, epsilon, out);              \
  }                                                                           \
  LARR_CLONES void RmsNormBackward(                                           \
      int64_t rows, int64_t width, const float* x, const float* weight,       \
      float epsilon, const T* d_out, float* d_x, float* d_weight) {           \
    RmsNormBackwardBody(rows, width, x, weight, epsilon, d_out, d_x,          \
                        d_weight);                                            \
  }                                                                           \
  LARR_CLONES void SiluMul(int64_t rows, int64_t width, const T* gate_up,     \
                           T* out) {                                          \
    SiluMulBody(rows, width, gate_up, out);                                   \
  }                                                                           \
  LARR_CLONES void SiluMulBackward(int64_t rows, int64_t width,               \
                                   const T* gate_up, const T* d_out,          \
                                   T* d_gate_up) {                            \
    SiluMulBackwardBody(rows, width, gate_up, d_out, d_gate_up);              \
  }                                                                           \
  LARR_CLONES void AdamW(int64_t n, const AdamWStep& step, const T* gradient, \
                         float* parameter, float* mean, float* variance,      \
                         Bf16* rounded) {                                     \
    AdamWBody(n, step, gradient, parameter, mean, variance, rounded);         \
  }                                                                           \
  LARR_CLONES void LogSumExp(int64_t rows, int64_t width, const T* logits,    \
                             float* out) {                                    \
    LogSumExpBody(rows, width, logits, out);                                  \
  }                                                                           \
  LARR_CLONES void SoftmaxInPlace(int64_t rows, int64_t width,                \
                                  const float* norm, float weight,            \
                                  T* logits) {                                \
    SoftmaxInPlaceBody(rows, width, norm, weight, logits);                    \
  }                                                                           \
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
