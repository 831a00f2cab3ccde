// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/training_plan.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "larr/config/v1/dataset.pb.h"
#include "services/coordinator/registry.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::CtrArchitecture;
using config::v1::DatasetSpec;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

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

struct Range {
  const char* field;
  double value;
  double low;
  double high;
};

absl::Status CheckRanges(const std::vector<Range>& ranges) {
  for (const Range& range : ranges) {
    // Written so that NaN fails.
    if (range.value >= range.low && range.value <= range.high) continue;
    return Invalid("`{}` is {}; it must be in [{}, {}]", range.field,
                   range.value, range.low, range.high);
  }
  return absl::OkStatus();
}

absl::Status CheckLanguageModel(const TrainingSpec& spec) {
  constexpr double kMany = 1e15;
  const auto& pretrain = spec.pretrain();
  const auto& contrast = spec.contrast();
  LARR_RETURN_IF_ERROR(CheckRanges({
      {"threads", double(spec.threads()), 0, 4096},
      {"corpus.held_out_fraction", spec.corpus().held_out_fraction(), 0, 0.9},
      {"corpus.max_pairs", double(spec.corpus().max_pairs()), 0, kMany},
      {"pretrain.steps", double(pretrain.steps()), 0, kMany},
      {"pretrain.frozen_layers", double(pretrain.frozen_layers()), 0, 1000},
      {"pretrain.optimizer.learning_rate", pretrain.optimizer().learning_rate(),
       0, 1},
      {"pretrain.general_fraction", pretrain.general_fraction(), 0, 1},
      {"contrast.steps", double(contrast.steps()), 0, kMany},
      {"contrast.frozen_layers", double(contrast.frozen_layers()), 0, 1000},
      {"contrast.optimizer.learning_rate", contrast.optimizer().learning_rate(),
       0, 1},
      {"contrast.temperature", contrast.temperature(), 0, 100},
      {"contrast.keyword_dropout", contrast.keyword_dropout(), 0, 1},
      {"contrast.same_value_fraction", contrast.same_value_fraction(), 0, 1},
      {"embed.tokens_per_batch", double(spec.embed().tokens_per_batch()), 0,
       1 << 24},
      {"publish.max_auc_loss", spec.publish().max_auc_loss(), 0, 1},
      {"publish.max_calibration_error", spec.publish().max_calibration_error(),
       0, 1000},
  }));
  if (pretrain.steps() > 0) {
    LARR_RETURN_IF_ERROR(CheckRanges(
        {{"pretrain.descriptions_per_step",
          double(pretrain.descriptions_per_step()), 1, 1 << 24},
         {"pretrain.max_tokens", double(pretrain.max_tokens()), 1, 1 << 20}}));
  }
  if (contrast.steps() > 0) {
    // One pair has no negatives.
    LARR_RETURN_IF_ERROR(CheckRanges(
        {{"contrast.pairs_per_step", double(contrast.pairs_per_step()), 2,
          1 << 24},
         {"contrast.max_tokens", double(contrast.max_tokens()), 1, 1 << 20}}));
  }
  if (!pretrain.general_corpus().empty()) {
    LARR_RETURN_IF_ERROR(CheckPath("pretrain.general_corpus",
                                   pretrain.general_corpus(),
                                   /*folder=*/false));
  }
  return absl::OkStatus();
}

