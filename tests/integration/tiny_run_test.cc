// SPDX-License-Identifier: Apache-2.0
//
// A tiny training run through the real programs: simulated city, tiny Llama,
// every stage. Two runs of one spec: one is left alone, in the other each
// process is killed with kill -9 in the midst of its work, and the coordinator,
// too. Both must come to the same models and the same numbers. So that neither
// takes what the other made, each has a copy of the city.
//
// A third run is like the first but for one recommender: it makes that one, and
// shares all else. A fourth trains recommenders alone, on a snapshot.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "examples/city/generator.h"
#include "tests/integration/coordinator_fixture.h"

namespace larr {
namespace {

using config::v1::CoordinatorConfig;
using config::v1::ServingBundle;
using config::v1::TrainingSpec;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

// Steps are many and small, so that there is a midst to kill in.
constexpr char kSpec[] = R"(
  corpus { held_out_fraction: 0.1 }
  pretrain {
    steps: 30 descriptions_per_step: 4 max_tokens: 96 checkpoint_steps: 5
    precision: FP32
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3
                warmup_steps: 2 clip_norm: 1 }
  }
  contrast {
    steps: 30 pairs_per_step: 4 max_tokens: 96 checkpoint_steps: 5
    precision: FP32 temperature: 0.05
    user_user_weight: 1 poi_poi_weight: 1 user_poi_weight: 1
    keyword_dropout: 0.3
    optimizer { learning_rate: 1e-3 new_parameter_learning_rate: 1e-3
                warmup_steps: 2 clip_norm: 1 }
  }
  embed { tokens_per_batch: 512 precision: FP32 }
  align {
    name: "ple" batch_size: 50 checkpoint_steps: 5 learning_rate: 0.01
    architecture { kind: PLE embedding_width: 4 expert_widths: [ 16, 8 ]
                   tower_width: 8 }
  }
  align {
    name: "larr" batch_size: 50 checkpoint_steps: 5 learning_rate: 0.01
    alignment_weight: 0.05
    architecture { kind: LARR embedding_width: 4 expert_widths: [ 16, 8 ]
                   tower_width: 8 encoder_ffn_width: 32 }
  }
  evaluate { bootstrap_samples: 5 }
  publish { max_auc_loss: 1 max_calibration_error: 1 }
  threads: 1
  seed: 7
)";

CoordinatorConfig Config() {
  CoordinatorConfig config;
  config.set_stage_program(STAGE);
  config.set_cpu_slots(2);
  return config;
}

class TinyRunTest : public testing::CoordinatorFixture {
 public:
  TinyRunTest() : CoordinatorFixture(COORDINATOR, Config()) {
    const std::filesystem::path source = std::getenv("LARR_SOURCE_DIR");
    spec_ = *ParseTextProto<TrainingSpec>(kSpec);
    spec_.set_base_model(source / "tests/golden/tiny_llama");
    REQUIRE(city::GenerateCity(
                {.seed = 1, .pois = 144, .users = 60, .impressions = 8000},
                path("calm"),
                [](const std::string&, int64_t) { return absl::OkStatus(); })
                .ok());
    std::filesystem::copy(path("calm"), path("stormy"),
                          std::filesystem::copy_options::recursive);
  }

 protected:
  // A run on a city's copy.
  void Create(const std::string& id, const std::string& city) {
    spec_.set_dataset(path(city + "/dataset.textproto"));
    StartRun(id, spec_);
  }

  static bool IsFinished(const TrainingRun& run) {
    return run.state() != TrainingRun::QUEUED &&
           run.state() != TrainingRun::RUNNING;
  }

  // Kills the stage once it has reported a few steps. True if it was killed
  // before its artifact was there.
  bool KillInTheMidst(const std::string& id, const StageRun& stage) {
    std::string name = stage.id();
    std::replace(name.begin(), name.end(), '/', '-');
    const std::string output = path("artifacts/runs/" + id + "/" + name);
    const auto progress = ReadFile(output + ".work/progress.jsonl");
    if (!progress.ok() ||
        std::count(progress->begin(), progress->end(), '\n') < 2) {
      return false;
    }
    const int pid = PidIn(path("state/processes/" + id + "/" + name + ".work"));
    // What is stopped cannot end between the look and the kill.
    if (pid <= 0 || kill(pid, SIGSTOP) != 0) return false;
    char state = 0;
    testing::Eventually([&] {
      state = testing::ProcessState(pid);
      return state == 'T' || state == 'Z' || state == 0;
    });
    const bool midst = state == 'T' && !std::filesystem::exists(output);
    kill(pid, midst ? SIGKILL : SIGCONT);
    return midst;
  }

  // Hashes of a stage's weights; what else it writes may tell the time.
  std::map<std::string, std::string> Weights(const std::string& id,
                                             const std::string& stage) {
    const auto manifest =
        VerifyArtifact(path("artifacts/runs/" + id + "/" + stage));
    INFO(manifest.status().ToString());
    REQUIRE(manifest.ok());
    std::map<std::string, std::string> hashes;
    for (const auto& file : manifest->files()) {
      if (file.path().ends_with(".safetensors")) {
        hashes[file.path()] = file.sha256();
      }
    }
    REQUIRE_FALSE(hashes.empty());
    return hashes;
  }

