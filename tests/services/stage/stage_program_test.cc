// SPDX-License-Identifier: Apache-2.0
//
// The program larr_stage itself: how it ends when it cannot go on, or need not,
// and how several of them make one thing once.
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "larr/config/v1/training.pb.h"
#include "tests/services/stage/tiny_corpus.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

using config::v1::StageConfig;

namespace fs = std::filesystem;
using testing::Program;

struct Ending {
  int code = 0;
  std::string log;
};

Ending RunProgram(const testing::TempDir& dir, const std::string& config) {
  const auto path = dir.path() / "stage.textproto", log = dir.path() / "log";
  REQUIRE(WriteFileAtomically(path, config).ok());
  testing::Program program(
      {std::string(std::getenv("LARR_BIN_DIR")) + "/larr_stage", "--config",
       path},
      log);
  const int code = program.Wait();
  return {code, ReadFile(log).value()};
}

StageConfig Wanted(const testing::TempDir& dir, StageConfig::Stage stage) {
  StageConfig config;
  config.set_stage(stage);
  config.set_output(dir.path() / "out");
  config.set_work(dir.path() / "work");
  config.mutable_spec()->set_dataset(dir.path() / "nowhere.textproto");
  config.mutable_spec()->mutable_contrast()->set_max_tokens(64);
  auto& align = *config.mutable_spec()->add_align();
  align.set_name("ple");
  align.mutable_architecture()->set_kind(config::v1::CtrArchitecture::PLE);
  config.set_align_name("ple");
  return config;
}

TEST_CASE("larr_stage ends an error with one line that says it", "[stage]") {
  const testing::TempDir dir;
  StageConfig config = Wanted(dir, StageConfig::CORPUS);
  std::string text, message;
  SECTION("every stage, without its inputs") {
    const auto [stage, what] = GENERATE(table<StageConfig::Stage, const char*>(
        {{StageConfig::CORPUS, "nowhere.textproto"},
         {StageConfig::PRETRAIN, "`corpus`"},
         {StageConfig::CONTRAST, "`corpus`"},
         {StageConfig::EMBED, "`contrast`"},
         {StageConfig::ALIGN, "nowhere.textproto"},
         {StageConfig::EVALUATE, "nowhere.textproto"},
         {StageConfig::PUBLISH, "`align/ple`"},
         {StageConfig::STAGE_UNSPECIFIED, "`stage` is not set"}}));
    config.set_stage(stage);
    text = ToTextProto(config);
    message = what;
  }
  SECTION("every stage, with a setting that another one reads") {
    config.set_stage(GENERATE(values<StageConfig::Stage>(
        {StageConfig::CORPUS, StageConfig::PRETRAIN, StageConfig::CONTRAST,
         StageConfig::EMBED, StageConfig::ALIGN, StageConfig::EVALUATE,
         StageConfig::PUBLISH})));
    config.mutable_spec()->mutable_corpus()->set_held_out_fraction(1);
    text = ToTextProto(config);
    message = "`corpus.held_out_fraction` is 1; it must be in [0, 1)";
  }
  SECTION("a field that there is not") {
    text = "stages: CORPUS";
    message = "stage.textproto:1:";
  }
  SECTION("no folders") {
    text = "stage: CORPUS";
    message = "`output` and `work` must name folders";
  }
  SECTION("a work folder that cannot be made") {
    config.set_work(dir.path() / "stage.textproto/work");
    text = ToTextProto(config);
    message = "cannot make folder";
  }
  SECTION("a name that is longer than a file system has") {
    config.set_output(dir.path() / std::string(300, 'x'));
    text = ToTextProto(config);
    message = "File name too long";
  }
  const Ending ending = RunProgram(dir, text);
  CAPTURE(text, ending.log);
  CHECK(ending.code == 1);
  const size_t line = ending.log.find("error: ");
  REQUIRE(line != std::string::npos);
  CHECK((line == 0 || ending.log[line - 1] == '\n'));
  CHECK_THAT(ending.log.substr(line), Catch::Contains(message));
  CHECK(std::count(ending.log.begin() + static_cast<std::ptrdiff_t>(line),
                   ending.log.end(), '\n') == 1);
  CHECK_FALSE(std::filesystem::exists(dir.path() / "out"));
}

