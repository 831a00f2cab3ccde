// SPDX-License-Identifier: Apache-2.0
//
// One training stage, as a process of its own: a fault ends the stage and
// nothing else. Settings: larr.config.v1.StageConfig.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_output.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/launch.h"
#include "common/llm/process_group.h"
#include "common/telemetry/logging.h"
#include "services/stage/align.h"
#include "services/stage/contrast.h"
#include "services/stage/corpus.h"
#include "services/stage/embed.h"
#include "services/stage/evaluate.h"
#include "services/stage/known_artifacts.h"
#include "services/stage/pretrain.h"
#include "services/stage/publish.h"
#include "services/stage/stage.h"
#include "services/stage/validation_auc.h"

namespace larr::stage {
namespace {

using config::v1::StageConfig;

absl::Status Run(StageContext& context) {
  switch (context.config.stage()) {
    case StageConfig::CORPUS:
      return RunCorpus(context);
    case StageConfig::PRETRAIN:
      return RunPretrain(context);
    case StageConfig::CONTRAST:
      return RunContrast(context);
    case StageConfig::EMBED:
      return RunEmbed(context);
    case StageConfig::ALIGN:
      return RunAlign(context);
    case StageConfig::EVALUATE:
      return RunEvaluate(context);
    case StageConfig::PUBLISH:
      at::set_num_threads(context.threads());
      return RunPublish(context, ComputeValidationAuc);
    default:
      return absl::InvalidArgumentError(
          "`stage` is not set; set it to CORPUS, PRETRAIN, CONTRAST, EMBED, "
          "ALIGN, EVALUATE or PUBLISH");
  }
}

absl::Status CheckLaunch(const StageConfig& config, const Launch& launch) {
  if (launch.world_size == 1 || config.stage() == StageConfig::PRETRAIN ||
      config.stage() == StageConfig::CONTRAST)
    return absl::OkStatus();
  return Invalid(
      "WORLD_SIZE is {}, but the stage {} is one process: several train one "
      "model in PRETRAIN and CONTRAST; unset RANK, WORLD_SIZE, LOCAL_RANK, "
      "MASTER_ADDR and MASTER_PORT",
      launch.world_size, StageConfig::Stage_Name(config.stage()));
}

// Whether all ranks find the artifact there already.
absl::StatusOr<bool> IsFinished(const StageConfig& config,
                                ProcessGroup& ranks) {
  const bool finished = std::filesystem::exists(config.output());
  LARR_ASSIGN_OR_RETURN(const double count, ranks.Sum(finished ? 1 : 0));
  if (count == 0) return false;
  if (count < ranks.size()) {
    return absl::FailedPreconditionError(
        fmt::format("{}: {} of {} ranks find it; give all of them the same "
                    "`output` and `work`, in a file system that they share",
                    config.output(), count, ranks.size()));
  }
  LARR_RETURN_IF_ERROR(ReadStageOutput(config).status());
  spdlog::info("finished already output={}", config.output());
  return true;
}

absl::Status RunFromFile(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const Launch launch, ReadLaunch());
  LARR_ASSIGN_OR_RETURN(auto config, LoadTextProto<StageConfig>(path));
  if (config.output().empty() || config.work().empty())
    return absl::InvalidArgumentError(
        path + ": `output` and `work` must name folders");
  LARR_RETURN_IF_ERROR(CheckLaunch(config, launch));
  const bool first = launch.rank == 0;
  if (!first) spdlog::set_level(spdlog::level::warn);
  LARR_ASSIGN_OR_RETURN(const auto ranks, ProcessGroup::Join(launch));
  LARR_ASSIGN_OR_RETURN(const bool finished, IsFinished(config, *ranks));
  if (finished) return absl::OkStatus();
  LARR_RETURN_IF_ERROR(CheckTrainingSettings(config.spec()));
  LARR_RETURN_IF_ERROR(MakeFolder(config.work()));
  const std::filesystem::path work = config.work();
  StageContext context{std::move(config),
                       first ? ProgressWriter(work) : ProgressWriter(),
                       ranks.get()};
  // Ranks round differently together than one process, and are started by hand:
  // nothing of theirs is shared.
  const auto known = ranks->alone() ? KnownArtifact::Claim(context) : nullptr;
  if (known != nullptr && known->Share()) return absl::OkStatus();
  LARR_RETURN_IF_ERROR(Run(context));
  if (known != nullptr) known->Publish();
  return absl::OkStatus();
}

// What a library throws past a stage ends it as an error does, not as a fault
// that is worth another try.
absl::Status RunGuarded(const std::string& path) {
  try {
    return RunFromFile(path);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace
}  // namespace larr::stage

int main(int argc, char** argv) {
  CLI::App app("Runs one training stage.");
  std::string path;
  app.add_option("--config", path, "Path of a StageConfig text proto.")
      ->required();
  CLI11_PARSE(app, argc, argv);
  larr::InitLogging("stage");
  const absl::Status status = larr::stage::RunGuarded(path);
  if (status.ok()) return EXIT_SUCCESS;
  // The last line of stderr is what the coordinator reports.
  std::string message(status.message());
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return EXIT_FAILURE;
}
