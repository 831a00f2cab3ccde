// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/score_drift.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

#include "common/config/text_proto.h"
#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

using scoring::v1::ServingState;
using namespace std::chrono_literals;  // NOLINT: of times

std::shared_ptr<const ScoreReference> Reference() {
  const auto bins = ScoreBins::Create(
      *ParseTextProto<config::v1::ScoreDistribution::Histogram>(
          "edges: [0.1, 0.4] rows: [50, 30, 20]"));
  return std::make_shared<const ScoreReference>(
      ScoreReference{*bins, std::nullopt});
}

struct Fixture {
  // `n` candidates of the shares 5, 3, 2, or all of the first bin.
  void Score(const std::string& arm, int n, bool drifted = false) {
    scoring::v1::ScoreRequest request;
    scoring::v1::ScoreResponse response;
    response.set_arm(arm);
    std::vector<float> ctr;
    for (int i = 0; i < n; ++i) {
      ctr.push_back(drifted || i % 10 < 5 ? 0.05F : i % 10 < 8 ? 0.2F : 0.9F);
    }
    const std::vector<float> ctcvr(ctr.size(), 0.01F);
    drift.OnScored({request, response, "r", now, reference, ctr, ctcvr});
  }
  std::string Text() const { return testing::MetricsText(registry); }
  // Of arm `a`; -1 if it is not known.
  double Psi() const {
    ServingState state;
    state.add_arms()->set_name("a");
    drift.Describe(state);
    if (state.arms(0).drift().empty()) return -1;
    CHECK(state.arms(0).drift_size() == 1);  // no ctcvr in the reference
    CHECK(state.arms(0).drift(0).output() == scoring::v1::CTR);
    return state.arms(0).drift(0).psi();
  }

  prometheus::Registry registry;
  ScoreDrift drift{registry};
  std::shared_ptr<const ScoreReference> reference = Reference();
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

TEST_CASE("Scores like those of training do not drift, others do",
          "[scoring]") {
  Fixture f;
  f.Score("a", 1000);
  CHECK(f.Psi() == Approx(0).margin(1e-9));
  CHECK_THAT(f.Text(),
             Catch::Contains("score_psi{arm=\"a\",output=\"ctr\"} 0"));
  f.now += 10s;
  f.Score("a", 3000, true);
  CHECK(f.Psi() > 0.25);
  CHECK_THAT(f.Text(),
             !Catch::Contains("score_psi{arm=\"a\",output=\"ctr\"} 0\n"));
}

TEST_CASE("Few scores say nothing", "[scoring]") {
  Fixture f;
  f.Score("a", 999, true);
  CHECK(f.Psi() == -1);
  CHECK_THAT(f.Text(), !Catch::Contains("arm="));
  f.Score("a", 1, true);
  CHECK(f.Psi() > 0.25);
}

TEST_CASE("The window is an hour", "[scoring]") {
  Fixture f;
  f.Score("a", 2000, true);
  f.now += 30min;
  f.Score("a", 2000);
  CHECK(f.Psi() > 0.1);
  f.now += 31min;
  f.Score("a", 1000);  // what drifted is gone
  CHECK(f.Psi() == Approx(0).margin(1e-9));
  f.now += 3h;
  f.Score("a", 10);
  CHECK(f.Psi() == -1);
  CHECK_THAT(f.Text(), !Catch::Contains("arm="));
}

TEST_CASE("What an arm without calls once had is not of the last hour",
          "[scoring]") {
  Fixture f;
  f.now -= 90min;
  f.Score("a", 2000, true);
  CHECK(f.Psi() == -1);
  f.now += 60min;
  f.Score("a", 1000);
  CHECK(f.Psi() == Approx(0).margin(1e-9));
}

TEST_CASE("A call that is told of late counts", "[scoring]") {
  Fixture f;
  f.Score("a", 990);
  f.now -= 20min;
  f.Score("a", 10);
  CHECK(f.Psi() == Approx(0).margin(1e-9));
}

TEST_CASE("Another model begins anew, one without a distribution has none",
          "[scoring]") {
  Fixture f;
  f.Score("a", 2000, true);
  f.reference = Reference();
  f.now += 2s;
  f.Score("a", 1000);
  CHECK(f.Psi() == Approx(0).margin(1e-9));
  f.reference = nullptr;
  f.Score("a", 1000);
  CHECK(f.Psi() == -1);
  CHECK_THAT(f.Text(), !Catch::Contains("arm="));
}

TEST_CASE("Each arm has its own, until it is silent for an hour", "[scoring]") {
  Fixture f;
  f.Score("a", 1000);
  f.Score("b", 1000, true);
  CHECK(f.Psi() == Approx(0).margin(1e-9));
  CHECK_THAT(f.Text(), Catch::Contains("arm=\"b\""));
  f.now += 2h;
  f.Score("a", 1000);
  CHECK_THAT(f.Text(),
             !Catch::Contains("arm=\"b\"") && Catch::Contains("arm=\"a\""));
}

}  // namespace
}  // namespace larr
