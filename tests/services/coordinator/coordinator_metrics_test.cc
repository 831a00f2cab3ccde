// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/coordinator_metrics.h"

#include <catch2/catch.hpp>

#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

using config::v1::StageConfig;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

TEST_CASE("The last success of a stage outlives the process", "[metrics]") {
  TrainingRun first, second;
  for (const auto& [run, end] :
       {std::pair(&first, 2000), std::pair(&second, 1000)}) {
    for (const auto kind : {StageConfig::CORPUS, StageConfig::PUBLISH}) {
      auto* stage = run->add_stages();
      stage->set_stage(kind);
      stage->set_state(StageRun::SUCCEEDED);
      stage->mutable_end_time()->set_seconds(end);
    }
  }
  first.mutable_stages(1)->set_state(StageRun::FAILED);
  prometheus::Registry registry;
  CoordinatorMetrics(registry).Restore({first, second});
  const std::string text = testing::MetricsText(registry);
  const std::string name =
      "larr_coordinator_stage_last_success_timestamp_seconds";
  CHECK_THAT(text, Catch::Contains(name + R"({stage="corpus"} 2000)") &&
                       Catch::Contains(name + R"({stage="publish"} 1000)") &&
                       !Catch::Contains(name + R"({stage="align")"));
}

TEST_CASE("Metrics have a zero from the start, and count", "[metrics]") {
  prometheus::Registry registry;
  CoordinatorMetrics metrics(registry);
  const auto text = [&] { return "\n" + testing::MetricsText(registry); };
  const auto has = [&](const std::string& line) {
    return text().find("\n" + line + "\n") != std::string::npos;
  };
  CHECK(has(
      R"(larr_coordinator_stage_exits_total{outcome="killed",stage="pretrain"} 0)"));
  CHECK(has(R"(larr_coordinator_runs_finished_total{state="failed"} 0)"));

  StageRun stage;
  stage.set_stage(StageConfig::ALIGN);
  stage.mutable_start_time()->set_seconds(1000);
  metrics.CountExit(stage, StageOutcome::kKilled, absl::FromUnixSeconds(1005));
  CHECK(text().find("last_success_timestamp_seconds{") == std::string::npos);
  metrics.CountExit(stage, StageOutcome::kSucceeded,
                    absl::FromUnixSeconds(1020));
  CHECK(has(
      R"(larr_coordinator_stage_exits_total{outcome="killed",stage="align"} 1)"));
  CHECK(has(
      R"(larr_coordinator_stage_last_success_timestamp_seconds{stage="align"} 1020)"));
  CHECK(
      has(R"(larr_coordinator_stage_duration_seconds_sum{stage="align"} 20)"));

  TrainingRun run;
  run.set_name("a");
  run.add_stages()->set_id("corpus");
  Scheduler scheduler({.cpu_slots = 2, .gpus = {0}});
  scheduler.Add(run, absl::Now());
  metrics.ObserveState(scheduler);
  CHECK(has(R"(larr_coordinator_live_runs{state="running"} 1)"));
  CHECK(has(R"(larr_coordinator_free_slots{kind="cpu"} 1)"));
  CHECK(has(R"(larr_coordinator_free_slots{kind="gpu"} 1)"));
  run.set_state(TrainingRun::FAILED);
  metrics.CountFinished(run);
  CHECK(has(R"(larr_coordinator_runs_finished_total{state="failed"} 1)"));
  CHECK(metrics.Answer("GetModel", absl::NotFoundError("none")).error_code() ==
        grpc::StatusCode::NOT_FOUND);
  CHECK(has(
      R"(larr_coordinator_requests_total{code="NOT_FOUND",method="GetModel"} 1)"));
}

}  // namespace
}  // namespace larr
