// SPDX-License-Identifier: Apache-2.0
#include "common/base/artifact_folder.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

// An artifact of two files, one of them in a subfolder.
config::v1::ArtifactManifest MakeArtifact(const fs::path& path) {
  auto writer = ArtifactWriter::Create(path);
  REQUIRE(writer.ok());
  fs::create_directories(writer->path() / "sub");
  std::ofstream(writer->path() / "a.bin") << "alpha";
  std::ofstream(writer->path() / "sub" / "b.bin") << "beta";
  config::v1::ArtifactManifest meta;
  meta.set_kind("test");
  (*meta.mutable_parents())["corpus"] = "0123";
  auto manifest = writer->Finish(meta);
  REQUIRE(manifest.ok());
  return *manifest;
}

}  // namespace

TEST_CASE("An artifact is not there until it is whole", "[base]") {
  const testing::TempDir dir;
  const fs::path path = dir.path() / "artifact";
  {
    auto writer = ArtifactWriter::Create(path);
    REQUIRE(writer.ok());
    std::ofstream(writer->path() / "left-over.bin") << "x";
    CHECK_FALSE(fs::exists(path));
    CHECK(IsUnfinished(writer->path()));
    CHECK_FALSE(IsUnfinished(path));
    CHECK(absl::IsNotFound(ReadArtifact(path).status()));
    const ArtifactWriter moved = *std::move(writer);
    CHECK(fs::exists(StagingOf(path)));
  }
  CHECK_FALSE(fs::exists(StagingOf(path)));
  // A writer that is killed leaves it.
  fs::create_directories(StagingOf(path));
  std::ofstream(StagingOf(path) / "left-over.bin") << "x";
  const auto manifest = MakeArtifact(path);
  CHECK(manifest.files_size() == 2);
  CHECK(manifest.parents().at("corpus") == "0123");
  CHECK_FALSE(fs::exists(path / "left-over.bin"));
  CHECK(VerifyArtifact(path)->digest() == manifest.digest());
  CHECK(absl::IsAlreadyExists(ArtifactWriter::Create(path).status()));
}

TEST_CASE("What is taken away leaves its name free", "[base]") {
  const testing::TempDir dir;
  const fs::path path = dir.path() / "artifact";
  MakeArtifact(path);
  SECTION("an artifact") {}
  SECTION("the rest of one, beside what a kill left of an earlier removal") {
    fs::remove(path / kManifestName);
    fs::create_directories(StagingOf(path) / "sub");
  }
  RemoveArtifact(path);
  CHECK(fs::is_empty(dir.path()));
  RemoveArtifact(path);  // nothing there
  MakeArtifact(path);
}

TEST_CASE("A name that ends in a slash is that of the folder", "[base]") {
  const testing::TempDir dir;
  const fs::path path = dir.path() / "artifact";
  MakeArtifact(path / "");
  CHECK(VerifyArtifact(path).ok());
  CHECK(std::distance(fs::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("What is no file is refused before the name is taken", "[base]") {
  const testing::TempDir dir;
  auto writer = ArtifactWriter::Create(dir.path() / "artifact");
  REQUIRE(writer.ok());
  fs::create_symlink("elsewhere", writer->path() / "link");
  CHECK(absl::IsInvalidArgument(writer->Finish({}).status()));
  CHECK_FALSE(fs::exists(dir.path() / "artifact"));
}

TEST_CASE("Equal content has an equal digest, other content another",
          "[base]") {
  const testing::TempDir dir;
  CHECK(MakeArtifact(dir.path() / "x").digest() ==
        MakeArtifact(dir.path() / "y").digest());
  auto writer = ArtifactWriter::Create(dir.path() / "z");
  std::ofstream(writer->path() / "a.bin") << "alphA";
  CHECK(writer->Finish({})->digest() !=
        ReadArtifact(dir.path() / "x")->digest());
}

TEST_CASE("Damage is found and named", "[base]") {
  const testing::TempDir dir;
  const fs::path path = dir.path() / "artifact";
  MakeArtifact(path);
  struct Case {
    const char* name;
    void (*damage)(const fs::path&);
    bool found_without_hashing;
    const char* file;
  };
  const Case cases[] = {
      {"flipped byte",
       [](const fs::path& p) { std::ofstream(p / "a.bin") << "alphb"; }, false,
       "a.bin"},
      {"truncated",
       [](const fs::path& p) { fs::resize_file(p / "sub/b.bin", 1); }, true,
       "b.bin"},
      {"missing", [](const fs::path& p) { fs::remove(p / "a.bin"); }, true,
       "a.bin"},
      {"manifest edited",
       [](const fs::path& p) {
         std::string text = ReadFile(p / kManifestName).value();
         text.replace(text.find("a.bin"), 5, "c.bin");
         std::ofstream(p / kManifestName) << text;
       },
       true, kManifestName},
      {"manifest cut",
       [](const fs::path& p) { fs::resize_file(p / kManifestName, 20); }, true,
       kManifestName},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const fs::path copy = dir.path() / "copy";
    fs::remove_all(copy);
    fs::copy(path, copy, fs::copy_options::recursive);
    c.damage(copy);
    CHECK(ReadArtifact(copy).ok() == !c.found_without_hashing);
    const absl::Status status = VerifyArtifact(copy).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(std::string(status.message()).find(c.file) != std::string::npos);
  }
}

TEST_CASE("Verifying an artifact can be given up", "[base]") {
  const testing::TempDir dir;
  const fs::path path = dir.path() / "artifact";
  MakeArtifact(path);
  int asked = 0;
  CHECK(VerifyArtifact(path, [&] { return ++asked < 0; }).ok());
  CHECK(asked >= 2);  // Each of its files.
  int left = 1;
  const auto stop = [&] { return --left < 0; };
  CHECK(absl::IsCancelled(VerifyArtifact(path, stop).status()));
}

}  // namespace larr
