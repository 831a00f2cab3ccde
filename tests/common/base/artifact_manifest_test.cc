// SPDX-License-Identifier: Apache-2.0
#include "common/base/artifact_manifest.h"

#include <google/protobuf/text_format.h>

#include <catch2/catch.hpp>
#include <functional>

namespace larr {
namespace {

using config::v1::ArtifactManifest;

ArtifactManifest TwoFiles() {
  ArtifactManifest manifest;
  manifest.set_kind("test");
  for (const char* path : {"a.bin", "sub/b.bin"}) {
    auto& file = *manifest.add_files();
    file.set_path(path);
    file.set_size_bytes(4);
    file.set_sha256(std::string(64, 'c'));
  }
  manifest.set_digest(ManifestDigest(manifest));
  return manifest;
}

std::string TextOf(const ArtifactManifest& manifest) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(manifest, &text);
  return text;
}

TEST_CASE("A manifest that says nothing wrong is read", "[base]") {
  const auto manifest = ParseManifest(TextOf(TwoFiles()), "m");
  REQUIRE(manifest.ok());
  CHECK(manifest->digest() == TwoFiles().digest());
  CHECK(manifest->files_size() == 2);
}

TEST_CASE("A hostile manifest is refused by field, whatever its digest",
          "[base]") {
  struct Case {
    const char* name;
    std::function<void(ArtifactManifest&)> spoil;
    const char* message;
  };
  const auto path = [](int i, const std::string& text) {
    return [i, text](auto& m) { m.mutable_files(i)->set_path(text); };
  };
  const Case cases[] = {
      {"parent", path(0, "../a.bin"), "m: files[0].path `../a.bin` does not"},
      {"parent within", path(1, "sub/../../b"), "files[1].path"},
      {"here", path(0, "./a.bin"), "files[0].path"},
      {"absolute", path(0, "/etc/passwd"), "files[0].path"},
      {"empty", path(0, ""), "files[0].path `` does not lead"},
      {"empty part", path(1, "sub//b.bin"), "files[1].path"},
      {"folder", path(1, "sub/"), "files[1].path"},
      {"new line", path(0, "a.bin\nb"), "files[0].path has a control"},
      {"zero byte", path(0, std::string("a\0b", 3)), "files[0].path has a co"},
      {"itself", path(0, kManifestName), "files[0].path is that of the man"},
      {"twice", path(1, "a.bin"), "files[1].path `a.bin` does not come after"},
      {"not sorted", path(0, "z"), "files[1].path `sub/b.bin` does not come"},
      {"size", [](auto& m) { m.mutable_files(0)->set_size_bytes(-1); },
       "files[0].size_bytes is -1"},
      {"hash", [](auto& m) { m.mutable_files(1)->set_sha256("CAFE"); },
       "files[1].sha256 `CAFE`"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    ArtifactManifest manifest = TwoFiles();
    c.spoil(manifest);
    manifest.set_digest(ManifestDigest(manifest));
    const auto status = ParseManifest(TextOf(manifest), "m").status();
    CHECK(absl::IsDataLoss(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(c.message));
  }
}

TEST_CASE("What is no manifest, or not the digest's, is refused", "[base]") {
  CHECK_THAT(ParseManifest("kind: \"x\"\nfile {}", "m").status().ToString(),
             Catch::Contains("DATA_LOSS: m:2:"));
  ArtifactManifest manifest = TwoFiles();
  manifest.mutable_files(0)->set_sha256(std::string(64, 'd'));
  CHECK_THAT(ParseManifest(TextOf(manifest), "m").status().ToString(),
             Catch::Contains("m: the digest does not fit"));
}

TEST_CASE("A folder holds what its manifest lists and no more", "[base]") {
  const ArtifactManifest manifest = TwoFiles();
  CHECK(CheckListing(manifest, {{"a.bin", 4}, {"sub/b.bin", 4}}, "f").ok());
  const auto refused = [&](const std::map<std::string, int64_t>& sizes) {
    const absl::Status status = CheckListing(manifest, sizes, "f");
    CHECK(absl::IsDataLoss(status));
    return std::string(status.message());
  };
  CHECK_THAT(refused({{"a.bin", 4}}),
             Catch::StartsWith("f/sub/b.bin is not there"));
  CHECK_THAT(refused({{"a.bin", 5}, {"sub/b.bin", 4}}),
             Catch::StartsWith("f/a.bin has 5 bytes"));
  CHECK_THAT(refused({{"a.bin", 4}, {"sub/a", 0}, {"sub/b.bin", 4}}),
             Catch::StartsWith("f/sub/a is not in the manifest"));
}

}  // namespace
}  // namespace larr
