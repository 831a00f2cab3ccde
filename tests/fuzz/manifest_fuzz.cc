// SPDX-License-Identifier: Apache-2.0
//
// Input: the text of a manifest, a zero byte, and what a folder holds as lines
// `SIZE PATH`. Holds: paths of an accepted manifest stay below the folder; what
// was accepted is accepted again once written; the listing that a manifest
// names fits, and another does not.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "common/base/artifact_manifest.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using larr::config::v1::ArtifactManifest;
using larr::testing::Require;
using Listing = std::map<std::string, int64_t>;

class Silent : public google::protobuf::io::ErrorCollector {
  void AddError(int /*line*/, int /*column*/,
                const std::string& /*message*/) override {}
};

Listing ParseListing(std::string_view text) {
  Listing listing;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    const size_t space = std::min(line.find(' '), line.size());
    listing[line.substr(std::min(space + 1, line.size()))] =
        std::strtoll(line.c_str(), nullptr, 10);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return listing;
}

Listing ListingOf(const ArtifactManifest& manifest) {
  Listing listing;
  for (const auto& file : manifest.files())
    listing[file.path()] = file.size_bytes();
  return listing;
}

void CheckPaths(const ArtifactManifest& manifest) {
  const std::filesystem::path folder("/artifact");
  for (const auto& file : manifest.files()) {
    const auto path = (folder / file.path()).lexically_normal().string();
    Require(path == "/artifact/" + file.path(), "a path below the folder");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = larr::testing::ViewOf(data, size);
  const size_t zero = std::min(input.find('\0'), input.size());
  const std::string text(input.substr(0, zero));
  const auto parsed = larr::ParseManifest(text, "manifest");
  if (parsed.ok()) CheckPaths(*parsed);

  // What no mutation gets right is the digest.
  ArtifactManifest manifest;
  Silent silent;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  if (!parser.ParseFromString(text, &manifest) ||
      !larr::CheckManifestFiles(manifest, "manifest").ok())
    return 0;
  CheckPaths(manifest);
  manifest.set_digest(larr::ManifestDigest(manifest));
  std::string again;
  google::protobuf::TextFormat::PrintToString(manifest, &again);
  Require(larr::ParseManifest(again, "again").ok(), "accepted again");

  const Listing listed = ListingOf(manifest);
  Require(larr::CheckListing(manifest, listed, "folder").ok(),
          "its own listing");
  const Listing other =
      ParseListing(input.substr(std::min(zero + 1, input.size())));
  Require(
      larr::CheckListing(manifest, other, "folder").ok() == (other == listed),
      "no other listing");
  return 0;
}
