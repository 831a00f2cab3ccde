// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5.h"

#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/llm/process_group.h"
#include "services/stage/align.h"
#include "services/stage/evaluate.h"
#include "tests/services/stage/p5_fixture.h"
#include "tests/testing/program.h"

namespace larr::stage {
namespace {

using config::v1::StageConfig;
using testing::CtrFixture;
using testing::P5Stage;

absl::Status Run(const CtrFixture& fixture, StageConfig config,
                 const std::string& output) {
  ProcessGroup alone;
  StageContext context = fixture.Context(std::move(config), output);
  context.ranks = &alone;
  return RunAlign(context);
}

// Mean of a task's losses over `count` steps from `from` on.
double MeanLoss(const nlohmann::json& loss, const char* task, size_t from,
                size_t count) {
  double sum = 0;
  for (size_t i = from; i < from + count; ++i)
    sum += loss[i][task].get<double>();
  return sum / static_cast<double>(count);
}

TEST_CASE("A P5 is trained, validated and written whole") {
  const CtrFixture fixture;
  StageConfig config = P5Stage(fixture, StageConfig::ALIGN);
  config.clear_inputs();  // It reads no artifact.
  REQUIRE(Run(fixture, config, "out").ok());
  const auto manifest = VerifyArtifact(fixture.path() / "out").value();
  CHECK(manifest.kind() == "p5_model");
  CHECK(manifest.embedder_fingerprint().empty());
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json",
                           "whole_word.safetensors", "p5.textproto",
                           "model.textproto", "training.json"}) {
    CHECK(std::any_of(
        manifest.files().begin(), manifest.files().end(),
        [&](const auto& written) { return written.path() == file; }));
  }

  const auto training = fixture.Json("out/training.json");
  CHECK(training["training_rows"] == 120);
  CHECK(training["unit"] == "rows/s");
  CHECK(training["throughput"] > 0);
  CHECK(training["validation"]["rows"] == 60);
  const auto& loss = training["loss"];
  REQUIRE(loss.size() == training["steps"]);
  REQUIRE(loss.size() > 20);
  // Clicks alternate with the weather, which the prompt tells.
  const size_t last = loss.size() - 5;
  INFO(loss);
  CHECK(MeanLoss(loss, "ctr", last, 5) < 0.5 * MeanLoss(loss, "ctr", 0, 5));
  CHECK(MeanLoss(loss, "ctcvr", last, 5) < 0.5 * MeanLoss(loss, "ctcvr", 0, 5));
  CHECK(MeanLoss(loss, "ctr", last, 5) < 0.55);  // ln 2 knows nothing
  CHECK(training["validation"]["ctr_auc"] > 0.8);

  const std::string progress =
      ReadFile(fixture.path() / "out.work/progress.jsonl").value();
  CHECK(progress.find("rows/s") != std::string::npos);
}

// larr_stage on this config.
testing::Program StartProgram(const CtrFixture& fixture, StageConfig config,
                              const std::string& output) {
  config.set_output(fixture.path() / output);
  config.set_work(fixture.path() / (output + ".work"));
  const auto path = fixture.path() / (output + ".textproto");
  REQUIRE(WriteFileAtomically(path, ToTextProto(config)).ok());
  return testing::Program(
      {std::string(std::getenv("LARR_BIN_DIR")) + "/larr_stage", "--config",
       path},
      fixture.path() / (output + ".log"));
}

int64_t ProgressLines(const std::filesystem::path& work) {
  const auto text = ReadFile(work / "progress.jsonl");
  return text.ok() ? std::count(text->begin(), text->end(), '\n') : 0;
}

TEST_CASE("A killed P5 ends with the same bits") {
  const CtrFixture fixture;
  const StageConfig config = P5Stage(fixture, StageConfig::ALIGN);
  REQUIRE(StartProgram(fixture, config, "calm").Wait() == 0);
  const auto work = fixture.path() / "stormy.work";
  int kills = 0;
  for (const int64_t lines : {3, 9, 17}) {
    auto program = StartProgram(fixture, config, "stormy");
    CHECK(testing::Eventually(
        [&] { return ProgressLines(work) >= lines || !program.Lives(); }));
    program.Kill();
    kills += program.Wait() == -SIGKILL;
  }
  CHECK(kills >= 1);  // the machine may have been faster than the later ones
  REQUIRE(StartProgram(fixture, config, "stormy").Wait() == 0);
  for (const char* file : {"model.safetensors", "whole_word.safetensors"}) {
    INFO(file);
    CHECK((ReadFile(fixture.path() / "stormy" / file).value() ==
           ReadFile(fixture.path() / "calm" / file).value()));
  }
  CHECK(fixture.Json("stormy/training.json")["loss"] ==
        fixture.Json("calm/training.json")["loss"]);
}

