// SPDX-License-Identifier: Apache-2.0
#include "services/stage/known_artifacts.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/shared_artifact.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "services/stage/identity.h"

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using config::v1::StageConfig;

std::vector<std::string> LinesOf(const fs::path& entry) {
  std::istringstream in(ReadFile(entry).value_or(""));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The folder of a line, if it still holds the line's artifact.
absl::StatusOr<fs::path> FolderOf(const std::string& line,
                                  const fs::path& known) {
  const size_t space = line.find(' ');
  if (space == std::string::npos)
    return absl::DataLossError("the line names no digest");
  const fs::path folder = (known / line.substr(space + 1)).lexically_normal();
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(folder));
  if (manifest.digest() == line.substr(0, space)) return folder;
  return absl::FailedPreconditionError(
      folder.string() + " holds another artifact than the one that was known");
}

void WarnNotShared(const std::string& why) {
  spdlog::warn("not shared: the stage does its own work reason={}", why);
}

}  // namespace

KnownArtifact::KnownArtifact(const StageContext& context, fs::path entry,
                             std::string key)
    : context_(context),
      entry_(std::move(entry)),
      key_(std::move(key)),
      lock_(entry_.string() + ".lock", O_RDWR | O_CREAT) {}

std::unique_ptr<KnownArtifact> KnownArtifact::Claim(
    const StageContext& context) {
  const StageConfig& config = context.config;
  if (config.known_artifacts().empty() ||
      config.stage() == StageConfig::PUBLISH)
    return nullptr;
  const auto key = ArtifactKey(context);
  const absl::Status usable =
      key.ok() ? MakeFolder(config.known_artifacts()) : key.status();
  if (!usable.ok()) {
    WarnNotShared(std::string(usable.message()));
    return nullptr;
  }
  std::unique_ptr<KnownArtifact> known(new KnownArtifact(
      context, fs::path(config.known_artifacts()) / *key, *key));
  return known->Lock() ? std::move(known) : nullptr;
}

bool KnownArtifact::Lock() const {
  int failed = lock_.valid() ? flock(lock_.get(), LOCK_EX | LOCK_NB) : -1;
  if (failed != 0 && lock_.valid() && errno == EWOULDBLOCK) {
    spdlog::info("waiting for another run that makes the same artifact key={}",
                 key_);
    do {
      failed = flock(lock_.get(), LOCK_EX);
    } while (failed != 0 && errno == EINTR);
  }
  if (failed == 0) return true;
  const int error = errno;
  WarnNotShared(entry_.string() + ".lock: " + std::strerror(error));
  return false;
}

bool KnownArtifact::Share() {
  const fs::path note = fs::path(context_.config.work()) / kSharedFromFile;
  const std::vector<std::string> lines = LinesOf(entry_);
  for (auto line = lines.begin(); line != lines.end(); ++line) {
    const auto from = FolderOf(*line, entry_.parent_path());
    absl::Status shared = from.status();
    // Before the artifact: who finds that one finds the note.
    if (shared.ok()) shared = WriteFileAtomically(note, from->string());
    if (shared.ok())
      shared = ShareArtifact(*from, context_.config.output()).status();
    if (shared.ok()) {
      spdlog::info("shared from={} key={}", from->string(), key_);
      Write({line, lines.end()});
      return true;
    }
    spdlog::warn("known artifact passed over key={} reason={}", key_,
                 std::string(shared.message()));
  }
  std::error_code ignored;
  fs::remove(note, ignored);
  return false;
}

void KnownArtifact::Publish() const {
  const auto key = ArtifactKey(context_);
  if (key.ok() && *key == key_) return Write({});
  spdlog::warn("not made known: its inputs changed meanwhile key={}", key_);
}

void KnownArtifact::Write(std::vector<std::string> lines) const {
  std::error_code error;
  const fs::path own =
      fs::relative(context_.config.output(), entry_.parent_path(), error);
  if (error) return WarnNotShared(error.message());
  const auto manifest = ReadArtifact(context_.config.output());
  if (!manifest.ok())
    return WarnNotShared(std::string(manifest.status().message()));
  lines.push_back(manifest->digest() + " " + own.string());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  const absl::Status written = WriteFileAtomically(entry_, text);
  if (!written.ok()) WarnNotShared(std::string(written.message()));
}

}  // namespace larr::stage
