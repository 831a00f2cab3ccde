// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/wide_deep.h"

#include <string>

#include "common/ctr/linear.h"

namespace larr {

using config::v1::CtrArchitecture;
using torch::Tensor;

WideDeep::WideDeep(const CtrArchitecture& architecture,
                   const CtrLayout& layout) {
  wide_weight_ =
      register_parameter("wide_weight", torch::zeros({1, layout.dense_count}));
  wide_bias_ = register_parameter("wide_bias", torch::zeros({1}));
  if (architecture.kind() == CtrArchitecture::DEEP_FM)
    dense_factors_ = register_parameter(
        "dense_factors",
        torch::empty({layout.dense_count, layout.embedding_width})
            .normal_(0, 0.01));
  if (architecture.kind() == CtrArchitecture::LINEAR) return;
  int64_t width = layout.tabular_columns;
  const auto add = [&](int64_t out) {
    const std::string name = "deep" + std::to_string(weights_.size());
    const LinearParameters layer = MakeLinear(width, out);
    weights_.push_back(register_parameter(name + "_weight", layer.weight));
    biases_.push_back(register_parameter(name + "_bias", layer.bias));
    width = out;
  };
  for (const int32_t out : architecture.deep_widths()) add(out);
  add(1);
}

Tensor WideDeep::Forward(const Input& input) const {
  Tensor logit = input.first_order_BF.sum(1, /*keepdim=*/true) + wide_bias_ +
                 at::matmul(input.dense, wide_weight_.t());
  if (weights_.empty()) return logit;
  if (dense_factors_.defined()) logit = logit + FieldPairs(input);
  Tensor x = input.x;
  for (size_t layer = 0; layer + 1 < weights_.size(); ++layer)
    x = LinearRelu(x, weights_[layer], biases_[layer]);
  return logit + Linear(x, weights_.back(), biases_.back());
}

// Sum over pairs = (square of the sum - sum of the squares) / 2.
Tensor WideDeep::FieldPairs(const Input& input) const {
  const Tensor sum_BW =
      input.embedded_BFW.sum(1) + at::matmul(input.dense, dense_factors_);
  const Tensor squares_BW =
      input.embedded_BFW.square().sum(1) +
      at::matmul(input.dense.square(), dense_factors_.square());
  return (sum_BW.square() - squares_BW).sum(1, /*keepdim=*/true) / 2;
}

}  // namespace larr
