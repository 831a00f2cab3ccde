// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/shadow_runner.h"

#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "services/scoring/request_scorer.h"
#include "services/scoring/scoring_metrics.h"
#include "tests/services/scoring/sample_request.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/program.h"

namespace larr {
namespace {

using scoring::v1::Arms;
using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using testing::Eventually;

struct Fixture {
  Fixture() {
    REQUIRE(main.Switch(artifacts.model, artifacts.snapshot).ok());
    Arms arms;
    auto& shadow = *arms.add_shadows();
    shadow.set_name("next");
    shadow.set_weight(10'000);
    shadow.set_model_path(artifacts.other);
    shadow.set_snapshot_path(artifacts.snapshot);
    REQUIRE(router.SetArms(arms).ok());
  }
  ScoreResponse Score(const ScoreRequest& request, const Bundle& bundle) const {
    ScoreResponse response;
    REQUIRE(larr::ScoreRequest(bundle, request, response).ok());
    return response;
  }
  // The value of a metric; 0 before it is there.
  double Value(const std::string& key) const {
    return testing::MetricValue(registry, "larr_scoring_shadow_" + key);
  }

  const testing::Artifacts& artifacts = testing::SharedArtifacts();
  prometheus::Registry registry;
  ScoringMetrics metrics{registry};
  BundleManager main{"", metrics};
  BundleRouter router{{}, main, registry};
};

const char kScored[] = "calls_total{result=\"scored\",shadow=\"next\"}";
const char kFailed[] = "calls_total{result=\"failed\",shadow=\"next\"}";
const char kCount[] = "ctr_difference_count{shadow=\"next\"}";
const char kSum[] = "ctr_difference_sum{shadow=\"next\"}";
const char kSigned[] = "ctr_signed_difference{shadow=\"next\"}";

TEST_CASE("Differences of scores are counted", "[scoring]") {
  Fixture f;
  const ScoreRequest request = testing::SampleRequest(5);
  const ScoreResponse live = f.Score(request, *f.main.current());
  const ScoreResponse shadow =
      f.Score(request, *f.router.Pick("", "", "next")->bundle);
  double magnitude = 0, sum = 0;
  for (int i = 0; i < 5; ++i) {
    const double difference =
        double{shadow.scores(i).ctr()} - double{live.scores(i).ctr()};
    magnitude += std::abs(difference);
    sum += difference;
  }
  REQUIRE(magnitude > 0);

  ShadowRunner runner(f.router, f.registry);
  runner.OnScored({request, live, "r1", {}});
  runner.OnScored({request, live, "r2", {}});
  REQUIRE(Eventually([&] { return f.Value(kScored) == 2; }));
  CHECK(f.Value(kCount) == 10);
  CHECK(f.Value(kSum) == Approx(2 * magnitude));
  CHECK(f.Value(kSigned) == Approx(2 * sum));
  CHECK(f.Value("dropped_total") == 0);
}

TEST_CASE("A request that the shadow cannot read is counted", "[scoring]") {
  Fixture f;
  ShadowRunner runner(f.router, f.registry);
  ScoreRequest request = testing::SampleRequest(2);
  const ScoreResponse live = f.Score(request, *f.main.current());
  (*request.mutable_context())["wind"].set_int_value(3);
  runner.OnScored({request, live, "r1", {}});
  CHECK(Eventually([&] { return f.Value(kFailed) == 1; }));
  CHECK(f.Value(kCount) == 0);
}

TEST_CASE("The thread of shadows is of the idle class", "[scoring]") {
  Fixture f;
  const auto idle = [] {
    int count = 0;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/self/task")) {
      const int id = std::stoi(task.path().filename());
      count += sched_getscheduler(id) == SCHED_IDLE;
    }
    return count;
  };
  CHECK(idle() == 0);
  const ShadowRunner runner(f.router, f.registry);
  CHECK(Eventually([&] { return idle() == 1; }));
}

TEST_CASE("More than the shadow can score is dropped, and nobody waits",
          "[scoring]") {
  Fixture f;
  const ScoreRequest request = testing::SampleRequest(1000);
  const ScoreResponse live = f.Score(request, *f.main.current());
  ShadowRunner runner(f.router, f.registry);
  constexpr int kCalls = 2000;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) {
    runner.OnScored({request, live, "r" + std::to_string(i), {}});
  }
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - begin;
  const double dropped = f.Value("dropped_total");
  CAPTURE(dropped, seconds.count());
  CHECK(dropped > 0);
  // Beside other work the rest takes its time: the thread is of the idle class.
  CHECK(Eventually([&] { return f.Value(kScored) + dropped == kCalls; },
                   std::chrono::seconds(200)));
}

}  // namespace
}  // namespace larr
