// SPDX-License-Identifier: Apache-2.0
#include "common/llm/rotary.h"

#include <numbers>

namespace larr {
namespace {

torch::Tensor Scaled(const torch::Tensor& frequency,
                     const RopeScaling& scaling) {
  if (scaling.kind == RopeScaling::Kind::kNone) return frequency;
  const auto slow = frequency / scaling.factor;
  if (scaling.kind == RopeScaling::Kind::kLinear) return slow;
  const auto waves = frequency * (scaling.trained / (2 * std::numbers::pi));
  const auto share =
      ((waves - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1);
  return (1 - share) * slow + share * frequency;
}

}  // namespace

RotaryTable MakeRotaryTable(int64_t positions, int64_t head_dim, double theta,
                            const RopeScaling& scaling) {
  const auto exponent =
      torch::arange(0, head_dim, 2, torch::kInt64).to(torch::kFloat32) /
      static_cast<double>(head_dim);
  const auto frequency = Scaled(1.0 / torch::pow(theta, exponent), scaling);
  const auto angle = torch::outer(
      torch::arange(positions, torch::kInt64).to(torch::kFloat32), frequency);
  return {angle.cos(), angle.sin()};
}

}  // namespace larr
