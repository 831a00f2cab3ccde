// SPDX-License-Identifier: Apache-2.0
#include "common/config/stage_output.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <string>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

// A run whose `contrast` was made from `corpus` and `pretrain`.
class StageOutputTest {
 public:
  StageOutputTest() {
    for (const std::string role :
         {"corpus", "pretrain", "champion_model", "champion_snapshot"}) {
      parents_[role] = Write(role, role);
      (*config_.mutable_inputs())[role] = dir_.path() / role;
    }
    config_.set_output(dir_.path() / "contrast");
    config_.set_work(dir_.path() / "contrast.work");
    Write("contrast", "contrast", parents_);
  }

 protected:
  // Replaces an artifact; returns its digest.
  std::string Write(const std::string& name, const std::string& content,
                    const std::map<std::string, std::string>& parents = {}) {
    std::filesystem::remove_all(dir_.path() / name);
    auto writer = ArtifactWriter::Create(dir_.path() / name);
    REQUIRE(writer.ok());
    REQUIRE(WriteFileAtomically(writer->path() / "data", content).ok());
    config::v1::ArtifactManifest manifest;
    manifest.mutable_parents()->insert(parents.begin(), parents.end());
    const auto written = writer->Finish(manifest);
    REQUIRE(written.ok());
    return written->digest();
  }

  testing::TempDir dir_;
  std::map<std::string, std::string> parents_;
  config::v1::StageConfig config_;
};

TEST_CASE_METHOD(StageOutputTest, "An artifact of the present inputs counts",
                 "[config]") {
  SECTION("as they were") {}
  SECTION("one was lost and came out the same") { Write("corpus", "corpus"); }
  SECTION("one is lost") {
    std::filesystem::remove_all(dir_.path() / "corpus");
  }
  SECTION("one is there that it did not read") {
    Write("embed", "embed");
    (*config_.mutable_inputs())["embed"] = dir_.path() / "embed";
  }
  SECTION("the champion moved") {
    Write("champion_model", "another");
    Write("champion_snapshot", "another");
  }
  const auto manifest = ReadStageOutput(config_);
  INFO(manifest.status().ToString());
  REQUIRE(manifest.ok());
  CHECK(manifest->parents_size() == 4);
}

TEST_CASE_METHOD(StageOutputTest, "An artifact of another input does not",
                 "[config]") {
  Write("pretrain", "another");
  const absl::Status status = ReadStageOutput(config_).status();
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(
      std::string(status.message()),
      Catch::Contains("another `pretrain`") &&
          Catch::Contains("remove it, its work folder " + config_.work()));
}

TEST_CASE_METHOD(StageOutputTest,
                 "No artifact and a damaged one are told apart", "[config]") {
  REQUIRE(WriteFileAtomically(dir_.path() / "contrast/data", "").ok());
  CHECK(absl::IsDataLoss(ReadStageOutput(config_).status()));
  std::filesystem::remove_all(dir_.path() / "contrast");
  CHECK(absl::IsNotFound(ReadStageOutput(config_).status()));
}

}  // namespace
}  // namespace larr
