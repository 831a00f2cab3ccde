// SPDX-License-Identifier: Apache-2.0
#include "common/llm/whitening.h"

#include <map>
#include <tuple>

namespace larr {
namespace {

using torch::Tensor;

constexpr double kAddedVariance = 0.1;

}  // namespace

Tensor ContentWhitening(const Tensor& states,
                        const std::vector<int32_t>& slot) {
  const torch::NoGradGuard no_grad;
  std::map<int32_t, std::vector<int64_t>> members;
  for (size_t i = 0; i < slot.size(); ++i)
    members[slot[i]].push_back(static_cast<int64_t>(i));
  Tensor rest = states.to(torch::kFloat64).clone();
  std::vector<Tensor> means;
  for (const auto& [id, rows] : members) {
    const Tensor index = torch::tensor(rows, torch::kInt64);
    const Tensor mean = rest.index_select(0, index).mean(0);
    rest.index_copy_(0, index, rest.index_select(0, index) - mean);
    means.push_back(mean);
  }
  // An orthonormal basis of the means' directions.
  const auto [u, size, directions] =
      torch::linalg_svd(torch::stack(means), /*full_matrices=*/false);
  const Tensor basis =
      directions.index({size.gt(1e-6 * size.max())});  // [k, h]
  const int64_t width = states.size(1);
  const Tensor without =
      torch::eye(width, torch::kFloat64) - basis.t().mm(basis);
  rest = rest.mm(without);
  const auto [variance, axes] = torch::linalg_eigh(
      rest.t().mm(rest) / static_cast<double>(states.size(0)));
  const Tensor known = variance.clamp_min(0);
  const Tensor scale = (known + kAddedVariance * known.mean() + 1e-12).rsqrt();
  // Ascending in eigh; we want the largest first.
  return (scale.unsqueeze(1) * axes.t())
      .flip(0)
      .mm(without)
      .to(torch::kFloat32);
}

}  // namespace larr
