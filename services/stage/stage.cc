// SPDX-License-Identifier: Apache-2.0
#include "services/stage/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/config/stage_inputs.h"

namespace larr::stage {
namespace {

// The `elapsed` of the last whole line: a kill may have cut the last one off.
double LastElapsed(const std::filesystem::path& path) {
  std::ifstream in(path);
  double elapsed = 0;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) elapsed = json.value("elapsed", elapsed);
  }
  return elapsed;
}

bool EndsInNewline(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in || in.tellg() == std::streampos(0)) return true;
  in.seekg(-1, std::ios::end);
  return in.get() == '\n';
}

}  // namespace

ProgressWriter::ProgressWriter(const std::filesystem::path& work_folder)
    : start_(std::chrono::steady_clock::now()) {
  const auto path = work_folder / kProgressFile;
  elapsed_before_ = LastElapsed(path);
  const bool torn = !EndsInNewline(path);
  out_.open(path, std::ios::app);
  if (torn) out_ << '\n';
}

ProgressWriter::ProgressWriter() : start_(std::chrono::steady_clock::now()) {}

double ProgressWriter::elapsed() const {
  return elapsed_before_ + SecondsSince(start_);
}

void ProgressWriter::Report(int64_t step, int64_t total, double loss,
                            double throughput, std::string_view unit) {
  nlohmann::ordered_json line = {{"step", step}, {"total", total}};
  if (!std::isnan(loss)) line["loss"] = loss;
  line["throughput"] = throughput;
  line["unit"] = unit;
  line["elapsed"] = elapsed();
  out_ << line.dump() << std::endl;
}

absl::StatusOr<std::filesystem::path> InputOf(
    const config::v1::StageConfig& config, const std::string& role) {
  const auto it = config.inputs().find(role);
  if (it == config.inputs().end())
    return Invalid("the stage's config has no input `{}`; add it to `inputs`",
                   role);
  return std::filesystem::path(it->second);
}

absl::StatusOr<std::map<std::string, std::string>> StageContext::InputDigests()
    const {
  std::map<std::string, std::string> digests;
  for (const std::string& role :
       StageInputs(config.spec(), config.stage(), config.align_name())) {
    LARR_ASSIGN_OR_RETURN(const auto folder, Input(role));
    LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(folder));
    digests[role] = manifest.digest();
  }
  return digests;
}

int StageContext::threads() const {
  if (config.spec().threads() > 0) return config.spec().threads();
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

absl::Status StageContext::ClaimWork(const std::string& identity) const {
  const auto path = std::filesystem::path(config.work()) / "identity";
  const std::string hash = Sha256(identity);
  const auto earlier = ReadFile(path);
  if (absl::IsNotFound(earlier.status()))
    return WriteFileAtomically(path, hash);
  if (!earlier.ok()) return earlier.status();
  if (*earlier == hash) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: is of a run with other settings or inputs; remove it to "
                  "start anew",
                  config.work()));
}

}  // namespace larr::stage
