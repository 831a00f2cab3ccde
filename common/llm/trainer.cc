// SPDX-License-Identifier: Apache-2.0
#include "common/llm/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "common/base/status_macros.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using Json = nlohmann::json;

}  // namespace

absl::Status LlmTrainer::Restore() {
  if (!std::filesystem::exists(options_.checkpoint)) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(const auto file,
                        SafetensorsFile::Open(options_.checkpoint));
  const auto text = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  if (text("identity") != options_.identity) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: is of a run with other settings or inputs; remove it to start "
        "anew",
        options_.checkpoint.string()));
  }
  const Json state = Json::parse(text("state"), nullptr, false);
  if (!state.is_object() || !state.contains("step")) {
    return absl::DataLossError(fmt::format(
        "{}: damaged; remove it to start anew", options_.checkpoint.string()));
  }
  LARR_RETURN_IF_ERROR(GuardTorch("restoring " + options_.checkpoint.string(),
                                  [&] { return optimizer_.Restore(file); }));
  step_ = state["step"].get<int64_t>();
  curve_ = state["curve"];
  notes_ = state["notes"];
  return absl::OkStatus();
}

absl::Status LlmTrainer::Save() const {
  const Json state = {{"step", step_}, {"curve", curve_}, {"notes", notes_}};
  return WriteSafetensors(
      options_.checkpoint, optimizer_.State(),
      {{"identity", options_.identity}, {"state", state.dump()}});
}

absl::Status LlmTrainer::RunStep(const Body& body, const Report& report) {
  const auto start = std::chrono::steady_clock::now();
  LARR_ASSIGN_OR_RETURN(const StepResult result, body(step_));
  if (!std::isfinite(result.loss)) {
    return absl::FailedPreconditionError(
        fmt::format("the loss is {}; lower the learning rate", result.loss));
  }
  LARR_ASSIGN_OR_RETURN(const double norm, optimizer_.Step(step_));
  Json line = {{"step", step_ + 1},
               {"loss", result.loss},
               {"gradient_norm", norm},
               {"tokens", result.tokens}};
  for (const auto& [name, value] : result.values) line[name] = value;
  curve_.push_back(std::move(line));
  ++step_;
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  report(step_, result, static_cast<double>(result.tokens) / seconds.count());
  return absl::OkStatus();
}

absl::Status LlmTrainer::Run(const Body& body, const Report& report) {
  while (step_ < options_.steps) {
    const auto status =
        GuardTorch("training", [&] { return RunStep(body, report); });
    if (!status.ok()) {
      return absl::Status(
          status.code(),
          fmt::format("step {}: {}", step_ + 1, std::string(status.message())));
    }
    const bool due =
        step_ % options_.checkpoint_steps == 0 || step_ == options_.steps;
    if (due) LARR_RETURN_IF_ERROR(Save());
  }
  return absl::OkStatus();
}

}  // namespace larr