absl::Status CheckAlign(const TrainingSpec& spec) {
  if (spec.align_size() == 0) {
    return Invalid("`align` is empty; name at least one model to train");
  }
  std::set<std::string> names;
  for (const AlignConfig& align : spec.align()) {
    if (!IsValidId(align.name())) {
      return Invalid(
          "`align.name` is `{}`; use lower-case letters, digits and `-`",
          align.name());
    }
    if (!names.insert(align.name()).second) {
      return Invalid("`align.name` `{}` is used twice; give each model its own",
                     align.name());
    }
    if (align.architecture().kind() == CtrArchitecture::KIND_UNSPECIFIED) {
      return Invalid(
          "`align.architecture.kind` of `{}` is not set; use PLE or LARR",
          align.name());
    }
    LARR_RETURN_IF_ERROR(CheckRanges({
        {"align.batch_size", double(align.batch_size()), 0, 1 << 24},
        {"align.learning_rate", align.learning_rate(), 0, 1},
        {"align.epochs", double(align.epochs()), 0, 1000},
        {"align.max_rows", double(align.max_rows()), 0, 1e15},
        {"align.alignment_weight", align.alignment_weight(), 0, 1000},
        {"align.alignment_temperature", align.alignment_temperature(), 0, 100},
        {"align.default_probability", align.default_probability(), 0, 0.99},
    }));
  }
  return absl::OkStatus();
}

std::string FileName(std::string stage) {
  std::replace(stage.begin(), stage.end(), '/', '-');
  return stage;
}

}  // namespace

absl::StatusOr<std::string> ValidateTrainingSpec(const TrainingSpec& spec) {
  LARR_RETURN_IF_ERROR(CheckPath("dataset", spec.dataset(), /*folder=*/false));
  LARR_RETURN_IF_ERROR(
      CheckPath("base_model", spec.base_model(), /*folder=*/true));
  LARR_RETURN_IF_ERROR(CheckLanguageModel(spec));
  LARR_RETURN_IF_ERROR(CheckAlign(spec));
  if (!IsValidId(PublishAlias(spec))) {
    return Invalid(
        "`publish.alias` is `{}`; use lower-case letters, digits and `-`",
        spec.publish().alias());
  }
  LARR_ASSIGN_OR_RETURN(const auto dataset,
                        LoadTextProto<DatasetSpec>(spec.dataset()));
  if (!IsValidId(dataset.name())) {
    return Invalid("{}: `name` is `{}`; use lower-case letters, digits and `-`",
                   spec.dataset(), dataset.name());
  }
  return "models/" + dataset.name();
}

std::vector<StageRun> PlanStages(const TrainingSpec& spec) {
  std::vector<StageRun> stages;
  const auto add = [&](std::string id, StageConfig::Stage kind) {
    StageRun& stage = stages.emplace_back();
    stage.set_id(std::move(id));
    stage.set_stage(kind);
    stage.set_state(StageRun::PENDING);
  };
  add("corpus", StageConfig::CORPUS);
  add("pretrain", StageConfig::PRETRAIN);
  add("contrast", StageConfig::CONTRAST);
  add("embed", StageConfig::EMBED);
  for (const AlignConfig& align : spec.align()) {
    add("align/" + align.name(), StageConfig::ALIGN);
  }
  add("evaluate", StageConfig::EVALUATE);
  add("publish", StageConfig::PUBLISH);
  return stages;
}

std::filesystem::path RunFolder(const std::filesystem::path& artifact_root,
                                const std::string& run) {
  return artifact_root / "runs" / run.substr(run.rfind('/') + 1);
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

StageConfig PlanStageConfig(const TrainingRun& run, const StageRun& stage,
                            const std::filesystem::path& artifact_root) {
  StageConfig config;
  config.set_stage(stage.stage());
  *config.mutable_spec() = run.spec();
  if (stage.stage() == StageConfig::ALIGN) {
    config.set_align_name(stage.id().substr(stage.id().find('/') + 1));
  }
  for (const StageRun& earlier : run.stages()) {
    if (earlier.id() == stage.id()) break;
    (*config.mutable_inputs())[earlier.id()] = earlier.artifact_path();
  }
  config.set_output(StageFolder(artifact_root, run.name(), stage.id()));
  config.set_work(StageWorkFolder(artifact_root, run.name(), stage.id()));
  return config;
}

std::string PublishAlias(const TrainingSpec& spec) {
  return spec.publish().alias().empty() ? "champion" : spec.publish().alias();
}

}  // namespace larr
