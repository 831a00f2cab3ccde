// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/ctr_kernels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/simd/lanes.h"

namespace larr::kernels {
namespace {

// to += factor * from.
LARR_INLINE void AddScaled(int64_t n, float factor, const float* from,
                           float* to) {
  for (int64_t i = 0; i < n; i += kLanes) {
    Vec a, b;
    LoadPart(from + i, n - i, a);
    LoadPart(to + i, n - i, b);
    StorePart(b + a * factor, n - i, to + i);
  }
}

LARR_INLINE void PoolTokensBody(const PoolShape& shape, int64_t tokens,
                                const float* rows, float* part) {
  const int64_t heads = shape.heads, pitch = heads * (1 + shape.width);
  std::fill(part, part + shape.size(), 0.0f);
  for (int64_t h = 0; h < heads; ++h) {
    float max = rows[h];
    for (int64_t t = 1; t < tokens; ++t)
      max = std::max(max, rows[t * pitch + h]);
    part[h] = max;
    for (int64_t t = 0; t < tokens; ++t) {
      const float* row = rows + t * pitch;
      const float weight = std::exp(row[h] - max);
      part[heads + h] += weight;
      AddScaled(shape.width, weight, row + heads + h * shape.width,
                part + 2 * heads + h * shape.width);
    }
  }
}

template <typename T>
LARR_INLINE void MergePoolsBody(const PoolShape& shape, int64_t rows,
                                const float* shared, const float* const* own,
                                T* out) {
  const int64_t heads = shape.heads, width = shape.width;
  for (int64_t r = 0; r < rows; ++r) {
    const float* other = own == nullptr ? nullptr : own[r];
    for (int64_t h = 0; h < heads; ++h) {
      const float* a = shared + 2 * heads + h * width;
      const float* b = other == nullptr ? a : other + 2 * heads + h * width;
      float of_a = 1, of_b = 0;
      if (other != nullptr) {
        const float max = std::max(shared[h], other[h]);
        of_a = std::exp(shared[h] - max);
        of_b = std::exp(other[h] - max);
      }
      float sum = of_a * shared[heads + h];
      if (other != nullptr) sum += of_b * other[heads + h];
      of_a /= sum;
      of_b /= sum;
      T* to = out + (r * heads + h) * width;
      for (int64_t d = 0; d < width; d += kLanes) {
        Vec x, y;
        LoadPart(a + d, width - d, x);
        LoadPart(b + d, width - d, y);
        StorePart(x * of_a + y * of_b, width - d, to + d);
      }
    }
  }
}

// in[at...] + residual[at...], of which `left` lanes are there.
template <typename T>
LARR_INLINE Vec LoadSum(const T* in, const T* residual, int64_t at,
                        int64_t left) {
  Vec x, y = {};
  LoadPart(in + at, left, x);
  if (residual != nullptr) LoadPart(residual + at, left, y);
  return x + y;
}

template <typename T>
LARR_INLINE void AddLayerNormBody(int64_t rows, int64_t width, const T* in,
                                  const T* residual, const float* weight,
                                  const float* bias, float epsilon, T* out) {
  const float share = 1.0f / static_cast<float>(width);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t row = r * width;
    Vec sum = {};
    for (int64_t i = 0; i < width; i += kLanes)
      sum += LoadSum(in, residual, row + i, width - i);
    const float mean = Sum(sum) * share;
    Vec squares = {};
    for (int64_t i = 0; i < width; i += kLanes) {
      const Vec y = LoadSum(in, residual, row + i, width - i) - mean;
      const Vec x = Inside(y, width - i, 0.0f);
      squares += x * x;
    }
    const float scale = 1.0f / std::sqrt(Sum(squares) * share + epsilon);
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec w, b;
      LoadPart(weight + i, width - i, w);
      LoadPart(bias + i, width - i, b);
      const Vec x = LoadSum(in, residual, row + i, width - i);
      StorePart((x - mean) * scale * w + b, width - i, out + row + i);
    }
  }
}

// One row of MixExperts' input.
template <typename T>
LARR_INLINE void SumRow(const MixShape& shape, int64_t r, const T* const* parts,
                        const float* shared, const T* own, float* row) {
  for (int64_t p = 0; p < shape.part_count; ++p) {
    const int64_t columns = shape.part_columns[p];
    const T* part = parts[p] == nullptr ? nullptr : parts[p] + r * columns;
    for (int64_t i = 0; i < columns; i += kLanes) {
      Vec x = {}, y;
      if (part != nullptr) LoadPart(part + i, columns - i, x);
      if (shared != nullptr) {
        LoadPart(shared + i, columns - i, y);
        x += y;
      }
      if (own != nullptr) {
        LoadPart(own + i, columns - i, y);
        x += y;
      }
      StorePart(x, columns - i, row + i);
    }
    row += columns;
    if (shared != nullptr) shared += columns;
    if (own != nullptr) own += columns;
  }
}

