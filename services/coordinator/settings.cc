// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/settings.h"

#include <unistd.h>

#include <set>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::CoordinatorConfig;

constexpr int kDefaultMaxStageRestarts = 3;

absl::StatusOr<std::filesystem::path> RequiredPath(const std::string& field,
                                                   const std::string& value) {
  if (value.empty()) {
    return Invalid("`{}` is not set", field);
  }
  return std::filesystem::absolute(value).lexically_normal();
}

}  // namespace

absl::StatusOr<CoordinatorSettings> LoadCoordinatorSettings(
    const std::filesystem::path& path) {
  LARR_ASSIGN_OR_RETURN(const auto config,
                        LoadTextProto<CoordinatorConfig>(path));
  CoordinatorSettings settings;
  settings.server = config.server();
  LARR_ASSIGN_OR_RETURN(settings.state_dir,
                        RequiredPath("state_dir", config.state_dir()));
  LARR_ASSIGN_OR_RETURN(settings.coordinator.artifact_root,
                        RequiredPath("artifact_root", config.artifact_root()));
  LARR_ASSIGN_OR_RETURN(settings.stage_program,
                        RequiredPath("stage_program", config.stage_program()));
  if (access(settings.stage_program.c_str(), X_OK) != 0) {
    return Invalid(
        "`stage_program` {} is not a program; name the larr_stage of this "
        "build",
        settings.stage_program.string());
  }
  if (config.cpu_slots() < 0 || config.max_stage_restarts() < 0) {
    return Invalid(
        "`cpu_slots` is {} and `max_stage_restarts` {}; neither may be "
        "negative",
        config.cpu_slots(), config.max_stage_restarts());
  }
  const std::set<int> gpus(config.gpus().begin(), config.gpus().end());
  if (static_cast<int>(gpus.size()) != config.gpus_size() ||
      (!gpus.empty() && *gpus.begin() < 0)) {
    return absl::InvalidArgumentError(
        "`gpus` must name each GPU once, by a number from 0");
  }
  SchedulerOptions& scheduler = settings.coordinator.scheduler;
  scheduler.cpu_slots = config.cpu_slots() > 0 ? config.cpu_slots() : 1;
  scheduler.gpus.assign(gpus.begin(), gpus.end());
  scheduler.max_stage_restarts = config.max_stage_restarts() > 0
                                     ? config.max_stage_restarts()
                                     : kDefaultMaxStageRestarts;
  return settings;
}

}  // namespace larr