  // The run `arm` shares everything of `calm` but the changed recommender and
  // what follows from it, and publishes nothing.
  void CheckArm(const TrainingRun& arm) {
    INFO(arm.ShortDebugString());
    REQUIRE(arm.state() == TrainingRun::SUCCEEDED);
    CHECK(arm.model_version().empty());
    std::string own;
    for (const StageRun& stage : arm.stages()) {
      if (stage.shared_from().empty()) {
        own += stage.id() + " ";
        continue;
      }
      CHECK(stage.shared_from() == "trainingRuns/calm");
      const std::filesystem::path folder = stage.artifact_path();
      CHECK_THAT(*ReadFile(folder.string() + ".work/stage.log"),
                 Catch::Contains("shared from="));
      const auto manifest = VerifyArtifact(folder);
      REQUIRE(manifest.ok());
      for (const auto& file : manifest->files()) {
        CHECK(std::filesystem::equivalent(
            folder / file.path(),
            path("artifacts/runs/calm/" + folder.filename().string() + "/" +
                 file.path())));
      }
    }
    CHECK(own == "align/ple evaluate ");
    // It stands on its own feet.
    std::filesystem::remove_all(path("artifacts/runs/calm"));
    CHECK(VerifyArtifact(path("artifacts/runs/arm/embed")).ok());
  }

  // The run `daily` has trained what `stormy` trained, on its snapshot, and so
  // could share all but the decision to publish.
  void CheckDaily(const TrainingRun& daily, const std::string& snapshot) {
    INFO(daily.ShortDebugString());
    REQUIRE(daily.state() == TrainingRun::SUCCEEDED);
    std::string stages;
    for (const StageRun& stage : daily.stages()) {
      stages += stage.id() + " ";
      CHECK(stage.shared_from() ==
            (stage.id() == "publish" ? "" : "trainingRuns/stormy"));
    }
    CHECK(stages == "align/ple align/larr evaluate publish ");
    // The champion is the same model.
    const std::regex comparison(
        "CTR AUC is (.+), the champion's on the same rows is (.+);");
    std::smatch aucs;
    for (const std::string& reason : daily.publish_reasons()) {
      if (std::regex_search(reason, aucs, comparison)) break;
    }
    REQUIRE(aucs.size() == 3);
    CHECK(aucs[1] == aucs[2]);
    const auto bundle = LoadTextProto<ServingBundle>(
        path("artifacts/aliases/city/champion.textproto"));
    REQUIRE(bundle.ok());
    CHECK(bundle->model_version() == daily.model_version());
    CHECK(bundle->snapshot_path() == snapshot);
  }

  TrainingSpec spec_;
};

TEST_CASE_METHOD(TinyRunTest,
                 "A run through every stage, killed or not, gives one result",
                 "[integration]") {
  Create("calm", "calm");
  Create("stormy", "stormy");
  std::set<std::string> killed;
  bool coordinator_killed = false;
  REQUIRE(testing::Eventually(
      [&] {
        const TrainingRun stormy = GetRun("stormy");
        for (const StageRun& stage : stormy.stages()) {
          if (stage.state() != StageRun::RUNNING ||
              killed.contains(stage.id()) || !KillInTheMidst("stormy", stage)) {
            continue;
          }
          killed.insert(stage.id());
          if (stage.id() != "contrast") continue;
          RestartCoordinator();  // Kills the present one.
          coordinator_killed = true;
        }
        return IsFinished(stormy) && IsFinished(GetRun("calm"));
      },
      std::chrono::seconds(200)));
  const TrainingRun calm = GetRun("calm"), stormy = GetRun("stormy");
  INFO(calm.ShortDebugString() << stormy.ShortDebugString());
  REQUIRE(calm.state() == TrainingRun::SUCCEEDED);
  REQUIRE(stormy.state() == TrainingRun::SUCCEEDED);
  CHECK(coordinator_killed);
  for (const char* stage :
       {"pretrain", "contrast", "align/ple", "align/larr"}) {
    INFO(stage);
    CHECK(killed.contains(stage));
  }
  for (const StageRun& stage : stormy.stages()) {
    INFO(stage.id());
    CHECK(stage.shared_from().empty());
    CHECK(stage.attempts() == 1 + static_cast<int>(killed.count(stage.id())));
  }

  for (const char* stage :
       {"pretrain", "contrast", "align-ple", "align-larr"}) {
    INFO(stage);
    CHECK(Weights("calm", stage) == Weights("stormy", stage));
  }
  CHECK(*ReadFile(path("artifacts/runs/calm/evaluate/metrics.json")) ==
        *ReadFile(path("artifacts/runs/stormy/evaluate/metrics.json")));
  CHECK(VerifyArtifact(path("artifacts/runs/stormy/embed"))
            ->embedder_fingerprint() ==
        VerifyArtifact(path("artifacts/runs/calm/contrast"))
            ->embedder_fingerprint());

  // Both were published; whichever came last is served.
  CHECK(calm.model_version() != stormy.model_version());
  const auto bundle = LoadTextProto<ServingBundle>(
      path("artifacts/aliases/city/champion.textproto"));
  REQUIRE(bundle.ok());
  CHECK(bundle->model_version() == "models/city/versions/2");
  CHECK(bundle->fencing_token() == 2);

  spec_.mutable_align(0)->set_learning_rate(0.02);
  spec_.set_evaluate_only(true);
  Create("arm", "calm");
  CheckArm(FinishRun("arm"));

  // What another wrote, the embedding service for one, and no language model.
  std::filesystem::rename(path("artifacts/runs/stormy/embed"),
                          path("snapshot"));
  spec_ = *ParseTextProto<TrainingSpec>(kSpec);
  spec_.set_snapshot(path("snapshot"));
  Create("daily", "stormy");
  CheckDaily(FinishRun("daily"), path("snapshot"));
}

}  // namespace
}  // namespace larr
