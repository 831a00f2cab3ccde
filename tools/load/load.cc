// SPDX-License-Identifier: Apache-2.0
#include "tools/load/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/store/snapshot.h"
#include "larr/scoring/v1/scoring_service.pb.h"
#include "tools/load/driver.h"
#include "tools/load/embedded.h"
#include "tools/load/rate_search.h"
#include "tools/load/request_file.h"
#include "tools/load/request_maker.h"
#include "tools/report/page.h"

namespace larr::load {
namespace {

using nlohmann::json;
using scoring::v1::ScoreRequest;

template <typename Duration>
Duration FromMilliseconds(double value) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(value));
}

// A failure with the option that named the file or folder.
absl::Status Named(std::string_view option, const absl::Status& status) {
  return {status.code(), fmt::format("{}: {}; give one that is there and whole",
                                     option, std::string(status.message()))};
}

absl::StatusOr<std::vector<ScoreRequest>> Requests(const LoadOptions& options) {
  if (!options.requests.empty()) {
    auto requests = ReadRequests(options.requests);
    if (!requests.ok()) return Named("--requests", requests.status());
    return requests;
  }
  ScoreRequest context;
  if (!options.context.empty()) {
    LARR_ASSIGN_OR_RETURN(context, ReadContext(options.context));
  }
  const auto snapshot = Snapshot::Open(options.snapshot);
  if (!snapshot.ok()) return Named("--snapshot", snapshot.status());
  return MakeRequests(**snapshot, context,
                      {.count = options.count,
                       .candidates = options.candidates,
                       .seed = options.seed});
}

// Runs steps, shows each in a line, and keeps them for the report.
class Runner {
 public:
  Runner(const LoadOptions& options, LoadDriver& driver)
      : options_(options), driver_(driver) {}

  // The first step's rate is sent for a while before it, and not counted:
  // connections, caches and the server's own limits find their state.
  std::vector<StepResult> Run(std::vector<Step> steps) {
    Step lead_in = steps.front();
    lead_in.seconds = std::min(1.0, options_.seconds / 4);
    steps.insert(steps.begin(), lead_in);
    std::vector<StepResult> results = driver_.Run(steps);
    results.erase(results.begin());
    for (const StepResult& result : results) {
      fmt::print("{}\n", result.Line());
      points_.push_back(result.ToJson());
    }
    return results;
  }

  absl::StatusOr<double> FindRate() {
    return load::FindRate([this](double rate, bool confirming) {
      return Run({{confirming ? "confirm" : "try", rate, options_.seconds}})
          .front()
          .within_bound();
    });
  }

  const json& points() const { return points_; }

 private:
  const LoadOptions& options_;
  LoadDriver& driver_;
  json points_ = json::array();
};

std::vector<Step> StepsOf(const LoadOptions& options, double capacity) {
  std::vector<Step> steps;
  for (const double factor : options.steps) {
    steps.push_back(
        {fmt::format("{:g}x", factor), factor * capacity, options.seconds});
  }
  return steps;
}

// In what the modes differ: what becomes of the report.
absl::Status RunMode(const LoadOptions& options, Runner& runner, json& report) {
  if (options.rate > 0) {
    report["mode"] = "rate";
    runner.Run({{"rate", options.rate, options.seconds}});
    return absl::OkStatus();
  }
  report["mode"] = options.find_rate ? "find_rate" : "steps";
  double capacity = options.capacity;
  if (capacity == 0) {
    LARR_ASSIGN_OR_RETURN(capacity, runner.FindRate());
    fmt::print("capacity: {:.1f} calls/s with 99 % of all within {:g} ms\n",
               capacity, options.bound_ms());
  }
  report["capacity"] = capacity;
  if (options.find_rate) return absl::OkStatus();
  const auto results = runner.Run(StepsOf(options, capacity));
  const std::optional<double> recovery = results.back().RecoverySeconds();
  report["recovery_seconds"] = recovery ? json(*recovery) : json();
  fmt::print("recovery after the last change of rate: {}\n",
             recovery ? fmt::format("{:.1f} s", *recovery)
                      : "not within the last step");
  return absl::OkStatus();
}

}  // namespace

absl::Status RunLoad(const LoadOptions& options) {
  LARR_RETURN_IF_ERROR(CheckOptions(options));
  LARR_ASSIGN_OR_RETURN(const auto requests, Requests(options));
  if (!options.write_requests.empty()) {
    LARR_RETURN_IF_ERROR(WriteRequests(options.write_requests, requests));
  }
  if (!options.sends()) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(
      const auto driver,
      LoadDriver::Connect(
          {.server = options.server,
           .security = options.security,
           .deadline =
               FromMilliseconds<std::chrono::milliseconds>(options.deadline_ms),
           .bound =
               FromMilliseconds<std::chrono::nanoseconds>(options.bound_ms()),
           .max_in_flight = options.max_in_flight,
           .seed = options.seed},
          requests));
  json report = {{"server", options.server},
                 {"bound_ms", options.bound_ms()},
                 {"deadline_ms", options.deadline_ms},
                 {"seed", options.seed},
                 {"requests", requests.size()}};
  Runner runner(options, *driver);
  fmt::print("{}\n", StepResult::Head());
  LARR_RETURN_IF_ERROR(RunMode(options, runner, report));
  report["points"] = runner.points();
  if (!options.json.empty()) {
    LARR_RETURN_IF_ERROR(
        WriteFileAtomically(options.json, report.dump(2) + "\n"));
  }
  return options.html.empty()
             ? absl::OkStatus()
             : WriteFileAtomically(
                   options.html,
                   report::RenderPage(report.dump(), kReportScript));
}

}  // namespace larr::load
