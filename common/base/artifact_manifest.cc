// SPDX-License-Identifier: Apache-2.0
#include "common/base/artifact_manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/base/text_format.h"

namespace larr {
namespace {

using config::v1::ArtifactManifest;

constexpr size_t kSha256Digits = 64;

// What is wrong with a path; empty if nothing is.
std::string FaultOfPath(const std::string& path) {
  if (std::any_of(path.begin(), path.end(),
                  [](char c) { return static_cast<unsigned char>(c) < ' '; }))
    return "has a control character";
  if (path == kManifestName) return "is that of the manifest itself";
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part(path.data() + begin, end - begin);
    if (part.empty() || part == "." || part == "..")
      return fmt::format("`{}` does not lead to a file below the folder", path);
    begin = end + 1;
  }
  return "";
}

bool IsSha256(const std::string& text) {
  return text.size() == kSha256Digits &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string ManifestDigest(const ArtifactManifest& manifest) {
  std::string lines;
  for (const auto& file : manifest.files())
    lines += fmt::format("{} {}\n", file.path(), file.sha256());
  return Sha256(lines);
}

absl::Status CheckManifestFiles(const ArtifactManifest& manifest,
                                std::string_view name) {
  const auto wrong = [&](int i, const std::string& what) {
    return absl::DataLossError(fmt::format(
        "{}: files[{}].{}; make the artifact again", name, i, what));
  };
  const std::string* last = nullptr;
  for (int i = 0; i < manifest.files_size(); ++i) {
    const auto& file = manifest.files(i);
    const std::string fault = FaultOfPath(file.path());
    if (!fault.empty()) return wrong(i, "path " + fault);
    if (last != nullptr && *last >= file.path()) {
      return wrong(i, fmt::format("path `{}` does not come after `{}`; files "
                                  "are sorted, each once",
                                  file.path(), *last));
    }
    last = &file.path();
    if (file.size_bytes() < 0)
      return wrong(i, fmt::format("size_bytes is {}", file.size_bytes()));
    if (!IsSha256(file.sha256())) {
      return wrong(i, fmt::format("sha256 `{}` is not 64 lower-case hex digits",
                                  file.sha256()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ArtifactManifest> ParseManifest(const std::string& text,
                                               std::string_view name) {
  ArtifactManifest manifest;
  const std::string error = ParseTextFormat(text, name, manifest);
  if (!error.empty())
    return absl::DataLossError(
        fmt::format("{} (not a manifest; make the artifact again)", error));
  LARR_RETURN_IF_ERROR(CheckManifestFiles(manifest, name));
  if (manifest.digest() != ManifestDigest(manifest))
    return absl::DataLossError(fmt::format(
        "{}: the digest does not fit the list of files; make the artifact "
        "again",
        name));
  return manifest;
}

absl::Status CheckListing(const ArtifactManifest& manifest,
                          const std::map<std::string, int64_t>& sizes,
                          std::string_view folder) {
  for (const auto& file : manifest.files()) {
    const auto found = sizes.find(file.path());
    if (found != sizes.end() && found->second == file.size_bytes()) continue;
    const std::string has = found == sizes.end() ? "is not there"
                            : found->second < 0
                                ? "is no plain file"
                                : fmt::format("has {} bytes", found->second);
    return absl::DataLossError(fmt::format(
        "{}/{} {}, its manifest says {} bytes; make the artifact again", folder,
        file.path(), has, file.size_bytes()));
  }
  // All that is listed is there, so what is more is not listed.
  if (sizes.size() == static_cast<size_t>(manifest.files_size()))
    return absl::OkStatus();
  for (const auto& [path, size] : sizes) {
    const auto& files = manifest.files();
    const auto listed = std::lower_bound(
        files.begin(), files.end(), path,
        [](const auto& file, const auto& p) { return file.path() < p; });
    if (listed != files.end() && listed->path() == path) continue;
    return absl::DataLossError(fmt::format(
        "{}/{} is not in the manifest; take it out, or make the artifact again",
        folder, path));
  }
  return absl::OkStatus();
}

}  // namespace larr
