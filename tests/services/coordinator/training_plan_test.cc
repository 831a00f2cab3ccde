// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/training_plan.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>

#include "common/base/artifact_folder.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using coordinator::v1::TrainingRun;

TrainingSpec GoodSpec(const std::filesystem::path& folder) {
  std::ofstream(folder / "dataset.textproto")
      << "name: \"city\" tabular_features { name: \"hour\" }\n";
  TrainingSpec spec;
  spec.set_dataset(folder / "dataset.textproto");
  spec.set_base_model(folder);
  spec.mutable_contrast()->set_max_tokens(64);
  for (const char* name : {"ple", "larr"}) {
    auto& align = *spec.add_align();
    align.set_name(name);
    align.mutable_architecture()->set_kind(CtrArchitecture::PLE);
  }
  return spec;
}

// An artifact that holds nothing.
std::string Artifact(const std::filesystem::path& folder,
                     const std::string& kind) {
  auto writer = ArtifactWriter::Create(folder / kind);
  REQUIRE(writer.ok());
  config::v1::ArtifactManifest manifest;
  manifest.set_kind(kind);
  const auto finished = writer->Finish(std::move(manifest));
  REQUIRE(finished.ok());
  return folder / kind;
}

TEST_CASE("A spec is refused by field, value and fix", "[training_plan]") {
  const testing::TempDir dir;
  const TrainingSpec good = GoodSpec(dir.path());
  REQUIRE(ValidateTrainingSpec(good).ok());
  CHECK(*ValidateTrainingSpec(good) == "models/city");
  std::ofstream(dir.path() / "unnamed.textproto") << "";
  std::ofstream(dir.path() / "typo.textproto") << "nome: \"city\"";

  const struct {
    std::function<void(TrainingSpec&)> change;
    const char* message;
  } cases[] = {
      {[](auto& s) { s.clear_dataset(); }, "`dataset` is not set"},
      {[](auto& s) { s.set_dataset("city/dataset.textproto"); },
       "give an absolute one"},
      {[](auto& s) { s.set_dataset("/nowhere/dataset.textproto"); },
       "there is no file /nowhere/dataset.textproto"},
      {[&](auto& s) { s.set_dataset(dir.path() / "unnamed.textproto"); },
       "`name` is ``"},
      {[&](auto& s) { s.set_dataset(dir.path() / "typo.textproto"); },
       "typo.textproto:1:"},
      {[](auto& s) {
         s.mutable_align(1)->mutable_architecture()->set_kind(
             CtrArchitecture::LARR);
       },
       "`align` named `larr`: the dataset's `scene_features` is empty"},
      {[](auto& s) { s.set_base_model("/nowhere"); },
       "there is no folder /nowhere"},
      {[](auto& s) { s.clear_align(); }, "`align` is empty"},
      {[](auto& s) { s.mutable_align(0)->set_name("larr"); },
       "`align.name` `larr` is used twice"},
      {[](auto& s) { s.mutable_align(0)->set_name("a/b"); },
       "`align.name` is `a/b`"},
      {[](auto& s) { s.mutable_align(0)->clear_architecture(); },
       "`align` named `ple`: `architecture.kind` is not set"},
      {[](auto& s) { s.mutable_align(1)->set_batch_size(1); },
       "`align` named `larr`: `batch_size` is 1; it must be at least 2"},
      {[](auto& s) { s.mutable_pretrain()->set_steps(5); },
       "`pretrain.optimizer.learning_rate` is 0; it must be in (0, 1]"},
      {[](auto& s) { s.clear_contrast(); },
       "`contrast.max_tokens` is 0; it must be at least 2, without steps too"},
      {[](auto& s) { s.mutable_publish()->set_alias("Champion"); },
       "`publish.alias` is `Champion`"},
      {[](auto& s) { s.mutable_pretrain()->set_general_corpus("/nowhere"); },
       "`pretrain.general_corpus`: there is no file"},
      {[](auto& s) { s.mutable_embed()->set_vectors_file("/nowhere"); },
       "`embed.vectors_file`: there is no file"},
      {[](auto& s) { s.set_snapshot("snapshots/7"); },
       "`snapshot` is the relative path `snapshots/7`"},
      {[&](auto& s) { s.set_snapshot(dir.path()); }, "`snapshot`: "},
      {[&](auto& s) { s.set_snapshot(Artifact(dir.path(), "corpus")); },
       "is of kind corpus; give the folder of a snapshot"},
  };
  for (const auto& c : cases) {
    TrainingSpec spec = good;
    c.change(spec);
    const absl::Status status = ValidateTrainingSpec(spec).status();
    INFO(c.message << " | " << status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(c.message) != std::string::npos);
  }
}

