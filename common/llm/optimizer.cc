// SPDX-License-Identifier: Apache-2.0
#include "common/llm/optimizer.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include "common/base/status_macros.h"

namespace larr {
namespace {

using torch::Tensor;

constexpr double kBeta1 = 0.9, kBeta2 = 0.95, kEpsilon = 1e-8;

}  // namespace

Optimizer::Optimizer(std::vector<TrainedTensor> tensors,
                     const config::v1::LlmOptimizer& options,
                     int64_t total_steps)
    : options_(options), total_steps_(total_steps) {
  for (auto& trained : tensors) {
    Entry entry;
    const Tensor data = trained.tensor.detach();
    entry.master =
        data.scalar_type() == torch::kFloat32 ? data : data.to(torch::kFloat32);
    entry.gradient = torch::zeros_like(entry.master);
    entry.mean = torch::zeros_like(entry.master);
    entry.variance = torch::zeros_like(entry.master);
    entry.trained = std::move(trained);
    entries_.push_back(std::move(entry));
  }
}

void Optimizer::Accumulate() {
  const torch::NoGradGuard no_grad;
  for (Entry& entry : entries_) {
    Tensor& gradient = entry.trained.tensor.mutable_grad();
    if (!gradient.defined()) continue;
    entry.gradient.add_(gradient);
    gradient.reset();
  }
}

double Optimizer::Schedule(int64_t step) const {
  const int64_t warmup = options_.warmup_steps();
  if (step < warmup) return static_cast<double>(step + 1) / warmup;
  const double done =
      static_cast<double>(step - warmup) /
      static_cast<double>(std::max<int64_t>(1, total_steps_ - warmup));
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
}

absl::StatusOr<double> Optimizer::Step(int64_t step) {
  const torch::NoGradGuard no_grad;
  double squares = 0;
  for (const Entry& entry : entries_) {
    const double norm = entry.gradient.norm().item<double>();
    if (!std::isfinite(norm)) {
      return absl::FailedPreconditionError(fmt::format(
          "the gradient of '{}' is not finite", entry.trained.name));
    }
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  const double clip = options_.clip_norm();
  const double scale = clip > 0 && norm > clip ? clip / norm : 1.0;
  for (Entry& entry : entries_) {
    const bool is_norm = entry.master.dim() < 2;
    const double decay =
        is_norm || entry.trained.is_new ? 0 : options_.weight_decay();
    if (scale < 1) entry.gradient.mul_(scale);
    const double rate =
        Schedule(step) * (entry.trained.is_new
                              ? options_.new_parameter_learning_rate()
                              : options_.learning_rate());
    at::_fused_adamw_(
        {entry.master}, {entry.gradient}, {entry.mean}, {entry.variance}, {},
        {torch::scalar_tensor(static_cast<double>(step + 1), torch::kFloat32)},
        rate, kBeta1, kBeta2, decay, kEpsilon,
        /*amsgrad=*/false, /*maximize=*/false);
    entry.gradient.zero_();
  }
  Round();
  return norm;
}

void Optimizer::Round() {
  for (Entry& entry : entries_) {
    if (entry.trained.tensor.data_ptr() != entry.master.data_ptr())
      entry.trained.tensor.detach().copy_(entry.master);
  }
}

std::map<std::string, Tensor> Optimizer::State() const {
  std::map<std::string, Tensor> state;
  for (const Entry& entry : entries_) {
    state["master." + entry.trained.name] = entry.master;
    state["mean." + entry.trained.name] = entry.mean;
    state["variance." + entry.trained.name] = entry.variance;
  }
  return state;
}

absl::Status Optimizer::Restore(const SafetensorsFile& file) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : State()) {
    const auto shape = tensor.sizes();
    LARR_ASSIGN_OR_RETURN(
        const auto saved,
        file.View(name, {shape.data(), shape.size()}, torch::kFloat32));
    tensor.copy_(saved);
  }
  Round();
  return absl::OkStatus();
}

}  // namespace larr
