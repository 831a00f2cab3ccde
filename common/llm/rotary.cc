// SPDX-License-Identifier: Apache-2.0
#include "common/llm/rotary.h"

namespace larr {

RotaryTable MakeRotaryTable(int64_t positions, int64_t head_dim, double theta) {
  const auto exponent =
      torch::arange(0, head_dim, 2, torch::kInt64).to(torch::kFloat32) /
      static_cast<double>(head_dim);
  const auto frequency = 1.0 / torch::pow(theta, exponent);
  const auto angle = torch::outer(
      torch::arange(positions, torch::kInt64).to(torch::kFloat32), frequency);
  return {angle.cos(), angle.sin()};
}

}  // namespace larr
