// SPDX-License-Identifier: Apache-2.0
//
// An artifact is a folder that appears under its name whole or not at all, and
// never changes afterwards. Its manifest lists every file with size and
// SHA-256, what it was made from, and with which settings.
//
//   LARR_ASSIGN_OR_RETURN(auto writer, ArtifactWriter::Create(output));
//   ... write files into writer.path() ...
//   LARR_RETURN_IF_ERROR(writer.Finish(meta).status());
//
// Threads:    a writer belongs to one thread; readers are safe.
// Errors:     those of files.h, and
//             kAlreadyExists  the final name is taken
//             kInvalidArgument  what is written is no file: a link, a pipe
//             kDataLoss       a file is missing, too short or changed, or is
//                             not listed; the manifest is damaged
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/artifact_manifest.h"
#include "common/base/stop_check.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// The `code_version` of the manifests that this program writes.
std::string_view CodeVersion();

// Collects the files of one artifact aside, under `<final name>.partial`.
class ArtifactWriter {
 public:
  // Makes an empty staging folder; what a killed writer left there is removed.
  static absl::StatusOr<ArtifactWriter> Create(
      const std::filesystem::path& final_path);
  ArtifactWriter(ArtifactWriter&& other) noexcept;
  ArtifactWriter& operator=(ArtifactWriter&&) = delete;
  // Removes the staging folder where nothing was finished.
  ~ArtifactWriter();

  // The staging folder. Files and subfolders are written here.
  const std::filesystem::path& path() const { return staging_; }

  // Hashes and fsyncs every file, writes the manifest and renames the folder
  // to its final name. The caller sets `kind`, `parents`, `config` and
  // `embedder_fingerprint`; the rest is filled in and returned.
  absl::StatusOr<config::v1::ArtifactManifest> Finish(
      config::v1::ArtifactManifest manifest);

 private:
  ArtifactWriter(std::filesystem::path final_path,
                 std::filesystem::path staging)
      : final_(std::move(final_path)), staging_(std::move(staging)) {}

  std::filesystem::path final_;
  std::filesystem::path staging_;  // Empty: moved away.
};

// True for the name of a staging folder: it may look whole after a crash right
// before its rename, and is gone with the next attempt.
bool IsUnfinished(const std::filesystem::path& path);
// The staging folder of an artifact.
std::filesystem::path StagingOf(const std::filesystem::path& final_path);

// Takes an artifact, or what is left of one, away: from its name at once where
// that can be, so that a kill leaves no half of it there. What is left aside
// the next writer of the name removes.
void RemoveArtifact(const std::filesystem::path& path);

// Reads the manifest and checks that each file is there with its size. Cheap.
absl::StatusOr<config::v1::ArtifactManifest> ReadArtifact(
    const std::filesystem::path& path);

// `ReadArtifact`, each file's hash, and that nothing else is in the folder.
// Reads everything once, unless `stop` ends it.
// Errors: kCancelled  `stop` said so
absl::StatusOr<config::v1::ArtifactManifest> VerifyArtifact(
    const std::filesystem::path& path, const StopCheck& stop = {});

}  // namespace larr
