// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/training_plan.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "common/base/artifact_folder.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_inputs.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/rpc/resource_requests.h"
#include "common/store/snapshot.h"
#include "larr/config/v1/dataset.pb.h"
#include "services/coordinator/registry.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::DatasetSpec;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

constexpr char kRunsFolder[] = "runs";

absl::Status CheckPath(const std::string& field, const std::string& path,
                       bool folder) {
  const std::filesystem::path p(path);
  if (path.empty()) return Invalid("`{}` is not set", field);
  if (!p.is_absolute()) {
    return Invalid(
        "`{}` is the relative path `{}`; a coordinator has another working "
        "folder than you: give an absolute one",
        field, path);
  }
  std::error_code error;
  const bool there = folder ? std::filesystem::is_directory(p, error)
                            : std::filesystem::is_regular_file(p, error);
  if (there) return absl::OkStatus();
  return Invalid("`{}`: there is no {} {} on the coordinator's machine", field,
                 folder ? "folder" : "file", path);
}

// Whose texts they are, the stages that read it find out.
absl::Status CheckSnapshot(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  LARR_RETURN_IF_ERROR(CheckPath("snapshot", path, /*folder=*/true));
  const auto manifest = ReadArtifact(path);
  if (!manifest.ok())
    return Invalid("`snapshot`: {}", std::string(manifest.status().message()));
  if (manifest->kind() == kSnapshotKind) return absl::OkStatus();
  return Invalid(
      "`snapshot`: {} is of kind {}; give the folder of a snapshot, which "
      "`larrctl embed get` and `larrctl serving status` print",
      path, manifest->kind());
}

// The models of a run must have names to be told apart by.
absl::Status CheckNames(const TrainingSpec& spec) {
  if (spec.align_size() == 0) {
    return Invalid("`align` is empty; name at least one model to train");
  }
  std::set<std::string> names;
  for (const AlignConfig& align : spec.align()) {
    LARR_RETURN_IF_ERROR(CheckId("align.name", align.name()));
    if (!names.insert(align.name()).second) {
      return Invalid("`align.name` `{}` is used twice; give each model its own",
                     align.name());
    }
  }
  return CheckId("publish.alias", PublishAlias(spec));
}

std::string FileName(std::string stage) {
  std::replace(stage.begin(), stage.end(), '/', '-');
  return stage;
}

}  // namespace

absl::StatusOr<std::string> ValidateTrainingSpec(const TrainingSpec& spec) {
  LARR_RETURN_IF_ERROR(CheckPath("dataset", spec.dataset(), /*folder=*/false));
  if (NeedsBaseModel(spec)) {
    LARR_RETURN_IF_ERROR(
        CheckPath("base_model", spec.base_model(), /*folder=*/true));
  }
  if (NeedsStage(spec, StageConfig::PRETRAIN) &&
      !spec.pretrain().general_corpus().empty()) {
    LARR_RETURN_IF_ERROR(CheckPath("pretrain.general_corpus",
                                   spec.pretrain().general_corpus(),
                                   /*folder=*/false));
  }
  if (NeedsStage(spec, StageConfig::EMBED) &&
      !spec.embed().vectors_file().empty()) {
    LARR_RETURN_IF_ERROR(CheckPath("embed.vectors_file",
                                   spec.embed().vectors_file(),
                                   /*folder=*/false));
  }
  LARR_RETURN_IF_ERROR(CheckSnapshot(spec.snapshot()));
  LARR_RETURN_IF_ERROR(CheckNames(spec));
  LARR_RETURN_IF_ERROR(CheckTrainingSettings(spec));
  LARR_ASSIGN_OR_RETURN(const auto dataset,
                        LoadTextProto<DatasetSpec>(spec.dataset()));
  if (const absl::Status name = CheckId("name", dataset.name()); !name.ok())
    return Invalid("{}: {}", spec.dataset(), std::string(name.message()));
  LARR_RETURN_IF_ERROR(CheckRecommenderInputs(spec, dataset));
  return "models/" + dataset.name();
}

std::vector<StageRun> PlanStages(const TrainingSpec& spec) {
  std::vector<StageRun> stages;
  for (const NeededStage& needed : NeededStages(spec)) {
    StageRun& stage = stages.emplace_back();
    stage.set_id(needed.id);
    stage.set_stage(needed.stage);
    stage.set_state(StageRun::PENDING);
  }
  return stages;
}

std::filesystem::path RunFolder(const std::filesystem::path& artifact_root,
                                const std::string& run) {
  return artifact_root / kRunsFolder / run.substr(run.rfind('/') + 1);
}

std::filesystem::path StageFolder(const std::filesystem::path& artifact_root,
                                  const std::string& run,
                                  const std::string& stage) {
  return RunFolder(artifact_root, run) / FileName(stage);
}

std::filesystem::path StageWorkFolder(
    const std::filesystem::path& artifact_root, const std::string& run,
    const std::string& stage) {
  return RunFolder(artifact_root, run) / (FileName(stage) + ".work");
}

std::string RunOfFolder(const std::filesystem::path& artifact_root,
                        const std::filesystem::path& path) {
  const auto below = path.lexically_normal().lexically_relative(
      artifact_root.lexically_normal());
  auto part = below.begin();
  if (part == below.end() || *part != kRunsFolder) return "";
  return ++part == below.end() ? "" : "trainingRuns/" + part->string();
}

StageConfig PlanStageConfig(const TrainingRun& run, const StageRun& stage,
                            const std::filesystem::path& artifact_root) {
  StageConfig config;
  config.set_stage(stage.stage());
  *config.mutable_spec() = run.spec();
  if (stage.stage() == StageConfig::ALIGN) {
    config.set_align_name(stage.id().substr(stage.id().find('/') + 1));
  }
  if (!run.spec().snapshot().empty())
    (*config.mutable_inputs())["embed"] = run.spec().snapshot();
  for (const StageRun& earlier : run.stages()) {
    if (earlier.id() == stage.id()) break;
    (*config.mutable_inputs())[earlier.id()] = earlier.artifact_path();
  }
  config.set_output(StageFolder(artifact_root, run.name(), stage.id()));
  config.set_work(StageWorkFolder(artifact_root, run.name(), stage.id()));
  config.set_known_artifacts(artifact_root / "known");
  return config;
}

std::string PublishAlias(const TrainingSpec& spec) {
  return spec.publish().alias().empty() ? kDefaultAlias
                                        : spec.publish().alias();
}

}  // namespace larr
