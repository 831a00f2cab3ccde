// SPDX-License-Identifier: Apache-2.0
#include "common/base/shared_artifact.h"

#include <fmt/format.h>

#include <cstdio>
#include <set>
#include <system_error>

#include "absl/status/status.h"
#include "common/base/artifact_folder.h"
#include "common/base/artifact_manifest.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

absl::Status ShareFile(const fs::path& from, const fs::path& to) {
  std::error_code error;
  // A link to a symbolic link would lead elsewhere from its new place.
  if (!fs::is_regular_file(fs::symlink_status(from, error))) {
    return absl::DataLossError(fmt::format(
        "{} is no plain file; make the artifact again", from.string()));
  }
  return LinkFile(from, to);
}

}  // namespace

absl::StatusOr<config::v1::ArtifactManifest> ShareArtifact(const fs::path& from,
                                                           const fs::path& to) {
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(from));
  // Its staging folder alone is used: the manifest is there already.
  LARR_ASSIGN_OR_RETURN(const auto writer, ArtifactWriter::Create(to));
  std::set<fs::path> folders = {writer.path()};
  for (const auto& file : manifest.files()) {
    const fs::path shared = writer.path() / file.path();
    for (fs::path folder = shared.parent_path(); folders.insert(folder).second;
         folder = folder.parent_path()) {
      LARR_RETURN_IF_ERROR(MakeFolder(folder));
    }
    LARR_RETURN_IF_ERROR(ShareFile(from / file.path(), shared));
  }
  LARR_RETURN_IF_ERROR(
      ShareFile(from / kManifestName, writer.path() / kManifestName));
  for (const fs::path& folder : folders)
    LARR_RETURN_IF_ERROR(SyncFolder(folder));
  if (std::rename(writer.path().c_str(), to.c_str()) != 0)
    return ErrnoStatus("cannot rename to", to);
  LARR_RETURN_IF_ERROR(SyncFolder(to.parent_path()));
  return manifest;
}

}  // namespace larr