TEST_CASE("A P5 is evaluated beside other recommenders") {
  const CtrFixture fixture;
  StageConfig config = P5Stage(fixture, StageConfig::ALIGN);
  REQUIRE(Run(fixture, config, "p5").ok());
  config.set_align_name("ple");
  REQUIRE(Run(fixture, config, "ple").ok());
  config.set_stage(StageConfig::EVALUATE);
  config.clear_inputs();  // Neither reads vectors.
  for (const std::string name : {"p5", "ple"})
    (*config.mutable_inputs())["align/" + name] = fixture.path() / name;
  const auto evaluate = [&](const std::string& output) {
    StageContext context = fixture.Context(config, output);
    const absl::Status status = RunEvaluate(context);
    INFO(status.ToString());
    REQUIRE(status.ok());
    return fixture.Json(output + "/metrics.json");
  };
  const auto metrics = evaluate("evaluate");
  for (const char* name : {"ple", "p5"}) {
    const auto& model = metrics["models"][name];
    INFO(name << model);
    CHECK(model["test"]["rows"] == 60);
    CHECK(model["test"]["ctr_auc"] > 0.8);
    CHECK(model["test"]["ctcvr_auc"].is_number());
  }
  // All 60 rows were those of the stage that trained, in another order.
  CHECK(metrics["models"]["p5"]["validation"]["ctr_auc"].get<double>() ==
        Approx(fixture.Json("p5/training.json")["validation"]["ctr_auc"]
                   .get<double>())
            .margin(0.02));
  CHECK_FALSE(metrics["models"]["p5"]["missing"].contains("user"));
  CHECK(metrics["models"]["ple"]["missing"].contains("user"));

  auto& settings = *config.mutable_spec()->mutable_evaluate();
  settings.set_sample_fraction(0.5);
  settings.set_sample_only(true);
  const auto sample = evaluate("sample");
  CHECK(sample["models"]["p5"]["test"]["rows"] < 60);
}

TEST_CASE("Work of other settings or inputs is refused") {
  const CtrFixture fixture;
  StageConfig config = P5Stage(fixture, StageConfig::ALIGN);
  auto& align = *config.mutable_spec()->mutable_align(1);
  align.set_max_rows(20);
  align.set_epochs(1);
  REQUIRE(Run(fixture, config, "out").ok());
  CHECK(fixture.Json("out/training.json")["training_rows"] == 20);
  std::filesystem::remove_all(fixture.path() / "out");
  SECTION("a setting") { align.mutable_p5()->set_max_tokens(255); }
  SECTION("the seed") { config.mutable_spec()->set_seed(8); }
  SECTION("the language model") {
    config.mutable_spec()->set_base_model("elsewhere");
  }
  CHECK(absl::IsFailedPrecondition(Run(fixture, config, "out")));
}

TEST_CASE("A P5 is not told of features that it leaves out") {
  const CtrFixture fixture;
  StageConfig config = P5Stage(fixture, StageConfig::ALIGN);
  auto& align = *config.mutable_spec()->mutable_align(1);
  align.set_epochs(1);
  align.set_max_rows(40);
  REQUIRE(Run(fixture, config, "all").ok());
  align.add_left_out_features("history");
  align.add_left_out_features("orders");
  REQUIRE(Run(fixture, config, "fewer").ok());
  CHECK(fixture.Json("fewer/training.json")["tokens"] <
        fixture.Json("all/training.json")["tokens"]);
  align.add_left_out_features("nothing");
  CHECK_THAT(Run(fixture, config, "wrong").ToString(),
             Catch::Contains("\"nothing\""));
}

TEST_CASE("Of its seed follow the steps of a P5") {
  const CtrFixture fixture;
  StageConfig config = P5Stage(fixture, StageConfig::ALIGN);
  auto& align = *config.mutable_spec()->mutable_align(1);
  align.set_epochs(1);
  REQUIRE(Run(fixture, config, "run").ok());
  align.set_seed(7);  // the run's
  REQUIRE(Run(fixture, config, "own").ok());
  align.set_seed(8);
  REQUIRE(Run(fixture, config, "other").ok());
  const auto loss = [&](const std::string& output) {
    return fixture.Json(output + "/training.json")["loss"];
  };
  CHECK(loss("run") == loss("own"));
  CHECK(loss("run") != loss("other"));
}

}  // namespace
}  // namespace larr::stage
