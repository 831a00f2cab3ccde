// SPDX-License-Identifier: Apache-2.0
#include "common/llm/losses.h"

#include <torch/nn/functional.h>
#include <torch/utils.h>

#include <limits>

namespace larr {
namespace {

using torch::Tensor;

Tensor Similarities(const Tensor& a, const Tensor& b, const Tensor& excluded) {
  const auto unit = [](const Tensor& x) {
    return torch::nn::functional::normalize(
        x.to(torch::kFloat32),
        torch::nn::functional::NormalizeFuncOptions().dim(1).eps(1e-8));
  };
  const Tensor own = torch::eye(a.size(0), a.options().dtype(torch::kBool));
  return unit(a)
      .mm(unit(b).t())
      .masked_fill(excluded & ~own, -std::numeric_limits<float>::infinity());
}

}  // namespace

Tensor SymmetricInfoNce(const Tensor& a, const Tensor& b,
                        const Tensor& excluded, double temperature) {
  const Tensor scores = Similarities(a, b, excluded) / temperature;
  const Tensor own = torch::arange(a.size(0), a.options().dtype(torch::kInt64));
  return (torch::nn::functional::cross_entropy(scores, own) +
          torch::nn::functional::cross_entropy(scores.t(), own)) /
         2;
}

double PairAccuracy(const Tensor& a, const Tensor& b, const Tensor& excluded) {
  const torch::NoGradGuard no_grad;
  const Tensor scores = Similarities(a, b, excluded);
  const Tensor own = torch::arange(a.size(0), a.options().dtype(torch::kInt64));
  const auto share = [&](const Tensor& table) {
    return table.argmax(1).eq(own).to(torch::kFloat32).mean().item<double>();
  };
  return (share(scores) + share(scores.t())) / 2;
}

}  // namespace larr
