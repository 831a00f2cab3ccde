// SPDX-License-Identifier: Apache-2.0
//
// The optimizer's side of stage 3 (paper eq. 26): one AdamW step on a batch for
//
//   L_3 = BCE(CTR) + BCE(CTCVR) + beta_2 * L_cl
//
// Each id and each text vector of a training batch is replaced by its default
// with a small probability, so that defaults learn, too. All that is random in
// a step follows from (seed, step): a trainer restored from a checkpoint goes
// on bit by bit as if it had never stopped, at the same number of threads.
//
// Threads: one at a time.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/config/training_settings.h"
#include "common/ctr/ctr_model.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

struct StepLoss {
  double total = 0;
  double ctr = 0;
  double ctcvr = 0;      // 0 without an order task.
  double alignment = 0;  // L_cl of eq. 25, unweighted; 0 where it is not used.
};

class CtrTrainer {
 public:
  // Changes `model`, which must outlive it.
  // REQUIRES: the config is of CompleteAlignConfig.
  CtrTrainer(CtrModel& model, const config::v1::AlignConfig& config,
             uint64_t seed);

  // Steps made so far, over all restarts.
  int64_t step() const { return step_; }

  // `pace`: of the learning rate, for this step.
  //
  // Errors: kInternal     LibTorch failed
  //         kOutOfRange   loss or gradient is not finite; nothing was changed
  absl::StatusOr<StepLoss> Step(const CtrBatch& batch, double pace = 1);

  // Model, moments and step, in one safetensors file; with them tensors of the
  // caller's, which Restore overwrites.
  using Tensors = std::map<std::string, torch::Tensor>;
  absl::Status Save(const std::filesystem::path& path,
                    const Tensors& more = {}) const;
  absl::Status Restore(const std::filesystem::path& path,
                       const Tensors& more = {});

 private:
  // Of this step.
  at::Generator Generator(uint64_t purpose) const;
  CtrBatch WithDefaults(const CtrBatch& batch) const;
  // Loss and gradients of a batch.
  EmbeddingTables::Gathered Backward(const CtrBatch& batch, StepLoss& loss);
  absl::Status CheckFinite(const StepLoss& loss) const;
  void Update(const EmbeddingTables::Gathered& gathered, double pace);
  void UpdateParameters(double learning_rate, bool decay);
  // The model's own tensors and the optimizer's, by name.
  Tensors State() const;

  CtrModel& model_;
  const config::v1::AlignConfig config_;
  const AdamOptions adam_;
  const uint64_t seed_;
  int64_t step_ = 0;
  std::vector<std::string> names_;
  std::vector<torch::Tensor> parameters_, first_, second_;
  std::vector<bool> decays_;  // By parameter: whether weight decay is for it.
  RowAdam row_adam_;
};

}  // namespace larr