// Writes an artifact anew; returns its digest.
std::string WriteAnew(const std::filesystem::path& path,
                      const std::string& content, const std::string& corpus) {
  std::filesystem::remove_all(path);
  auto writer = ArtifactWriter::Create(path);
  REQUIRE(writer.ok());
  REQUIRE(WriteFileAtomically(writer->path() / "data", content).ok());
  config::v1::ArtifactManifest manifest;
  (*manifest.mutable_parents())["corpus"] = corpus;
  const auto written = writer->Finish(manifest);
  REQUIRE(written.ok());
  return written->digest();
}

TEST_CASE("larr_stage has finished if its artifact is of the present inputs",
          "[stage]") {
  const testing::TempDir dir;
  StageConfig config = Wanted(dir, StageConfig::PRETRAIN);
  (*config.mutable_inputs())["corpus"] = dir.path() / "corpus";
  WriteAnew(config.output(), "out", WriteAnew(dir.path() / "corpus", "a", ""));
  CHECK(RunProgram(dir, ToTextProto(config)).code == 0);

  WriteAnew(dir.path() / "corpus", "b", "");
  const Ending ending = RunProgram(dir, ToTextProto(config));
  CHECK(ending.code == 1);
  CHECK_THAT(ending.log, Catch::Contains("another `corpus`"));
}

// A PRETRAIN stage of one of several runs that know each other's artifacts.
class RunOfMany {
 public:
  RunOfMany(const testing::TempDir& dir, const std::string& name)
      : config_(testing::TinyStage(dir.path(), name)) {
    config_.set_stage(StageConfig::PRETRAIN);
    config_.set_known_artifacts(dir.path() / "known");
    config_.mutable_spec()->set_threads(1);
    config_.mutable_spec()->mutable_pretrain()->set_steps(100);
  }

  void Start() {
    const fs::path file = Work("stage.textproto");
    REQUIRE(WriteFileAtomically(file, ToTextProto(config_)).ok());
    program_ = std::make_unique<Program>(
        std::vector<std::string>{
            std::string(std::getenv("LARR_BIN_DIR")) + "/larr_stage",
            "--config", file},
        Work("log"));
  }
  Program& program() { return *program_; }

  // True once the log says so.
  bool Says(const std::string& text) const {
    return ReadFile(Work("log")).value_or("").find(text) != std::string::npos;
  }
  bool Waits() const { return Says("waiting for another run"); }
  bool Shares() const { return Says("shared from="); }
  bool HasBegun() const {
    return !ReadFile(Work("progress.jsonl")).value_or("").empty();
  }
  bool HasEnded() const { return fs::exists(config_.output()); }
  // It holds the seconds that training took: no two are alike.
  fs::path Made() const { return fs::path(config_.output()) / "training.json"; }

 private:
  fs::path Work(const std::string& file) const {
    return fs::path(config_.work()) / file;
  }

  StageConfig config_;
  std::unique_ptr<Program> program_;
};

TEST_CASE("Two processes at once make one thing once", "[stage]") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  RunOfMany a(dir, "a"), b(dir, "b");
  a.Start();
  b.Start();
  REQUIRE(a.program().Wait() == 0);
  REQUIRE(b.program().Wait() == 0);
  CHECK(a.Shares() != b.Shares());
  CHECK(fs::equivalent(a.Made(), b.Made()));
}

TEST_CASE("A process that waits goes on when the one that works is killed",
          "[stage]") {
  const testing::TempDir dir;
  testing::WriteTinyCorpus(dir.path());
  RunOfMany works(dir, "works"), waits(dir, "waits"), leaves(dir, "leaves");
  works.Start();
  REQUIRE(testing::Eventually([&] { return works.HasBegun(); }));
  kill(works.program().pid(), SIGSTOP);  // It shall not be done too soon.
  REQUIRE_FALSE(works.HasEnded());
  waits.Start();
  leaves.Start();
  REQUIRE(testing::Eventually([&] { return waits.Waits() && leaves.Waits(); }));
  CHECK(waits.program().Lives());
  CHECK(leaves.program().Terminate() == -SIGTERM);
  works.program().Kill();
  REQUIRE(waits.program().Wait() == 0);
  CHECK_FALSE(waits.Shares());
  // Started again, the killed one finds that its work was done.
  works.Start();
  REQUIRE(works.program().Wait() == 0);
  CHECK(works.Shares());
  CHECK(fs::equivalent(works.Made(), waits.Made()));
}

}  // namespace
}  // namespace larr::stage
