// SPDX-License-Identifier: Apache-2.0
#include "common/llm/lora.h"

#include <torch/utils.h>

#include <cmath>

namespace larr {

using torch::Tensor;

LoraAdapter MakeLoraAdapter(const Tensor& weight, const LoraOptions& options,
                            at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const int64_t out = weight.size(0), in = weight.size(1);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  LoraAdapter adapter;
  adapter.a = torch::empty({options.rank, in}, torch::kFloat32)
                  .uniform_(-bound, bound, generator)
                  .to(weight.options());
  adapter.b = torch::zeros({out, options.rank}, weight.options());
  adapter.scale = options.alpha / static_cast<double>(options.rank);
  return adapter;
}

Tensor Adapt(const LoraAdapter& adapter, const Tensor& x, const Tensor& y) {
  if (!adapter.a.defined()) return y;
  return torch::addmm(y, at::linear(x, adapter.a), adapter.b.t(), 1,
                      adapter.scale);
}

void MergeLora(const LoraAdapter& adapter, Tensor& weight) {
  if (!adapter.a.defined()) return;
  const torch::NoGradGuard no_grad;
  weight.copy_(torch::addmm(weight.to(torch::kFloat32),
                            adapter.b.to(torch::kFloat32),
                            adapter.a.to(torch::kFloat32), 1, adapter.scale));
}

}  // namespace larr
