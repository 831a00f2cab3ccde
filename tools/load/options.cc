// SPDX-License-Identifier: Apache-2.0
#include "tools/load/options.h"

#include <fmt/format.h>

#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "tools/larrctl/security_options.h"

namespace larr::load {
namespace {

absl::Status CheckRange(std::string_view option, double value, double least,
                        double most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Invalid("{} {}: not in [{}, {}]; give a number that is", option, value,
                 least, most);
}

absl::Status CheckMode(const LoadOptions& o) {
  const int modes = (o.rate != 0) + o.find_rate + !o.steps.empty();
  if (modes > 1 || (modes == 0 && o.write_requests.empty())) {
    return Invalid(
        "{} of --rate, --find-rate and --steps given: give one, e.g. --rate "
        "100{}",
        modes == 0 ? "none" : "more than one",
        modes == 0 ? ", or --write-requests FILE" : "");
  }
  if (o.p99_ms == 0 && (o.find_rate || (!o.steps.empty() && o.capacity == 0))) {
    return Invalid(
        "{} needs the bound of what may be called capacity: add --p99 MS{}",
        o.find_rate ? "--find-rate" : "--steps",
        o.find_rate ? "" : ", or say the capacity by --capacity R");
  }
  if (o.capacity != 0 && o.steps.empty()) {
    return Invalid(
        "--capacity {} without --steps: give the multiples of it, e.g. --steps "
        "0.7,2,5,0.7",
        o.capacity);
  }
  if (o.p99_ms > o.deadline_ms) {
    return Invalid(
        "--p99 {}: longer than --deadline {}, after which no answer comes; "
        "raise the deadline or lower the bound",
        o.p99_ms, o.deadline_ms);
  }
  return absl::OkStatus();
}

absl::Status CheckRequests(const LoadOptions& o) {
  if (o.requests.empty() == o.snapshot.empty()) {
    return Invalid(
        "{} of --requests and --snapshot given: give --requests FILE for "
        "recorded requests, or --snapshot FOLDER for made ones",
        o.requests.empty() ? "none" : "both");
  }
  if (!o.context.empty() && o.snapshot.empty()) {
    return Invalid(
        "--context {} with --requests: recorded requests have their own "
        "context; leave it out",
        o.context);
  }
  return absl::OkStatus();
}

}  // namespace

void AddOptions(CLI::App& app, LoadOptions& o) {
  app.add_option("--server", o.server, "HOST:PORT of the scoring server")
      ->capture_default_str();
  ctl::AddSecurityOptions(app, o.security);
  app.add_option("--rate", o.rate, "Mode: so many calls a second");
  app.add_flag("--find-rate", o.find_rate,
               "Mode: the highest rate at which 99 % of all calls are answered "
               "within --p99");
  app.add_option("--steps", o.steps,
                 "Mode: one multiple of the capacity after another, without a "
                 "pause, e.g. 0.7,2,5,0.7")
      ->delimiter(',');
  app.add_option("--capacity", o.capacity,
                 "Calls a second, for --steps; if not given it is found first");
  app.add_option("--seconds", o.seconds, "Of each step and each try")
      ->capture_default_str();
  app.add_option("--p99", o.p99_ms,
                 "Bound of the latency in ms; else the deadline");
  app.add_option("--deadline", o.deadline_ms,
                 "Of each call in ms, from when it was due")
      ->capture_default_str();
  app.add_option("--max-in-flight", o.max_in_flight,
                 "Calls beyond it are not sent, and count as failed")
      ->capture_default_str();
  app.add_option("--seed", o.seed, "Of arrival times and made requests")
      ->capture_default_str();
  app.add_option("--requests", o.requests,
                 "File of recorded requests, sent in turn: ScoreRequest "
                 "messages, each after its length");
  app.add_option("--snapshot", o.snapshot,
                 "Snapshot whose users and POIs requests are made of");
  app.add_option("--context", o.context,
                 "JSON object with the context values of made requests");
  app.add_option("--candidates", o.candidates, "Of a made request")
      ->capture_default_str();
  app.add_option("--count", o.count, "Made requests, sent in turn")
      ->capture_default_str();
  app.add_option("--write-requests", o.write_requests,
                 "File that receives the requests, for --requests");
  app.add_option("--json", o.json, "File that receives the results");
  app.add_option("--html", o.html, "File that receives a page with pictures");
}

absl::Status CheckOptions(const LoadOptions& o) {
  LARR_RETURN_IF_ERROR(CheckRange("--rate", o.rate, 0, 1e6));
  LARR_RETURN_IF_ERROR(CheckRange("--capacity", o.capacity, 0, 1e6));
  LARR_RETURN_IF_ERROR(CheckRange("--seconds", o.seconds, 0.1, 86400));
  LARR_RETURN_IF_ERROR(CheckRange("--p99", o.p99_ms, 0, 3600e3));
  LARR_RETURN_IF_ERROR(CheckRange("--deadline", o.deadline_ms, 1, 3600e3));
  LARR_RETURN_IF_ERROR(CheckRange(
      "--max-in-flight", static_cast<double>(o.max_in_flight), 1, 1e6));
  LARR_RETURN_IF_ERROR(CheckRange("--candidates", o.candidates, 1, 1e5));
  LARR_RETURN_IF_ERROR(CheckRange("--count", o.count, 1, 1e6));
  for (const double step : o.steps) {
    LARR_RETURN_IF_ERROR(CheckRange("--steps", step, 0.001, 1000));
  }
  LARR_RETURN_IF_ERROR(CheckMode(o));
  return CheckRequests(o);
}

}  // namespace larr::load
