// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/linear.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>
#include <optional>

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

using LinearPointwise = Tensor(const Tensor&, const Tensor&,
                               const std::optional<Tensor>&, c10::string_view,
                               c10::List<std::optional<at::Scalar>>,
                               std::optional<c10::string_view>);

bool UseOneDnn(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kFloat32 && x.numel() > 0;
}

// x W^T + b by oneDNN. `weight` is contiguous, or the transpose of what is.
Tensor OneDnn(const Tensor& x, const Tensor& weight,
              const std::optional<Tensor>& bias, bool relu) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                             .typed<LinearPointwise>();
  return op.call(x.contiguous(), weight, bias, relu ? "relu" : "none",
                 c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

struct OneDnnLinear : torch::autograd::Function<OneDnnLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& weight, const Tensor& bias, bool relu) {
    const Tensor rows = weight.contiguous();
    Tensor y = OneDnn(x, rows, bias, relu);
    context->saved_data["relu"] = relu;
    context->save_for_backward({x, rows, relu ? y : Tensor()});
    return y;
  }

  static tensor_list backward(AutogradContext* context, tensor_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    Tensor grad = grads[0];
    if (context->saved_data["relu"].toBool())
      grad = at::threshold_backward(grad, saved[2], 0);
    Tensor grad_x, grad_bias;
    if (context->needs_input_grad(0))
      grad_x = OneDnn(grad, weight.t(), std::nullopt, false);
    if (context->needs_input_grad(2)) grad_bias = grad.sum(0);
    // Here oneDNN's operator would want both transposed in memory.
    return {grad_x, at::mm(grad.t(), x), grad_bias, Tensor()};
  }
};

Tensor Apply(const Tensor& x, const Tensor& weight, const Tensor& bias,
             bool relu) {
  if (!UseOneDnn(x)) {
    const Tensor y = at::linear(x, weight, bias);
    return relu ? at::relu(y) : y;
  }
  if (!torch::GradMode::is_enabled())
    return OneDnn(x, weight.contiguous(), bias, relu);
  return OneDnnLinear::apply(x, weight, bias, relu);
}

}  // namespace

Tensor Linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return Apply(x, weight, bias, false);
}

Tensor LinearRelu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return Apply(x, weight, bias, true);
}

LinearParameters MakeLinear(int64_t in, int64_t out, double gain) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return {torch::empty({out, in}).uniform_(-gain * bound, gain * bound),
          torch::empty({out}).uniform_(-bound, bound)};
}

}  // namespace larr
