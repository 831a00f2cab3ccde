// SPDX-License-Identifier: Apache-2.0
#include "common/llm/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/simd/lanes.h"

namespace larr::kernels {
namespace {

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
  return upper ? __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                         28, 13, 29, 14, 30, 15, 31)
               : __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4,
                                         20, 5, 21, 6, 22, 7, 23);
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

}  // namespace

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
  }

LARR_KERNELS(float)
LARR_KERNELS(Bf16)
#undef LARR_KERNELS

}  // namespace larr::kernels
