// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/packed_linear.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>

namespace larr {
namespace {

using torch::Tensor;
using Reorder = Tensor(const Tensor&, std::optional<int64_t>);
using Pointwise = Tensor(const Tensor&, const Tensor&,
                         const std::optional<Tensor>&, c10::string_view,
                         c10::List<std::optional<at::Scalar>>,
                         std::optional<c10::string_view>);

template <typename Signature>
auto Find(const char* name) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name, "")
      .typed<Signature>();
}

}  // namespace

PackedLinear::PackedLinear(const Tensor& weight, const Tensor& bias,
                           int64_t rows)
    : weight_(weight.detach().contiguous()),
      bias_(bias.defined() ? bias.detach() : bias) {
  if (!weight_.device().is_cpu() || !at::globalContext().userEnabledMkldnn())
    return;
  try {
    static const auto reorder = Find<Reorder>("mkldnn::_reorder_linear_weight");
    weight_ = reorder.call(weight_, rows);
    packed_ = true;
  } catch (const c10::Error&) {
    // A CPU without bfloat16 support of oneDNN: the plain layout stays.
  }
}

Tensor PackedLinear::Apply(const Tensor& x, bool relu) const {
  if (!packed_) {
    const Tensor y = at::linear(x, weight_, bias_);
    return relu ? at::relu(y) : y;
  }
  static const auto linear = Find<Pointwise>("mkldnn::_linear_pointwise");
  return linear.call(
      x, weight_, bias_.defined() ? std::optional(bias_) : std::nullopt,
      relu ? "relu" : "none", c10::List<std::optional<at::Scalar>>(), "");
}

Tensor PackedLinear::operator()(const Tensor& x) const {
  return Apply(x, /*relu=*/false);
}

Tensor PackedLinear::Relu(const Tensor& x) const {
  return Apply(x, /*relu=*/true);
}

}  // namespace larr