// Turns logits into their softmax.
LARR_INLINE void Soften(int64_t n, float* logits) {
  float max = logits[0];
  for (int64_t i = 1; i < n; ++i) max = std::max(max, logits[i]);
  float sum = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    Vec x;
    LoadPart(logits + i, n - i, x);
    x = Inside(Exp(x - max), n - i, 0.0f);
    sum += Sum(x);
    StorePart(x, n - i, logits + i);
  }
  const float factor = 1.0f / sum;
  for (int64_t i = 0; i < n; ++i) logits[i] *= factor;
}

template <typename T>
LARR_INLINE void MixExpertsBody(const MixShape& shape, int64_t rows,
                                const T* const* parts, const float* shared,
                                const T* const* own, float* scratch,
                                T* const* out) {
  const int64_t width = shape.width;
  const Vec zero = {};
  for (int64_t r = 0; r < rows; ++r) {
    SumRow(shape, r, parts, shared, own == nullptr ? nullptr : own[r], scratch);
    for (int64_t g = 0; g < shape.gate_count; ++g) {
      const Gate& gate = shape.gates[g];
      float* weights = scratch + gate.first_logit;
      Soften(gate.experts, weights);
      for (int64_t i = 0; i < width; i += kLanes) {
        Vec sum = {};
        for (int64_t e = 0; e < gate.experts; ++e) {
          Vec x;
          LoadPart(scratch + gate.expert_columns[e] + i, width - i, x);
          sum += (x > zero ? x : zero) * weights[e];
        }
        StorePart(sum, width - i, out[g] + r * width + i);
      }
    }
  }
}

// What gate g brings to the gradient of a row of experts and logits, `grad`.
LARR_INLINE void AddGateGradient(const MixShape& shape, const Gate& gate,
                                 float* row, const float* grad_out,
                                 float* grad) {
  const int64_t width = shape.width;
  const Vec zero = {};
  float* weights = row + gate.first_logit;
  float* dots = grad + gate.first_logit;  // become the logits' gradient
  Soften(gate.experts, weights);
  float mean = 0;
  for (int64_t e = 0; e < gate.experts; ++e) {
    const float* expert = row + gate.expert_columns[e];
    float* grad_expert = grad + gate.expert_columns[e];
    Vec dot = {};
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec x, d, g;
      LoadPart(expert + i, width - i, x);
      LoadPart(grad_out + i, width - i, d);
      LoadPart(grad_expert + i, width - i, g);
      dot += (x > zero ? x : zero) * d;
      StorePart(g + (x > zero ? d * weights[e] : zero), width - i,
                grad_expert + i);
    }
    dots[e] = Sum(dot);
    mean += weights[e] * dots[e];
  }
  for (int64_t e = 0; e < gate.experts; ++e)
    dots[e] = weights[e] * (dots[e] - mean);
}

// The softmax of a head's scores of the tokens of a row, into `weights`.
LARR_INLINE void WeighTokens(const PoolShape& shape, int64_t head,
                             int64_t tokens, const int64_t* index,
                             const float* table, float* weights) {
  const int64_t pitch = shape.heads * (1 + shape.width);
  for (int64_t t = 0; t < tokens; ++t)
    weights[t] = table[index[t] * pitch + head];
  Soften(tokens, weights);
}

LARR_INLINE float Dot(int64_t n, const float* a, const float* b) {
  Vec sum = {};
  for (int64_t i = 0; i < n; i += kLanes) {
    Vec x, y;
    LoadPart(a + i, n - i, x);
    LoadPart(b + i, n - i, y);
    sum += x * y;
  }
  return Sum(sum);
}

template <typename T>
LARR_INLINE void DotSigmoidBody(int64_t rows, int64_t width, const T* in,
                                const float* weight, float bias, float* out) {
  for (int64_t r = 0; r < rows; ++r) {
    Vec sum = {};
    for (int64_t i = 0; i < width; i += kLanes) {
      Vec x, w;
      LoadPart(in + r * width + i, width - i, x);
      LoadPart(weight + i, width - i, w);
      sum += x * w;
    }
    out[r] = 1.0f / (1.0f + std::exp(-(Sum(sum) + bias)));
  }
}

}  // namespace

LARR_CLONES void PoolTokens(const PoolShape& shape, int64_t tokens,
                            const float* rows, float* part) {
  PoolTokensBody(shape, tokens, rows, part);
}

LARR_CLONES void Adam(const AdamStep& step, int64_t n, const float* gradient,
                      float* first, float* second, float* weight) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient[i];
    first[i] += (g - first[i]) * (1 - step.beta1);
    second[i] = second[i] * step.beta2 + g * g * (1 - step.beta2);
    weight[i] -= step.size * first[i] / (std::sqrt(second[i]) + step.epsilon);
  }
}

