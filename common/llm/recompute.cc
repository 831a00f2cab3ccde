// SPDX-License-Identifier: Apache-2.0
#include "common/llm/recompute.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <utility>

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// What the context keeps from forward to backward.
struct Kept : torch::CustomClassHolder {
  Kept(TensorMap body, Tensor x, tensor_list learned)
      : body(std::move(body)), x(std::move(x)), learned(std::move(learned)) {}
  TensorMap body;
  Tensor x;
  tensor_list learned;
};

struct Again : torch::autograd::Function<Again> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        at::TensorList learned, const TensorMap& body) {
    context->saved_data["kept"] = c10::IValue::make_capsule(
        c10::make_intrusive<Kept>(body, x.detach(), learned.vec()));
    return body(x);
  }
  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const auto capsule = context->saved_data["kept"].toCapsule();
    const Kept& kept = *static_cast<const Kept*>(capsule.get());
    const torch::AutoGradMode with_gradients(true);
    Tensor x = kept.x.detach();
    const bool through_x = context->needs_input_grad(0);
    x.requires_grad_(through_x);
    tensor_list inputs = kept.learned;
    if (through_x) inputs.push_back(x);
    tensor_list gradients =
        torch::autograd::grad({kept.body(x)}, inputs, {upstream[0]});
    Tensor of_x;
    if (through_x) {
      of_x = std::move(gradients.back());
      gradients.pop_back();
    }
    gradients.insert(gradients.begin(), std::move(of_x));
    gradients.emplace_back();  // body
    return gradients;
  }
};

}  // namespace

Tensor Recompute(const TensorMap& body, const Tensor& x,
                 at::TensorList learned) {
  return Again::apply(x, learned, body);
}

}  // namespace larr