TEST_CASE("A plan has every stage once, and each reads the ones before it",
          "[training_plan]") {
  const testing::TempDir dir;
  TrainingRun run;
  run.set_name("trainingRuns/first");
  *run.mutable_spec() = GoodSpec(dir.path());
  std::string ids;
  for (auto& stage : PlanStages(run.spec())) {
    ids += stage.id() + " ";
    stage.set_artifact_path("/artifact/" + stage.id());
    *run.add_stages() = stage;
  }
  CHECK(ids ==
        "corpus pretrain contrast embed align/ple align/larr evaluate "
        "publish ");
  const StageConfig align = PlanStageConfig(run, run.stages(5), "/root");
  CHECK(align.stage() == StageConfig::ALIGN);
  CHECK(align.align_name() == "larr");
  CHECK(align.inputs().size() == 5);
  CHECK(align.inputs().at("align/ple") == "/artifact/align/ple");
  CHECK(align.output() == "/root/runs/first/align-larr");
  CHECK(align.work() == "/root/runs/first/align-larr.work");
  CHECK(align.known_artifacts() == "/root/known");
}

TEST_CASE("A run that ends with its metrics plans what its models read",
          "[training_plan]") {
  const testing::TempDir dir;
  TrainingRun run;
  run.set_name("trainingRuns/arm");
  *run.mutable_spec() = GoodSpec(dir.path());
  run.mutable_spec()->set_evaluate_only(true);
  // Nothing reads texts, so there is no language model to name or to set up.
  run.mutable_spec()->clear_base_model();
  run.mutable_spec()->clear_contrast();
  const auto valid = ValidateTrainingSpec(run.spec());
  INFO(valid.status().ToString());
  REQUIRE(valid.ok());
  std::string ids;
  for (auto& stage : PlanStages(run.spec())) {
    ids += stage.id() + " ";
    *run.add_stages() = stage;
  }
  CHECK(ids == "align/ple align/larr evaluate ");
  const StageConfig evaluate = PlanStageConfig(run, run.stages(2), "/root");
  CHECK(evaluate.inputs().size() == 2);
  // One that does brings it back.
  run.mutable_spec()->mutable_align(0)->mutable_architecture()->set_kind(
      CtrArchitecture::P5);
  run.mutable_spec()->mutable_align(0)->mutable_p5()->set_max_tokens(64);
  CHECK_THAT(ValidateTrainingSpec(run.spec()).status().ToString(),
             Catch::Contains("`base_model` is not set"));
}

TEST_CASE("A run on a snapshot begins with its recommenders",
          "[training_plan]") {
  const testing::TempDir dir;
  TrainingRun run;
  run.set_name("trainingRuns/daily");
  TrainingSpec& spec = *run.mutable_spec();
  spec = GoodSpec(dir.path());
  spec.clear_base_model();
  spec.clear_contrast();
  spec.set_snapshot(Artifact(dir.path(), "snapshot"));
  const auto valid = ValidateTrainingSpec(spec);
  INFO(valid.status().ToString());
  REQUIRE(valid.ok());
  for (auto& stage : PlanStages(spec)) {
    stage.set_artifact_path("/artifact/" + stage.id());
    *run.add_stages() = stage;
  }
  REQUIRE(run.stages_size() == 4);
  for (const auto& stage : run.stages()) {
    const StageConfig config = PlanStageConfig(run, stage, "/root");
    CHECK(config.inputs().at("embed") == spec.snapshot());
  }
  const StageConfig publish = PlanStageConfig(run, run.stages(3), "/root");
  CHECK(publish.stage() == StageConfig::PUBLISH);
  CHECK(publish.inputs().size() == 4);
}

TEST_CASE("A folder tells its run", "[training_plan]") {
  CHECK(RunOfFolder("/root", "/root/runs/first/align-ple") ==
        "trainingRuns/first");
  CHECK(RunOfFolder("/root", "/root/known/../runs/first/corpus") ==
        "trainingRuns/first");
  CHECK(RunOfFolder("/root", "/root/runs").empty());
  CHECK(RunOfFolder("/root", "/root/known/first").empty());
  CHECK(RunOfFolder("/root", "/elsewhere/runs/first/corpus").empty());
}

}  // namespace
}  // namespace larr
