// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/city_recall.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "absl/strings/str_replace.h"
#include "common/config/text_proto.h"
#include "tools/larrctl/training_run.h"
#include "tools/programs/child_process.h"

namespace larr::ctl {
namespace {

namespace fs = std::filesystem;
using coordinator::v1::TrainingRun;
using experiment::Json;

// A word of a shell's command.
std::string Quoted(const std::string& word) {
  return "'" + absl::StrReplaceAll(word, {{"'", "'\\''"}}) + "'";
}

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
  std::string command = Quoted(program);
  for (const std::string& word :
       {std::string("--checkpoint"), checkpoint, std::string("--snapshot"),
        snapshot, std::string("--embed"), ToTextProto(run.spec().embed())})
    command += " " + Quoted(word);
  std::FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return absl::AbortedError("cannot run " + command);
  std::string text;
  std::array<char, 4096> buffer;
  while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  const bool failed = pclose(pipe) != 0;
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (failed || !json.is_object())
    return absl::AbortedError(
        fmt::format("{} failed on {}", program.string(), checkpoint));
  return json;
}

}  // namespace larr::ctl
