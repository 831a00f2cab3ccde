// SPDX-License-Identifier: Apache-2.0
#include "common/llm/trainer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>

#include "common/base/prefixed.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using Json = nlohmann::json;

std::string Text(const absl::Status& status) {
  return std::string(status.message());
}

}  // namespace

absl::Status LlmTrainer::Take(const SafetensorsFile& file) {
  LARR_ASSIGN_OR_RETURN(const auto text, TrainingCheckpoints::StateOf(file));
  const Json state = Json::parse(text, nullptr, false);
  for (const char* key : {"step", "curve", "best", "notes"}) {
    if (!state.is_object() || !state.contains(key))
      return absl::DataLossError(file.path().string() + ": has no state");
  }
  LARR_RETURN_IF_ERROR(GuardTorch("restoring " + file.path().string(),
                                  [&] { return optimizer_.Restore(file); }));
  step_ = saved_step_ = state["step"].get<int64_t>();
  curve_ = state["curve"];
  best_ = state["best"];
  notes_ = state["notes"];
  return absl::OkStatus();
}

absl::Status LlmTrainer::Restore() {
  LARR_ASSIGN_OR_RETURN(const auto steps, checkpoints_.Steps());
  for (const int64_t step : steps) {
    const auto file = checkpoints_.Read(step, options_.identity);
    const absl::Status status = file.ok() ? Take(*file) : file.status();
    const bool damaged = absl::IsDataLoss(status) || absl::IsNotFound(status) ||
                         absl::IsInvalidArgument(status);
    if (!status.ok() && !damaged) return status;
    LARR_ASSIGN_OR_RETURN(const bool all, options_.rank.all(status.ok()));
    if (all) {
      return GuardTorch("restoring", [&] { return optimizer_.Publish(); });
    }
    spdlog::warn("passes over a damaged checkpoint step={} error=\"{}\"", step,
                 status.ok() ? "of another process" : Text(status));
  }
  if (steps.empty()) return absl::OkStatus();
  return absl::DataLossError(fmt::format(
      "{}: all checkpoints are damaged; remove the folder to start anew",
      options_.checkpoints.string()));
}

absl::Status LlmTrainer::Save() {
  const Json state = {
      {"step", step_}, {"curve", curve_}, {"best", best_}, {"notes", notes_}};
  LARR_RETURN_IF_ERROR(checkpoints_.Write(step_, options_.identity,
                                          optimizer_.State(), state.dump()));
  saved_step_ = step_;
  return checkpoints_.Keep(step_, options_.kept_checkpoints,
                           best_.is_null() ? -1 : best_["step"].get<int64_t>());
}

absl::Status LlmTrainer::NotFinite(const std::string& what,
                                   const std::string& batch) const {
  const std::string kept =
      saved_step_ == 0
          ? "there is no checkpoint yet"
          : fmt::format("the checkpoint of step {} is kept in {}", saved_step_,
                        options_.checkpoints.string());
  return absl::FailedPreconditionError(fmt::format(
      "{}{}; {}. Look at the batch's texts; where the loss grew before, start "
      "a run with a lower `optimizer.learning_rate`, more "
      "`optimizer.warmup_steps` or an `optimizer.clip_norm`",
      what, batch.empty() ? "" : fmt::format(" on {}", batch), kept));
}

absl::Status LlmTrainer::RunStep(const Body& body, const Report& report) {
  const auto start = std::chrono::steady_clock::now();
  LARR_ASSIGN_OR_RETURN(const StepResult result, body(step_));
  if (!std::isfinite(result.loss))
    return NotFinite(fmt::format("the loss is {}", result.loss), result.batch);
  const auto norm = optimizer_.Step(step_);
  if (absl::IsFailedPrecondition(norm.status()))
    return NotFinite(Text(norm.status()), result.batch);
  if (!norm.ok()) return norm.status();
  Json line = {{"step", step_ + 1},
               {"loss", result.loss},
               {"gradient_norm", *norm},
               {"tokens", result.tokens}};
  for (const auto& [name, value] : result.values) line[name] = value;
  curve_.push_back(std::move(line));
  ++step_;
  const double seconds = SecondsSince(start);
  report(step_, result, static_cast<double>(result.tokens) / seconds);
  return absl::OkStatus();
}

absl::StatusOr<bool> LlmTrainer::RunEvaluation(const Evaluate& evaluate) {
  LARR_ASSIGN_OR_RETURN(const auto values, evaluate(step_));
  for (const auto& [name, value] : values) curve_.back()[name] = value;
  const auto found = values.find("held_out_loss");
  if (found == values.end()) return false;
  const double loss = found->second;
  if (!std::isfinite(loss))
    return NotFinite(fmt::format("the loss is {}", loss), "held-out texts");
  if (!best_.is_null() && best_["loss"].get<double>() <= loss) return false;
  best_ = {{"step", step_}, {"loss", loss}};
  return true;
}

absl::Status LlmTrainer::Run(const Body& body, const Report& report,
                             const Evaluate& evaluate) {
  while (step_ < options_.steps) {
    const int64_t step = step_ + 1;
    bool due = step % options_.checkpoint_steps == 0 || step == options_.steps;
    const auto run = [&]() -> absl::Status {
      LARR_RETURN_IF_ERROR(RunStep(body, report));
      const bool evaluated =
          evaluate && options_.evaluate_steps > 0 &&
          (step % options_.evaluate_steps == 0 || step == options_.steps);
      if (!evaluated) return absl::OkStatus();
      LARR_ASSIGN_OR_RETURN(const bool best, RunEvaluation(evaluate));
      due = due || best;
      return absl::OkStatus();
    };
    const auto status = GuardTorch("training", run);
    if (!status.ok()) return Prefixed(fmt::format("step {}", step), status);
    if (due) LARR_RETURN_IF_ERROR(Save());
  }
  return absl::OkStatus();
}

}  // namespace larr
