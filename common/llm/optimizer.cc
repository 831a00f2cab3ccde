// SPDX-License-Identifier: Apache-2.0
#include "common/llm/optimizer.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include "common/base/status_macros.h"
#include "common/llm/layer_ops.h"
#include "common/llm/process_group.h"
#include "common/llm/shards.h"

namespace larr {
namespace {

using torch::Tensor;

constexpr double kBeta1 = 0.9, kBeta2 = 0.95, kEpsilon = 1e-8;

// In a state of several ranks: whose it is, [rank, ranks].
constexpr char kRanks[] = "ranks";

}  // namespace

Optimizer::Optimizer(std::vector<TrainedTensor> tensors,
                     const config::v1::LlmOptimizer& options,
                     int64_t total_steps, ProcessGroup* group)
    : options_(options), total_steps_(total_steps), group_(group) {
  if (group_ != nullptr && !group_->alone()) {
    shards_ = std::make_unique<Shards>(tensors, *group_);
    for (const Shards::Piece& piece : shards_->pieces()) {
      const TrainedTensor& trained = tensors[piece.tensor];
      const int64_t end = piece.begin + piece.master.numel();
      Add(trained,
          {.name = fmt::format("{}[{}:{}]", trained.name, piece.begin, end),
           .master = piece.master,
           .gradient = piece.gradient});
    }
    return;
  }
  for (const TrainedTensor& trained : tensors) {
    const Tensor data = trained.tensor.detach();
    Tensor master =
        data.scalar_type() == torch::kFloat32 ? data : data.to(torch::kFloat32);
    Add(trained,
        {.name = trained.name, .tensor = trained.tensor, .master = master});
  }
}

Optimizer::~Optimizer() = default;

void Optimizer::Add(const TrainedTensor& trained, Entry entry) {
  const bool is_norm = trained.tensor.dim() < 2;
  entry.is_new = trained.is_new;
  entry.decays = !is_norm && !trained.is_new;
  entry.mean = torch::zeros_like(entry.master);
  entry.variance = torch::zeros_like(entry.master);
  entries_.push_back(std::move(entry));
}

void Optimizer::ExpectLastPass() {
  if (shards_) shards_->ExpectLastPass();
}

void Optimizer::Accumulate() {
  if (shards_) return shards_->Accumulate();
  const torch::NoGradGuard no_grad;
  for (Entry& entry : entries_) {
    Tensor& gradient = entry.tensor.mutable_grad();
    if (!gradient.defined()) continue;
    // A single pass's gradient stays as it came; more are summed in float32.
    entry.gradient = entry.gradient.defined()
                         ? entry.gradient.to(torch::kFloat32).add_(gradient)
                         : gradient.contiguous();
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

absl::StatusOr<double> Optimizer::GradientNorm() const {
  double squares = 0;
  std::string culprit = "another rank";
  for (const Entry& entry : entries_) {
    if (!entry.gradient.defined()) continue;
    const double norm =
        at::linalg_vector_norm(entry.gradient, 2, {}, false, torch::kFloat32)
            .item<double>();
    if (!std::isfinite(norm)) culprit = fmt::format("'{}'", entry.name);
    squares += norm * norm;
  }
  if (shards_) {
    LARR_ASSIGN_OR_RETURN(squares, group_->Sum(squares));
  }
  if (!std::isfinite(squares)) {
    return absl::FailedPreconditionError(
        fmt::format("the gradient of {} is not finite", culprit));
  }
  return std::sqrt(squares);
}

absl::StatusOr<double> Optimizer::Step(int64_t step) {
  const torch::NoGradGuard no_grad;
  if (shards_) LARR_RETURN_IF_ERROR(shards_->Reduce());
  LARR_ASSIGN_OR_RETURN(const double norm, GradientNorm());
  const double clip = options_.clip_norm();
  const double scale = clip > 0 && norm > clip ? clip / norm : 1.0;
  for (Entry& entry : entries_) {
    if (!entry.gradient.defined())
      entry.gradient = torch::zeros_like(entry.master);
    const double rate =
        Schedule(step) * (entry.is_new ? options_.new_parameter_learning_rate()
                                       : options_.learning_rate());
    ops::AdamW({.rate = rate,
                .decay = entry.decays ? options_.weight_decay() : 0,
                .beta1 = kBeta1,
                .beta2 = kBeta2,
                .epsilon = kEpsilon,
                .step = step + 1,
                .gradient_scale = scale},
               entry.gradient, entry.master, entry.mean, entry.variance,
               entry.tensor);
    if (shards_) {
      entry.gradient.zero_();
    } else {
      entry.gradient.reset();
    }
  }
  if (shards_) LARR_RETURN_IF_ERROR(shards_->Publish());
  return norm;
}

absl::Status Optimizer::Publish() {
  if (shards_) return shards_->Publish();
  for (Entry& entry : entries_) {
    if (entry.tensor.data_ptr() != entry.master.data_ptr())
      entry.tensor.detach().copy_(entry.master);
  }
  return absl::OkStatus();
}

std::map<std::string, Tensor> Optimizer::State() const {
  std::map<std::string, Tensor> state;
  for (const Entry& entry : entries_) {
    state["master." + entry.name] = entry.master;
    state["mean." + entry.name] = entry.mean;
    state["variance." + entry.name] = entry.variance;
  }
  if (shards_) state[kRanks] = torch::tensor({group_->rank(), group_->size()});
  return state;
}

absl::Status Optimizer::CheckRanks(const SafetensorsFile& file) const {
  int64_t rank = 0, size = 1;
  if (file.Contains(kRanks)) {
    LARR_ASSIGN_OR_RETURN(const Tensor ranks,
                          file.View(kRanks, std::array<int64_t, 1>{2}));
    rank = ranks[0].item<int64_t>();
    size = ranks[1].item<int64_t>();
  }
  const int64_t own_rank = shards_ ? group_->rank() : 0;
  const int64_t own_size = shards_ ? group_->size() : 1;
  if (rank == own_rank && size == own_size) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: is the share of rank {} of {}, and this is rank {} of "
                  "{}; go on with "
                  "WORLD_SIZE={}, or remove the checkpoint to start anew",
                  file.path().string(), rank, size, own_rank, own_size, size));
}

absl::Status Optimizer::Restore(const SafetensorsFile& file) {
  const torch::NoGradGuard no_grad;
  LARR_RETURN_IF_ERROR(CheckRanks(file));
  for (const auto& [name, tensor] : State()) {
    if (name == kRanks) continue;
    const auto shape = tensor.sizes();
    LARR_ASSIGN_OR_RETURN(
        const auto saved,
        file.View(name, {shape.data(), shape.size()}, torch::kFloat32));
    tensor.copy_(saved);
  }
  return shards_ ? absl::OkStatus() : Publish();
}

}  // namespace larr
