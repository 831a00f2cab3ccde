// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/info_nce.h"

#include <limits>

#include "common/ctr/linear.h"

namespace larr {

using torch::Tensor;

namespace {

// Not at::normalize: the gradient at a zero vector stays finite.
Tensor Unit(const Tensor& x) {
  return x * (x.square().sum(1, true) + 1e-12).rsqrt();
}

}  // namespace

Tensor InfoNce(const Tensor& e_s, const Tensor& e_t, const Tensor& pairs_B,
               double temperature) {
  const int64_t b = e_s.size(0);
  Tensor same = pairs_B.unsqueeze(0) == pairs_B.unsqueeze(1);
  same.fill_diagonal_(false);
  const Tensor source = Unit(e_s) / temperature;
  const Tensor target = Unit(e_t);
  const Tensor similarity =
      Linear(source, target, torch::zeros({b}, source.options()))
          .masked_fill(same, -std::numeric_limits<double>::infinity());
  const Tensor positive = (source * target).sum(1);
  const Tensor from_scene = similarity.logsumexp(1) - positive;
  const Tensor from_target = similarity.logsumexp(0) - positive;
  return (from_scene.mean() + from_target.mean()) / 2;
}

}  // namespace larr
