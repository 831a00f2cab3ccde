// SPDX-License-Identifier: Apache-2.0
#include "tools/load/driver.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>

#include "tests/tools/load/fake_scoring.h"

namespace larr::load {
namespace {

using scoring::v1::ScoreRequest;
using std::chrono::milliseconds;

std::vector<ScoreRequest> Requests() {
  std::vector<ScoreRequest> requests(2);
  for (int i = 0; i < 10; ++i) {
    requests[0].add_candidates()->set_poi_id("p");
    requests[1].add_candidates()->set_poi_id("q");
  }
  return requests;
}

std::vector<StepResult> Run(const FakeScoring& server, DriverOptions options,
                            const std::vector<Step>& steps) {
  const auto requests = Requests();
  options.server = server.address();
  const auto driver = LoadDriver::Connect(options, requests);
  REQUIRE(driver.ok());
  return (*driver)->Run(steps);
}

TEST_CASE("A stall is in the percentiles of all calls that it held up",
          "[load]") {
  // Calls of a fifth of the time fall into it; a generator that waited for
  // each answer would have sent one then.
  const FakeScoring server(
      {.stall_begin = milliseconds(300), .stall_time = milliseconds(200)});
  const auto results = Run(server, {}, {{"stall", 400, 1}});
  const StepResult& result = results.front();
  CHECK(result.Count("OK") == result.calls());
  CHECK(result.accepted().Quantile(0.99) >= milliseconds(170));
  CHECK(result.accepted().Quantile(0.9) >= milliseconds(60));
  CHECK(result.accepted().max() >= milliseconds(180));
  CHECK(result.accepted().Quantile(0.5) < milliseconds(100));
}

TEST_CASE("Calls are as many as the rate says, and belong to their step",
          "[load]") {
  const FakeScoring server({});
  const auto results = Run(server, {}, {{"a", 200, 0.5}, {"b", 1000, 0.5}});
  REQUIRE(results.size() == 2);
  CHECK(results[0].step().name == "a");
  CHECK(results[0].calls() == Approx(100).margin(45));  // 4.5 sigma
  CHECK(results[1].calls() == Approx(500).margin(100));
  for (const StepResult& result : results) {
    CHECK(result.Count("OK") == result.calls());
    CHECK(result.candidates_per_second() == 10 * result.goodput());
  }
}

TEST_CASE("Goodput is what is answered during a step", "[load]") {
  // 200 calls/s; what is due beyond that is answered after the step.
  const FakeScoring server({.service_time = milliseconds(5)});
  const auto results = Run(server, {}, {{"3x", 600, 0.4}, {"0.1x", 20, 1}});
  CHECK(results[0].Count("OK") > 160);
  CHECK(results[0].goodput() == Approx(200).epsilon(0.1));
  CHECK(results[1].goodput() > 100);
}

TEST_CASE("A call that was sent late is late", "[load]") {
  // More than any machine sends; what waits to be sent waits for its answer.
  const FakeScoring server({});
  const auto results =
      Run(server,
          {.deadline = std::chrono::seconds(60), .max_in_flight = 1'000'000},
          {{"flood", 1e6, 0.01}});
  const StepResult& result = results.front();
  CHECK(result.Count("OK") == result.calls());
  REQUIRE(result.send_lag().Quantile(0.5) > milliseconds(5));
  for (const double q : {0.01, 0.1, 0.5, 0.99, 1.0}) {
    CHECK(result.accepted().Quantile(q) >= result.send_lag().Quantile(q));
  }
}

TEST_CASE("What is due while too many are in flight fails, and delays nothing",
          "[load]") {
  const FakeScoring server(
      {.stall_begin = milliseconds(0), .stall_time = milliseconds(500)});
  const auto results = Run(server, {.max_in_flight = 10}, {{"held", 400, 0.4}});
  const StepResult& result = results.front();
  CHECK(result.Count("OK") == 10);
  CHECK(result.Count("NOT_SENT") == result.calls() - 10);
  CHECK(result.calls() == Approx(160).margin(60));
  CHECK(result.good() == 10);
  CHECK_FALSE(result.within_bound());
}

TEST_CASE("A call that is not answered ends at its deadline", "[load]") {
  const FakeScoring server(
      {.stall_begin = milliseconds(0), .stall_time = milliseconds(1000)});
  const auto results =
      Run(server, {.deadline = milliseconds(100)}, {{"dead", 200, 0.2}});
  const StepResult& result = results.front();
  CHECK(result.Count("DEADLINE_EXCEEDED") == result.calls());
  CHECK(result.accepted().Quantile(0.5) >= milliseconds(99));
  CHECK(result.good() == 0);
}

TEST_CASE("Overload is turned away, and over when the rate is low again",
          "[load]") {
  // 500 calls/s, of which none waits longer than 20 ms.
  const FakeScoring server({.service_time = std::chrono::milliseconds(2),
                            .longest_wait = milliseconds(20)});
  const auto results = Run(server, {}, {{"5x", 2500, 0.4}, {"0.3x", 150, 1.4}});
  CHECK(results[0].goodput() == Approx(500).epsilon(0.2));
  CHECK(results[0].rejected().count() > 400);
  CHECK(results[0].rejected().Quantile(0.5) <
        results[0].accepted().Quantile(0.5));
  const auto recovery = results[1].RecoverySeconds();
  REQUIRE(recovery.has_value());
  CHECK(*recovery <= 0.4);
}

TEST_CASE("A server that is not there is named", "[load]") {
  const auto requests = Requests();
  const auto driver = LoadDriver::Connect(
      {.server = "127.0.0.1:1", .connect_time = milliseconds(100)}, requests);
  CHECK(absl::IsUnavailable(driver.status()));
  CHECK_THAT(std::string(driver.status().message()),
             Catch::Contains("--server 127.0.0.1:1"));
}

}  // namespace
}  // namespace larr::load
