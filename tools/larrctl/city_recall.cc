// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/city_recall.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "tools/larrctl/training_run.h"
#include "tools/programs/child_process.h"

namespace larr::ctl {
namespace {

namespace fs = std::filesystem;
using coordinator::v1::TrainingRun;
using experiment::Json;

bool IsLanguageModel(const config::v1::TrainingSpec& spec) {
  return (spec.encoder() == config::v1::TEXT_ENCODER_UNSPECIFIED ||
          spec.encoder() == config::v1::LANGUAGE_MODEL) &&
         spec.embed().vectors_file().empty();
}

}  // namespace

absl::StatusOr<Json> CityRecall(const TrainingRun& run) {
  std::error_code error;
  const fs::path program = programs::ProgramBeside("larr_city_recall");
  const std::string checkpoint = ArtifactOf(run, "contrast");
  const std::string snapshot = ArtifactOf(run, "embed");
  const fs::path data = fs::path(run.spec().dataset()).parent_path();
  if (checkpoint.empty() || snapshot.empty() || !IsLanguageModel(run.spec()) ||
      !fs::exists(data / "city.json", error) || !fs::exists(program, error))
    return Json();
  const fs::path files =
      fs::temp_directory_path() / fmt::format("larr-recall-{}", getpid());
  LARR_RETURN_IF_ERROR(MakeFolder(files));
  const fs::path output = files / "recall.json";
  LARR_RETURN_IF_ERROR(programs::RunProgram(
      {.words = {program, "--checkpoint", checkpoint, "--snapshot", snapshot,
                 "--embed", ToTextProto(run.spec().embed())},
       .log = files / "log",
       .output = output}));
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(output));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return absl::AbortedError(
        fmt::format("{}: no JSON of {}", output.string(), program.string()));
  fs::remove_all(files, error);
  return json;
}

}  // namespace larr::ctl
