// SPDX-License-Identifier: Apache-2.0
#include "tools/load/load.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/load/fake_scoring.h"
#include "tests/tools/load/snapshot_sample.h"
#include "tools/load/request_file.h"

namespace larr::load {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

json ReadJson(const std::filesystem::path& path) {
  return json::parse(ReadFile(path).value());
}

TEST_CASE("The capacity of a server is found", "[load]") {
  // 1000 calls/s; what comes faster waits longer and longer.
  constexpr double kCapacity = 1000;
  const FakeScoring server({.service_time = milliseconds(1)});
  const testing::TempDir dir;
  LoadOptions options;
  options.server = server.address();
  options.snapshot = MakeSnapshot(dir.path(), 3, 5);
  options.candidates = 2;
  options.find_rate = true;
  options.seconds = 0.25;
  options.p99_ms = 25;
  options.json = dir.path() / "json";
  // Other work on the machine can only make it less: another try may be given.
  double capacity = 0;
  for (int i = 0; i < 3 && capacity < 0.85 * kCapacity; ++i) {
    if (!RunLoad(options).ok()) continue;
    capacity = ReadJson(options.json)["capacity"].get<double>();
  }
  CHECK(capacity == Approx(kCapacity).epsilon(0.15));
}

TEST_CASE("Steps of a capacity become JSON, a page, and recorded requests",
          "[load]") {
  const FakeScoring server(
      {.service_time = milliseconds(4), .longest_wait = milliseconds(20)});
  const testing::TempDir dir;
  LoadOptions options;
  options.server = server.address();
  options.snapshot = MakeSnapshot(dir.path(), 3, 5);
  options.candidates = 2;
  options.count = 7;
  options.steps = {3, 0.3};
  options.capacity = 250;
  options.seconds = 1.1;
  options.json = dir.path() / "json";
  options.html = dir.path() / "html";
  options.write_requests = dir.path() / "requests";
  REQUIRE(RunLoad(options).ok());

  const json report = ReadJson(options.json);
  CHECK(report["mode"] == "steps");
  CHECK(report["requests"] == 7);
  REQUIRE(report["points"].size() == 2);
  CHECK(report["points"][0]["name"] == "3x");
  CHECK(report["points"][0]["rate"] == 750);
  CHECK(report["points"][0]["rejection_ms"]["count"].get<int>() > 0);
  CHECK(report["points"][1]["goodput"].get<double>() == Approx(75).margin(35));
  CHECK(report["recovery_seconds"].is_number());
  const std::string page = ReadFile(options.html).value();
  CHECK_THAT(page, Catch::Contains("LARR under load"));
  CHECK_THAT(page, Catch::Contains("\"mode\":\"steps\""));
  CHECK_THAT(page, !Catch::Contains("__REPORT__"));
  CHECK(ReadRequests(options.write_requests)->size() == 7);

  // What was written is sent again.
  LoadOptions replay;
  replay.server = server.address();
  replay.requests = options.write_requests;
  replay.rate = 50;
  replay.seconds = 0.4;
  replay.json = dir.path() / "replay";
  REQUIRE(RunLoad(replay).ok());
  CHECK(ReadJson(replay.json)["points"][0]["codes"].contains("OK"));
}

TEST_CASE("Requests can be written without a server", "[load]") {
  const testing::TempDir dir;
  LoadOptions options;
  options.server = "127.0.0.1:1";
  options.snapshot = MakeSnapshot(dir.path(), 1, 1);
  options.candidates = 1;
  options.write_requests = dir.path() / "requests";
  CHECK(RunLoad(options).ok());
  CHECK(ReadRequests(options.write_requests)->size() == 2000);
}

TEST_CASE("A file or folder that is not there is named with its option",
          "[load]") {
  const testing::TempDir dir;
  const std::string none = dir.path() / "none";
  LoadOptions options;
  options.rate = 1;
  const bool recorded = GENERATE(false, true);
  (recorded ? options.requests : options.snapshot) = none;
  const absl::Status status = RunLoad(options);
  CHECK(absl::IsNotFound(status));
  CHECK_THAT(std::string(status.message()),
             Catch::StartsWith(recorded ? "--requests" : "--snapshot") &&
                 Catch::Contains(none));
}

}  // namespace
}  // namespace larr::load