LARR_CLONES void AddRows(int64_t n, int64_t width, const int64_t* places,
                         int64_t begin, int64_t end, const float* from,
                         float* sums) {
  for (int64_t i = 0; i < n; ++i)
    if (places[i] >= begin && places[i] < end)
      AddScaled(width, 1.0f, from + i * width, sums + places[i] * width);
}

LARR_CLONES void AttendTokens(const PoolShape& shape, int64_t rows,
                              int64_t tokens, const int64_t* index,
                              const float* table, float* scratch, float* out) {
  const int64_t heads = shape.heads, width = shape.width;
  const int64_t pitch = heads * (1 + width);
  for (int64_t r = 0; r < rows; ++r, index += tokens)
    for (int64_t h = 0; h < heads; ++h, out += width) {
      WeighTokens(shape, h, tokens, index, table, scratch);
      std::fill_n(out, width, 0.0f);
      for (int64_t t = 0; t < tokens; ++t)
        AddScaled(width, scratch[t],
                  table + index[t] * pitch + heads + h * width, out);
    }
}

LARR_CLONES void AttendTokensBackward(const PoolShape& shape, int64_t head,
                                      int64_t rows, int64_t tokens,
                                      const int64_t* index, const float* table,
                                      const float* grad, float* scratch,
                                      float* grad_table) {
  const int64_t heads = shape.heads, width = shape.width;
  const int64_t pitch = heads * (1 + width), value = heads + head * width;
  float* weights = scratch;
  float* dots = scratch + tokens;
  for (int64_t r = 0; r < rows; ++r, index += tokens) {
    const float* of_out = grad + (r * heads + head) * width;
    WeighTokens(shape, head, tokens, index, table, weights);
    float mean = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t at = index[t] * pitch;
      dots[t] = Dot(width, of_out, table + at + value);
      mean += weights[t] * dots[t];
      AddScaled(width, weights[t], of_out, grad_table + at + value);
    }
    for (int64_t t = 0; t < tokens; ++t)
      grad_table[index[t] * pitch + head] += weights[t] * (dots[t] - mean);
  }
}

LARR_CLONES void Round(int64_t n, const float* from, Bf16* to) {
  for (int64_t i = 0; i < n; i += kLanes) {
    Vec x;
    LoadPart(from + i, n - i, x);
    StorePart(x, n - i, to + i);
  }
}

LARR_CLONES void MixExpertsBackward(const MixShape& shape, int64_t rows,
                                    const float* const* parts,
                                    const float* const* grads, float* scratch,
                                    float* const* grad_parts) {
  const int64_t columns = std::accumulate(
      shape.part_columns, shape.part_columns + shape.part_count, int64_t{0});
  const bool whole = shape.part_count == 1;
  for (int64_t r = 0; r < rows; ++r) {
    float* grad = whole ? grad_parts[0] + r * columns : scratch + columns;
    SumRow<float>(shape, r, parts, nullptr, nullptr, scratch);
    std::fill_n(grad, columns, 0.0f);
    for (int64_t g = 0; g < shape.gate_count; ++g)
      AddGateGradient(shape, shape.gates[g], scratch,
                      grads[g] + r * shape.width, grad);
    const float* from = grad;
    for (int64_t p = 0; p < shape.part_count && !whole; ++p) {
      const int64_t count = shape.part_columns[p];
      std::copy_n(from, count, grad_parts[p] + r * count);
      from += count;
    }
  }
}

// The same functions for both types of number.
#define LARR_KERNELS(T)                                                      \
  LARR_CLONES void MergePools(const PoolShape& shape, int64_t rows,          \
                              const float* shared, const float* const* own,  \
                              T* out) {                                      \
    MergePoolsBody(shape, rows, shared, own, out);                           \
  }                                                                          \
  LARR_CLONES void AddLayerNorm(int64_t rows, int64_t width, const T* in,    \
                                const T* residual, const float* weight,      \
                                const float* bias, float epsilon, T* out) {  \
    AddLayerNormBody(rows, width, in, residual, weight, bias, epsilon, out); \
  }                                                                          \
  LARR_CLONES void MixExperts(const MixShape& shape, int64_t rows,           \
                              const T* const* parts, const float* shared,    \
                              const T* const* own, float* scratch,           \
                              T* const* out) {                               \
    MixExpertsBody(shape, rows, parts, shared, own, scratch, out);           \
  }                                                                          \
  LARR_CLONES void DotSigmoid(int64_t rows, int64_t width, const T* in,      \
                              const float* weight, float bias, float* out) { \
    DotSigmoidBody(rows, width, in, weight, bias, out);                      \
  }

LARR_KERNELS(float)
LARR_KERNELS(Bf16)
#undef LARR_KERNELS

}  // namespace larr::kernels
