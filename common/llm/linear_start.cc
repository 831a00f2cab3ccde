// SPDX-License-Identifier: Apache-2.0
#include "common/llm/linear_start.h"

#include <torch/utils.h>

#include <map>
#include <utility>

namespace larr {
namespace {

using torch::Tensor;

// Variance added to each direction, as a share of the mean variance: without
// it, the noise of a few thousand texts looks like correlation.
constexpr double kRidge = 0.03;
// The common coordinate beside the length of all others together: the loss
// starts near chance, where the gradient of a wrong pair is not overwhelming.
constexpr double kCommon = 2;

// Takes each slot's mean off its states; returns the means, [slots, h].
Tensor Centre(const std::vector<int32_t>& slot, Tensor& states) {
  std::map<int32_t, std::vector<int64_t>> members;
  for (size_t i = 0; i < slot.size(); ++i)
    members[slot[i]].push_back(static_cast<int64_t>(i));
  std::vector<Tensor> means;
  for (const auto& [id, rows] : members) {
    const Tensor index = torch::tensor(rows, torch::kInt64);
    const Tensor mean = states.index_select(0, index).mean(0);
    states.index_copy_(0, index, states.index_select(0, index) - mean);
    means.push_back(mean);
  }
  return torch::stack(means);
}

// I minus the projector on the rows' span.
Tensor Complement(const Tensor& rows) {
  const auto [u, size, directions] =
      torch::linalg_svd(rows, /*full_matrices=*/false);
  const Tensor basis = directions.index({size.gt(1e-6 * size.max())});
  return torch::eye(rows.size(1), torch::kFloat64) - basis.t().mm(basis);
}

Tensor SumRows(const Tensor& states, const std::vector<int64_t>& rows) {
  return states.index_select(0, torch::tensor(rows, torch::kInt64)).sum(0);
}

Tensor MeanRow(const Tensor& states, const std::vector<int64_t>& rows) {
  return SumRows(states, rows) / static_cast<double>(rows.size());
}

// E[a b'] of a kind's pairs, less what the means of groups add to it, [h, h].
Tensor CrossCovariance(const Tensor& states, const SlotPairs& kind) {
  std::vector<Tensor> a, b;
  std::map<std::string, std::vector<int64_t>> groups;
  for (const SlotPair& pair : kind.pairs) {
    groups[pair.group].push_back(static_cast<int64_t>(a.size()));
    a.push_back(SumRows(states, pair.a));
    b.push_back(SumRows(states, pair.b));
  }
  const Tensor left = torch::stack(a), right = torch::stack(b);
  Tensor sum = left.t().mm(right);
  for (const auto& [group, pairs] : groups) {
    const double weight =
        kind.within_groups * static_cast<double>(pairs.size());
    sum -= torch::outer(MeanRow(left, pairs), MeanRow(right, pairs)) * weight;
  }
  return sum / static_cast<double>(kind.pairs.size());
}

// Sum over the kinds of weight * E[a b' + b a'], [h, h].
Tensor CrossCovariance(const Tensor& states,
                       const std::vector<SlotPairs>& kinds) {
  Tensor sum = torch::zeros({states.size(1), states.size(1)}, torch::kFloat64);
  for (const SlotPairs& kind : kinds) {
    if (!kind.pairs.empty() && kind.weight > 0)
      sum += CrossCovariance(states, kind) * kind.weight;
  }
  return sum + sum.t();
}

// A covariance's axes as rows, that of most variance first.
Tensor AxesOf(const Tensor& covariance) {
  const auto [variance, axes] = torch::linalg_eigh(covariance);
  return axes.t().flip(0);
}

// States without what only tells slots apart.
struct Content {
  Content(const Tensor& states, const std::vector<int32_t>& slot)
      : rows(states.to(torch::kFloat64).clone()) {
    means = Centre(slot, rows);
    complement = Complement(means);
    rows = rows.mm(complement);
  }
  Tensor Covariance() const {
    return rows.t().mm(rows) / static_cast<double>(rows.size(0));
  }
  // The common coordinate, and those along `axes` [h - 1, h], which together
  // have length 1.
  Tensor Coordinates(const Tensor& axes) const {
    const Tensor rest = axes.mm(complement);
    const Tensor length = rows.mm(rest.t()).square().sum(1).mean().sqrt();
    // means common' = 1 for each slot.
    const Tensor common = torch::linalg_pinv(means).sum(1).unsqueeze(0);
    return torch::cat({common * kCommon, rest / length.clamp_min(1e-12)})
        .to(torch::kFloat32);
  }

  Tensor rows;        // float64 [n, h]
  Tensor means;       // float64 [slots, h]
  Tensor complement;  // of the means' span, float64 [h, h]
};

}  // namespace

Tensor FitLinearStart(const Tensor& states, const std::vector<int32_t>& slot,
                      const std::vector<SlotPairs>& kinds) {
  const torch::NoGradGuard no_grad;
  const Content content(states, slot);
  const int64_t width = states.size(1);
  Tensor covariance = content.Covariance();
  const double mean_variance = covariance.trace().item<double>() / width;
  covariance.diagonal().add_(kRidge * mean_variance + 1e-12);
  const auto [variance, axes] = torch::linalg_eigh(covariance);
  const Tensor whiten = (axes * variance.rsqrt()).mm(axes.t());
  const auto [correlation, directions] = torch::linalg_eigh(
      whiten.mm(CrossCovariance(content.rows, kinds)).mm(whiten));
  // Ascending in eigh; the largest come first here, and one makes room.
  const Tensor shared = correlation.flip(0).narrow(0, 0, width - 1);
  const Tensor scale =
      (shared / shared[0].clamp_min(1e-12)).clamp(1e-3, 1).sqrt();
  const Tensor axis = directions.t().flip(0).narrow(0, 0, width - 1).mm(whiten);
  return content.Coordinates(axis * scale.unsqueeze(1));
}

Tensor FitPrincipalComponents(const Tensor& states,
                              const std::vector<int32_t>& slot) {
  const torch::NoGradGuard no_grad;
  const Content content(states, slot);
  const Tensor axes = AxesOf(content.Covariance());
  return content.Coordinates(axes.narrow(0, 0, states.size(1) - 1));
}

Tensor PrincipalAxes(const Tensor& states, const std::vector<int32_t>& slot) {
  const torch::NoGradGuard no_grad;
  Tensor rows = states.to(torch::kFloat64).clone();
  Centre(slot, rows);
  return AxesOf(rows.t().mm(rows)).to(torch::kFloat32).contiguous();
}

}  // namespace larr
