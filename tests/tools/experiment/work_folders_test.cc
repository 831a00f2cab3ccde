// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/work_folders.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/testing/temp_dir.h"
#include "tests/tools/experiment/sample_experiment.h"

namespace larr::experiment {
namespace {

TEST_CASE("Of a finished run, only artifacts, logs and progress stay",
          "[experiment]") {
  const larr::testing::TempDir dir;
  coordinator::v1::TrainingRun run;
  for (const char* name : {"own", "shared", "gone"}) {
    auto& stage = *run.add_stages();
    stage.set_id(name);
    stage.set_artifact_path((dir.path() / name).string());
    if (stage.id() == "gone") continue;
    testing::Write(dir.path() / name / "weights", "w");
    const auto work = dir.path() / (std::string(name) + ".work");
    testing::Write(work / "checkpoint", "c");
    testing::Write(work / "scores/0", "s");
    testing::Write(work / "progress.jsonl", "p");
  }
  run.mutable_stages(1)->set_shared_from("trainingRuns/x");
  run.add_stages()->set_id("never ran");
  EmptyWorkFolders(run);
  const auto is_there = [&](const char* path) {
    return std::filesystem::exists(dir.path() / path);
  };
  CHECK(is_there("own/weights"));
  CHECK(is_there("own.work/progress.jsonl"));
  CHECK_FALSE(is_there("own.work/checkpoint"));
  CHECK_FALSE(is_there("own.work/scores"));
  CHECK(is_there("shared.work/checkpoint"));
}

}  // namespace
}  // namespace larr::experiment
