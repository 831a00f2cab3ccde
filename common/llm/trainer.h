// SPDX-License-Identifier: Apache-2.0
//
// The loop of stages 1 and 2: step, move, report, checkpoint. A checkpoint is
// one file that replaces the last one by a rename; killed at any moment, the
// loop goes on behind it, and ends with the same bits as if nothing had
// happened, provided that a step's batch follows from the step alone.
//
// Threads: one at a time.
// Errors:  those of the body and the optimizer, with the step's number, and
//          kFailedPrecondition  the loss is not finite, or the checkpoint is of
//                               a run with other settings; the message says so
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

namespace larr {

// What one step did.
struct StepResult {
  double loss = 0;
  int64_t tokens = 0;                    // that the model read
  std::map<std::string, double> values;  // more to report, by name
};

struct LlmTrainerOptions {
  int64_t steps = 0;
  int64_t checkpoint_steps = 100;  // Between checkpoints; positive.
  std::filesystem::path checkpoint;
  // Settings and inputs: a checkpoint of others is refused.
  std::string identity;
};

class LlmTrainer {
 public:
  LlmTrainer(const LlmTrainerOptions& options, Optimizer& optimizer)
      : options_(options), optimizer_(optimizer) {}

  // Takes up the checkpoint, if there is one.
  absl::Status Restore();

  // Computes a step's gradients into the optimizer.
  using Body = std::function<absl::StatusOr<StepResult>(int64_t step)>;
  // Is told of each step that is done, with its tokens per second.
  using Report =
      std::function<void(int64_t step, const StepResult&, double throughput)>;
  absl::Status Run(const Body& body, const Report& report);

  // Steps that are done.
  int64_t step() const { return step_; }
  // One object a step: step, loss, gradient_norm, tokens, and its values.
  const nlohmann::json& curve() const { return curve_; }
  // What the caller wants to keep with a checkpoint.
  nlohmann::json& notes() { return notes_; }
  const nlohmann::json& notes() const { return notes_; }

 private:
  absl::Status RunStep(const Body& body, const Report& report);
  absl::Status Save() const;

  const LlmTrainerOptions options_;
  Optimizer& optimizer_;
  int64_t step_ = 0;
  nlohmann::json curve_ = nlohmann::json::array();
  nlohmann::json notes_ = nlohmann::json::object();
};

}  // namespace larr
