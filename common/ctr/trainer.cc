// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>
#include <string_view>

#include "common/base/random_bits.h"
#include "common/base/status_macros.h"
#include "common/ctr/info_nce.h"
#include "common/ctr/model_io.h"
#include "common/tensors/torch_status.h"

namespace larr {

using config::v1::AlignConfig;
using torch::Tensor;

namespace {

// What numbers are drawn for.
constexpr uint64_t kDefaults = 0, kNegatives = 1;

Tensor Chosen(const Tensor& like, double probability, at::Generator generator) {
  return torch::rand(like.sizes(), generator, torch::kFloat32) < probability;
}

// Of matrices that something is multiplied by: not of biases, norms, or what is
// a row of a table in all but name (`scene.slot`, `dense_factors`).
bool Decays(std::string_view name, const Tensor& parameter) {
  return name.ends_with("_weight") && parameter.dim() == 2;
}

}  // namespace

CtrTrainer::CtrTrainer(CtrModel& model, const AlignConfig& config,
                       uint64_t seed)
    : model_(model),
      config_(config),
      adam_{.learning_rate = config.learning_rate()},
      seed_(seed),
      row_adam_(model.tables().weight()) {
  for (const auto& item : model_.named_parameters()) {
    names_.push_back(item.key());
    parameters_.push_back(item.value());
    decays_.push_back(Decays(item.key(), item.value()));
    first_.push_back(torch::zeros_like(item.value()));
    second_.push_back(torch::zeros_like(item.value()));
  }
}

absl::StatusOr<StepLoss> CtrTrainer::Step(const CtrBatch& batch, double pace) {
  return GuardTorch("training step", [&]() -> absl::StatusOr<StepLoss> {
    StepLoss loss;
    const auto gathered = Backward(WithDefaults(batch), loss);
    LARR_RETURN_IF_ERROR(CheckFinite(loss));
    Update(gathered, pace);
    return loss;
  });
}

at::Generator CtrTrainer::Generator(uint64_t purpose) const {
  return at::detail::createCPUGenerator(
      MixBits(seed_ ^ MixBits(static_cast<uint64_t>(step_))) ^ purpose);
}

CtrBatch CtrTrainer::WithDefaults(const CtrBatch& batch) const {
  const at::Generator generator = Generator(kDefaults);
  const double p = config_.default_probability();
  CtrBatch changed = batch;
  changed.ids = batch.ids.masked_fill(Chosen(batch.ids, p, generator), 0);
  if (model_.scene_encoder() != nullptr) {
    const Tensor& index = batch.scene.index_Br;
    changed.scene.index_Br = index.masked_fill(Chosen(index, p, generator), -1);
  }
  return changed;
}

EmbeddingTables::Gathered CtrTrainer::Backward(const CtrBatch& batch,
                                               StepLoss& loss) {
  auto gathered = model_.tables().Gather(batch.ids);
  const auto out = model_.Forward(batch, gathered.embedded_BFW);
  const Tensor losses_B =
      torch::binary_cross_entropy_with_logits(out.logits, batch.labels, {}, {},
                                              at::Reduction::None)
          .mean(0);
  Tensor total = losses_B.sum();
  if (config_.alignment_weight() > 0 && model_.scene_encoder() != nullptr) {
    const auto kept = DrawNegatives(batch.rows(), config_.alignment_negatives(),
                                    Generator(kNegatives));
    const Tensor alignment = InfoNce(out.e_s, out.e_t, batch.pairs,
                                     config_.alignment_temperature(), kept);
    total = total + config_.alignment_weight() * alignment;
    loss.alignment = alignment.item<double>();
  }
  loss.ctr = losses_B[0].item<double>();
  if (losses_B.size(0) > 1) loss.ctcvr = losses_B[1].item<double>();
  loss.total = total.item<double>();

  for (const Tensor& parameter : parameters_) parameter.mutable_grad().reset();
  total.backward();
  return gathered;
}

absl::Status CtrTrainer::CheckFinite(const StepLoss& loss) const {
  // Of the gradients, too: oneDNN's ReLU makes 0 of a NaN on its way forward.
  bool finite = std::isfinite(loss.total);
  for (const Tensor& parameter : parameters_)
    if (parameter.grad().defined())
      finite = finite && std::isfinite(parameter.grad().sum().item<float>());
  if (finite) return absl::OkStatus();
  return absl::OutOfRangeError(fmt::format(
      "step {}: loss {} or its gradient is not finite; lower learning_rate or "
      "check the dataset's numbers",
      step_ + 1, loss.total));
}

void CtrTrainer::Update(const EmbeddingTables::Gathered& gathered,
                        double pace) {
  ++step_;
  const torch::NoGradGuard no_grad;
  AdamOptions adam = adam_;
  adam.learning_rate *= pace;
  UpdateParameters(adam.learning_rate, /*decay=*/false);
  UpdateParameters(adam.learning_rate, /*decay=*/true);
  row_adam_.Step(gathered, step_, adam, model_.tables().weight());
}

void CtrTrainer::UpdateParameters(double learning_rate, bool decay) {
  std::vector<Tensor> changed, gradients, first, second;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (decays_[i] != decay || !parameters_[i].grad().defined()) continue;
    changed.push_back(parameters_[i]);
    gradients.push_back(parameters_[i].grad());
    first.push_back(first_[i]);
    second.push_back(second_[i]);
  }
  if (changed.empty()) return;
  const std::vector<Tensor> steps(
      changed.size(), torch::scalar_tensor(static_cast<double>(step_)));
  at::_fused_adamw_(changed, gradients, first, second, {}, steps, learning_rate,
                    adam_.beta1, adam_.beta2,
                    decay ? config_.weight_decay() : 0, adam_.epsilon,
                    /*amsgrad=*/false, /*maximize=*/false);
}

CtrTrainer::Tensors CtrTrainer::State() const {
  Tensors state;
  for (const auto& [name, tensor] : NamedTensors(model_))
    state["model." + name] = tensor;
  for (size_t i = 0; i < names_.size(); ++i) {
    state["first." + names_[i]] = first_[i];
    state["second." + names_[i]] = second_[i];
  }
  state["first.tables"] = row_adam_.first;
  state["second.tables"] = row_adam_.second;
  return state;
}

absl::Status CtrTrainer::Save(const std::filesystem::path& path,
                              const Tensors& more) const {
  return GuardTorch("writing a checkpoint", [&]() -> absl::Status {
    auto state = State();
    state.insert(more.begin(), more.end());
    state["step"] = torch::tensor({step_}, torch::kInt64);
    return WriteSafetensors(path, state);
  });
}

absl::Status CtrTrainer::Restore(const std::filesystem::path& path,
                                 const Tensors& more) {
  return GuardTorch("reading a checkpoint", [&]() -> absl::Status {
    LARR_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
    auto state = State();
    state.insert(more.begin(), more.end());
    const Tensor step = torch::zeros({1}, torch::kInt64);
    state["step"] = step;
    const torch::NoGradGuard no_grad;
    LARR_RETURN_IF_ERROR(CopyTensors(file, state));
    step_ = step.item<int64_t>();
    return absl::OkStatus();
  });
}

}  // namespace larr
