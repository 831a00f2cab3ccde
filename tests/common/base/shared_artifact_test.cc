// SPDX-License-Identifier: Apache-2.0
#include "common/base/shared_artifact.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

// An artifact of two files, one of them two folders down.
class SharedArtifactTest {
 public:
  SharedArtifactTest() : from_(dir_.path() / "a"), to_(dir_.path() / "new/b") {
    auto writer = ArtifactWriter::Create(from_);
    REQUIRE(writer.ok());
    fs::create_directories(writer->path() / "sub/sub");
    std::ofstream(writer->path() / "a.bin") << "alpha";
    std::ofstream(writer->path() / "sub/sub/b.bin") << "beta";
    auto manifest = writer->Finish({});
    REQUIRE(manifest.ok());
    digest_ = manifest->digest();
  }

 protected:
  testing::TempDir dir_;
  fs::path from_, to_;
  std::string digest_;
};

TEST_CASE_METHOD(SharedArtifactTest,
                 "A shared artifact is the same files and outlives the other",
                 "[base]") {
  const auto manifest = ShareArtifact(from_, to_);
  INFO(manifest.status().ToString());
  REQUIRE(manifest.ok());
  CHECK(manifest->digest() == digest_);
  for (const char* file : {"a.bin", "sub/sub/b.bin", "manifest.textproto"})
    CHECK(fs::equivalent(from_ / file, to_ / file));
  fs::remove_all(from_);
  const auto verified = VerifyArtifact(to_);
  INFO(verified.status().ToString());
  REQUIRE(verified.ok());
  CHECK(verified->digest() == digest_);
}

TEST_CASE_METHOD(SharedArtifactTest, "What is killed halfway is no artifact",
                 "[base]") {
  const fs::path staging = to_.string() + ".partial";
  fs::create_directories(staging);
  std::ofstream(staging / "left-over") << "x";
  REQUIRE(ShareArtifact(from_, to_).ok());
  CHECK_FALSE(fs::exists(staging));
  CHECK(VerifyArtifact(to_).ok());
}

TEST_CASE_METHOD(SharedArtifactTest, "What is not whole is not shared",
                 "[base]") {
  SECTION("no folder") { fs::remove_all(from_); }
  SECTION("no manifest") { fs::remove(from_ / "manifest.textproto"); }
  SECTION("a file is gone") { fs::remove(from_ / "sub/sub/b.bin"); }
  SECTION("a file was cut off") { fs::resize_file(from_ / "a.bin", 2); }
  SECTION("a file lies elsewhere") {
    fs::rename(from_ / "a.bin", dir_.path() / "elsewhere");
    fs::create_symlink("../elsewhere", from_ / "a.bin");
  }
  CHECK_FALSE(ShareArtifact(from_, to_).ok());
  CHECK_FALSE(fs::exists(to_));
}

TEST_CASE_METHOD(SharedArtifactTest, "A name that is taken stays as it is",
                 "[base]") {
  fs::create_directories(to_);
  CHECK(absl::IsAlreadyExists(ShareArtifact(from_, to_).status()));
  CHECK(fs::is_empty(to_));
}

TEST_CASE_METHOD(SharedArtifactTest, "Another file system gets copies",
                 "[base]") {
  const fs::path other = "/dev/shm";
  std::error_code error;
  if (!fs::is_directory(other, error)) {
    WARN("no /dev/shm: nothing to copy to");
    return;
  }
  const fs::path folder = other / dir_.path().filename();
  const auto manifest = ShareArtifact(from_, folder / "b");
  INFO(manifest.status().ToString());
  CHECK(manifest.ok());
  CHECK(VerifyArtifact(folder / "b").ok());
  for (const auto& file : manifest->files())
    CHECK(fs::hard_link_count(folder / "b" / file.path()) == 1);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace larr
