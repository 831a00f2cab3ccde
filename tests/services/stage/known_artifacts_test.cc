// SPDX-License-Identifier: Apache-2.0
#include "services/stage/known_artifacts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/stage_files.h"
#include "common/config/text_proto.h"
#include "tests/testing/make_newer.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using config::v1::StageConfig;

// CORPUS stages of several runs. What they write is not of interest.
class KnownArtifactTest {
 public:
  KnownArtifactTest() {
    testing::WriteTinyTables(path());
    REQUIRE(WriteFileAtomically(path() / "dataset.textproto",
                                ToTextProto(testing::TinySpec()))
                .ok());
    config_.set_stage(StageConfig::CORPUS);
    config_.mutable_spec()->set_dataset(path() / "dataset.textproto");
    config_.set_known_artifacts(path() / "known");
  }

 protected:
  fs::path path() const { return dir_.path(); }
  fs::path Output(const std::string& run) const {
    return path() / "runs" / run / "corpus";
  }
  fs::path Note(const std::string& run) const {
    return Output(run).string() + ".work/" + kSharedFromFile;
  }

  StageContext ContextOf(const std::string& run) const {
    StageConfig config = config_;
    config.set_output(Output(run));
    config.set_work(Output(run).string() + ".work");
    REQUIRE(MakeFolder(config.work()).ok());
    return {config, ProgressWriter()};
  }

  // A run's stage from its start to its end. True if it made the artifact
  // itself.
  bool Run(const std::string& run) {
    const StageContext context = ContextOf(run);
    const auto known = KnownArtifact::Claim(context);
    REQUIRE(known != nullptr);
    if (known->Share()) return false;
    auto writer = ArtifactWriter::Create(context.config.output());
    REQUIRE(writer.ok());
    std::ofstream(writer->path() / "data") << "made by " << run;
    REQUIRE(writer->Finish({}).ok());
    known->Publish();
    return true;
  }
  // The run that made a run's artifact.
  std::string MakerOf(const std::string& run) const {
    const auto verified = VerifyArtifact(Output(run));
    INFO(verified.status().ToString());
    REQUIRE(verified.ok());
    return ReadFile(Output(run) / "data")->substr(8);
  }
  // The file by the artifact's key that ends in `.lock`, or the other one.
  fs::path Known(bool lock) const {
    for (const auto& entry : fs::directory_iterator(path() / "known"))
      if ((entry.path().extension() == ".lock") == lock) return entry.path();
    return "";
  }

  testing::TempDir dir_;
  StageConfig config_;
};

TEST_CASE_METHOD(KnownArtifactTest, "What is known is not made again",
                 "[stage]") {
  CHECK(Run("a"));
  CHECK_FALSE(fs::exists(Note("a")));
  CHECK_FALSE(Run("b"));
  CHECK(MakerOf("b") == "a");
  CHECK(fs::equivalent(Output("a") / "data", Output("b") / "data"));
  CHECK(ReadArtifact(Output("a"))->digest() ==
        ReadArtifact(Output("b"))->digest());
  CHECK(*ReadFile(Note("b")) == Output("a").string());

  SECTION("it outlives the run that made it") {
    fs::remove_all(Output("a"));
    CHECK(MakerOf("b") == "a");
    CHECK_FALSE(Run("c"));
    CHECK(MakerOf("c") == "a");
    CHECK(*ReadFile(Note("c")) == Output("b").string());
    fs::remove_all(Output("b"));
    fs::remove_all(Output("c"));
    CHECK(Run("d"));
  }
  SECTION("the folder of artifacts moves") {
    fs::create_directory(path() / "moved");
    fs::rename(path() / "known", path() / "moved/known");
    fs::rename(path() / "runs", path() / "moved/runs");
    config_.set_known_artifacts(path() / "moved/known");
    CHECK_FALSE(Run("c"));
    CHECK(MakerOf("c") == "a");
  }
  SECTION("a setting is another") {
    config_.mutable_spec()->mutable_corpus()->set_max_pairs(3);
    CHECK(Run("c"));
  }
  SECTION("the seed is another") {
    config_.mutable_spec()->set_seed(3);
    CHECK(Run("c"));
  }
  SECTION("a data file changed") {
    testing::MakeNewer(
        testing::TinyFile(path(), "impressions", testing::TinyDays()[3]));
    CHECK(Run("c"));
  }
}

TEST_CASE_METHOD(KnownArtifactTest, "What is not whole is made anew",
                 "[stage]") {
  CHECK(Run("a"));
  SECTION("the artifact is gone") { fs::remove_all(Output("a")); }
  SECTION("its manifest is gone") {
    fs::remove(Output("a") / "manifest.textproto");
  }
  SECTION("a file of it was cut off") {
    fs::resize_file(Output("a") / "data", 3);
  }
  SECTION("its folder has another artifact now") {
    fs::remove_all(Output("a"));
    auto writer = ArtifactWriter::Create(Output("a"));
    REQUIRE(writer.ok());
    std::ofstream(writer->path() / "data") << "made by hand";
    REQUIRE(writer->Finish({}).ok());
  }
  SECTION("the entry leads nowhere") {
    std::ofstream(Known(/*lock=*/false)) << "../../nowhere\n\n";
  }
  SECTION("the entry is not text") {
    std::ofstream(Known(/*lock=*/false)) << std::string("\0\xff", 2);
  }
  SECTION("all that is known was removed") { fs::remove_all(path() / "known"); }
  CHECK(Run("b"));
  CHECK(MakerOf("b") == "b");
  CHECK_FALSE(fs::exists(Note("b")));
  CHECK_FALSE(Run("c"));
  CHECK(MakerOf("c") == "b");
}

TEST_CASE_METHOD(KnownArtifactTest,
                 "A stage that loses a shared artifact may make its own",
                 "[stage]") {
  Run("a");
  Run("b");
  fs::remove_all(Output("a"));
  fs::remove_all(Output("b"));
  CHECK(fs::exists(Note("b")));
  CHECK(Run("b"));
  CHECK_FALSE(fs::exists(Note("b")));
}

TEST_CASE_METHOD(KnownArtifactTest,
                 "What was made while its inputs changed is not known",
                 "[stage]") {
  {
    const StageContext context = ContextOf("a");
    const auto known = KnownArtifact::Claim(context);
    CHECK_FALSE(known->Share());
    testing::MakeNewer(
        testing::TinyFile(path(), "users", testing::TinyDays()[0]));
    known->Publish();
  }
  CHECK(Known(/*lock=*/false).empty());
  CHECK(Run("b"));
}

TEST_CASE_METHOD(KnownArtifactTest, "Where nothing can be shared, nothing is",
                 "[stage]") {
  SECTION("no folder") { config_.clear_known_artifacts(); }
  SECTION("a decision") { config_.set_stage(StageConfig::PUBLISH); }
  SECTION("a folder that cannot be made") {
    config_.set_known_artifacts(path() / "dataset.textproto/known");
  }
  SECTION("an input that is not there") {
    config_.mutable_spec()->set_dataset("/nowhere");
  }
  SECTION("a lock that cannot be opened") {
    Run("a");
    const fs::path lock = Known(/*lock=*/true);
    fs::remove(lock);
    fs::create_directory(lock);
  }
  const StageContext context = ContextOf("b");
  CHECK(KnownArtifact::Claim(context) == nullptr);
}

}  // namespace
}  // namespace larr::stage
