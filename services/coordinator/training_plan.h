// SPDX-License-Identifier: Apache-2.0
//
// What a TrainingSpec means: whether it can run at all, which stages it has,
// and what each stage is told. Knows nothing of states and processes.
//
// Below the artifact root, a run's folder `runs/<run>/` holds
//
//   <stage>/       the finished artifact; `align/ple` becomes `align-ple`
//   <stage>.work/  stage.textproto, stage.log, progress.jsonl, checkpoints
//
// and `known/` knows the artifacts of all runs by what they were made from.
//
// Threads:  all functions are safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"

namespace larr {

// Checks the settings that its stages read, that what they name exists, and
// that the dataset has what the recommenders read. Returns the model that the
// run makes versions of: `models/{model}`, the dataset's name.
// Errors: kInvalidArgument  names the field, its value and the fix
absl::StatusOr<std::string> ValidateTrainingSpec(
    const config::v1::TrainingSpec& spec);

// The stages of a run in their order (common/config/stage_inputs.h), each
// PENDING.
std::vector<coordinator::v1::StageRun> PlanStages(
    const config::v1::TrainingSpec& spec);

std::filesystem::path RunFolder(const std::filesystem::path& artifact_root,
                                const std::string& run);
std::filesystem::path StageFolder(const std::filesystem::path& artifact_root,
                                  const std::string& run,
                                  const std::string& stage);
std::filesystem::path StageWorkFolder(
    const std::filesystem::path& artifact_root, const std::string& run,
    const std::string& stage);

// The run in whose folder `path` lies, `trainingRuns/{training_run}`; empty if
// it lies in none.
std::string RunOfFolder(const std::filesystem::path& artifact_root,
                        const std::filesystem::path& path);

// What a stage of the run is told. Its inputs are the artifacts of the stages
// before it.
config::v1::StageConfig PlanStageConfig(
    const coordinator::v1::TrainingRun& run,
    const coordinator::v1::StageRun& stage,
    const std::filesystem::path& artifact_root);

// `champion` unless the run says otherwise.
std::string PublishAlias(const config::v1::TrainingSpec& spec);

}  // namespace larr
