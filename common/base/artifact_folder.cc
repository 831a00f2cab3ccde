// SPDX-License-Identifier: Apache-2.0
#include "common/base/artifact_folder.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <cstdio>
#include <map>
#include <utility>

#include "common/base/code_version.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::ArtifactManifest;

constexpr char kStagingSuffix[] = ".partial";

absl::Status SyncFoldersBelow(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end;
       !error && it != end; it.increment(error)) {
    if (it->is_directory(error)) LARR_RETURN_IF_ERROR(SyncFolder(it->path()));
  }
  if (error) return FileStatus("cannot list", folder, error);
  return SyncFolder(folder);
}

// The sizes of the files in `folder`, without the manifest. What is no file
// (a link, a pipe) has a size of -1.
absl::StatusOr<std::map<std::string, int64_t>> ListSizes(
    const fs::path& folder) {
  std::error_code error;
  std::map<std::string, int64_t> sizes;
  for (fs::recursive_directory_iterator it(folder, error), end;
       !error && it != end; it.increment(error)) {
    const fs::file_type type = it->symlink_status(error).type();
    if (error) break;
    if (type == fs::file_type::directory) continue;
    sizes[it->path().lexically_relative(folder).string()] =
        type == fs::file_type::regular
            ? static_cast<int64_t>(it->file_size(error))
            : -1;
  }
  if (error) return FileStatus("cannot list", folder, error);
  sizes.erase(kManifestName);
  return sizes;
}

}  // namespace

std::string_view CodeVersion() { return kCodeVersion; }

absl::StatusOr<ArtifactWriter> ArtifactWriter::Create(const fs::path& path) {
  const fs::path final_path = WithoutTrailingSlash(path);
  std::error_code error;
  if (fs::exists(final_path, error))
    return absl::AlreadyExistsError(fmt::format(
        "{} exists already; artifacts are never overwritten: choose another "
        "name or remove it",
        final_path.string()));
  fs::path staging = StagingOf(final_path);
  fs::remove_all(staging, error);
  if (!error) fs::create_directories(staging, error);
  if (error) return FileStatus("cannot create", staging, error);
  return ArtifactWriter(final_path, staging);
}

ArtifactWriter::ArtifactWriter(ArtifactWriter&& other) noexcept
    : final_(std::move(other.final_)),
      staging_(std::exchange(other.staging_, {})) {}

ArtifactWriter::~ArtifactWriter() {
  std::error_code ignored;  // Else the next writer of the name removes it.
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

absl::StatusOr<ArtifactManifest> ArtifactWriter::Finish(
    ArtifactManifest manifest) {
  manifest.clear_files();
  LARR_ASSIGN_OR_RETURN(const auto sizes, ListSizes(staging_));
  for (const auto& [name, size] : sizes) {
    if (size < 0)
      return Invalid("{} is no regular file: an artifact holds nothing else",
                     (staging_ / name).string());
    auto* file = manifest.add_files();
    file->set_path(name);
    file->set_size_bytes(size);
    LARR_ASSIGN_OR_RETURN(*file->mutable_sha256(), Sha256File(staging_ / name));
    LARR_RETURN_IF_ERROR(SyncFile(staging_ / name));
  }
  manifest.set_code_version(kCodeVersion);
  manifest.set_digest(ManifestDigest(manifest));
  std::string text;
  google::protobuf::TextFormat::PrintToString(manifest, &text);
  LARR_RETURN_IF_ERROR(WriteFileAtomically(staging_ / kManifestName, text));
  LARR_RETURN_IF_ERROR(SyncFoldersBelow(staging_));
  if (std::rename(staging_.c_str(), final_.c_str()) != 0)
    return ErrnoStatus("cannot rename to", final_);
  LARR_RETURN_IF_ERROR(
      SyncFolder(final_.has_parent_path() ? final_.parent_path() : "."));
  return manifest;
}

fs::path StagingOf(const fs::path& final_path) {
  fs::path staging = WithoutTrailingSlash(final_path);
  return staging += kStagingSuffix;
}

void RemoveArtifact(const fs::path& path) {
  const fs::path aside = StagingOf(path);
  std::error_code error, ignored;
  fs::remove_all(aside, ignored);
  fs::rename(path, aside, error);
  fs::remove_all(error ? path : aside, ignored);  // in place where it must be
}

bool IsUnfinished(const fs::path& path) {
  return path.extension() == kStagingSuffix;
}

absl::StatusOr<ArtifactManifest> ReadArtifact(const fs::path& path) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path / kManifestName));
  LARR_ASSIGN_OR_RETURN(ArtifactManifest manifest,
                        ParseManifest(text, (path / kManifestName).string()));
  for (const auto& file : manifest.files()) {
    std::error_code error;
    const auto size = fs::file_size(path / file.path(), error);
    if (error || static_cast<int64_t>(size) != file.size_bytes())
      return absl::DataLossError(fmt::format(
          "{} has {} bytes, its manifest says {}; make the artifact again",
          (path / file.path()).string(), error ? 0 : size, file.size_bytes()));
  }
  return manifest;
}

absl::StatusOr<ArtifactManifest> VerifyArtifact(const fs::path& path,
                                                const StopCheck& stop) {
  LARR_ASSIGN_OR_RETURN(const ArtifactManifest manifest, ReadArtifact(path));
  LARR_ASSIGN_OR_RETURN(const auto sizes, ListSizes(path));
  LARR_RETURN_IF_ERROR(CheckListing(manifest, sizes, path.string()));
  for (const auto& file : manifest.files()) {
    LARR_ASSIGN_OR_RETURN(const std::string sha256,
                          Sha256File(path / file.path(), stop));
    if (sha256 != file.sha256())
      return absl::DataLossError(fmt::format(
          "{} has SHA-256 {}, its manifest says {}; make the artifact again",
          (path / file.path()).string(), sha256, file.sha256()));
  }
  return manifest;
}

}  // namespace larr
