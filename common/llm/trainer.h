// SPDX-License-Identifier: Apache-2.0
//
// The loop of stages 1 and 2: step, move, report, evaluate, checkpoint
// (training_checkpoints.h). Killed at any moment, the loop goes on at its
// newest checkpoint, and ends with the same bits as if nothing had happened,
// provided that a step's batch follows from the step alone. A checkpoint that
// is damaged is passed over for the one before it, with a warning.
//
// Threads: one at a time.
// Errors:  those of the body and the optimizer, with the step's number, and
//          kFailedPrecondition  the loss or a gradient is not finite (names
//                               the batch and the checkpoint that is kept), or
//                               the checkpoint is of a run with other settings
//          kDataLoss            no checkpoint of those that are there is whole
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/llm/optimizer.h"
#include "common/llm/training_checkpoints.h"

namespace larr {

// What one step did.
struct StepResult {
  double loss = 0;
  int64_t tokens = 0;                    // that the model read
  std::map<std::string, double> values;  // more to report, by name
  std::string batch;                     // what errors call it
  int64_t rows = 0;                      // of a dataset, where it read those
};

struct LlmTrainerOptions {
  int64_t steps = 0;
  int64_t checkpoint_steps = 100;     // between checkpoints; positive
  std::filesystem::path checkpoints;  // folder
  // Settings and inputs: a checkpoint of others is refused.
  std::string identity;
  int kept_checkpoints = 2;    // the newest; positive
  int64_t evaluate_steps = 0;  // between evaluations; 0: none
  TrainingRank rank = {};
};

class LlmTrainer {
 public:
  LlmTrainer(const LlmTrainerOptions& options, Optimizer& optimizer)
      : options_(options),
        checkpoints_(options.checkpoints, options.rank),
        optimizer_(optimizer) {}

  // Takes up the newest checkpoint that is whole, if there is any.
  absl::Status Restore();

  // Computes a step's gradients into the optimizer.
  using Body = std::function<absl::StatusOr<StepResult>(int64_t step)>;
  // Is told of each step that is done, with its tokens per second.
  using Report =
      std::function<void(int64_t step, const StepResult&, double throughput)>;
  // What held-out texts say after `step` steps, by name; `held_out_loss`, where
  // there is one, is what the best checkpoint is chosen by.
  using Evaluate =
      std::function<absl::StatusOr<std::map<std::string, double>>(int64_t)>;
  // `evaluate` is called each `evaluate_steps` steps and after the last. The
  // checkpoint of the lowest loss is kept beyond the newest ones.
  absl::Status Run(const Body& body, const Report& report,
                   const Evaluate& evaluate = {});

  // Steps that are done.
  int64_t step() const { return step_; }
  // One object a step: step, loss, gradient_norm, tokens, its values, and
  // those of an evaluation after it.
  const nlohmann::json& curve() const { return curve_; }
  // {step, loss} of the lowest held-out loss; null before an evaluation.
  const nlohmann::json& best() const { return best_; }
  // What the caller wants to keep with a checkpoint.
  nlohmann::json& notes() { return notes_; }
  const nlohmann::json& notes() const { return notes_; }

 private:
  absl::Status Take(const SafetensorsFile& file);
  absl::Status RunStep(const Body& body, const Report& report);
  // True if it is the best loss so far.
  absl::StatusOr<bool> RunEvaluation(const Evaluate& evaluate);
  absl::Status Save();
  absl::Status NotFinite(const std::string& what,
                         const std::string& batch) const;

  const LlmTrainerOptions options_;
  const TrainingCheckpoints checkpoints_;
  Optimizer& optimizer_;
  int64_t step_ = 0;
  int64_t saved_step_ = 0;  // of the newest checkpoint; 0: none
  nlohmann::json curve_ = nlohmann::json::array();
  nlohmann::json best_;
  nlohmann::json notes_ = nlohmann::json::object();
};

}  // namespace larr
