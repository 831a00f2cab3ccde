// SPDX-License-Identifier: Apache-2.0
//
// The command line of larr_load.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/client_security.h"

namespace larr::load {

// Times are as on the command line; 0 and empty: not given.
struct LoadOptions {
  std::string server = "127.0.0.1:7030";
  ClientSecurity security;

  // One of three modes; or none, if requests are only written.
  double rate = 0;
  bool find_rate = false;
  std::vector<double> steps;  // Multiples of the capacity.

  double seconds = 10;        // Of a step.
  double p99_ms = 0;          // The bound; 0: the deadline.
  double capacity = 0;        // Calls a second; 0: found first.
  double deadline_ms = 1000;  // Of a call.
  int64_t max_in_flight = 2000;
  uint64_t seed = 1;

  // Requests: recorded ones, or made ones.
  std::string requests;
  std::string snapshot;
  std::string context;
  int candidates = 200;
  int count = 2000;
  std::string write_requests;

  std::string json, html;

  bool sends() const { return rate > 0 || find_rate || !steps.empty(); }
  double bound_ms() const { return p99_ms > 0 ? p99_ms : deadline_ms; }
};

void AddOptions(CLI::App& app, LoadOptions& options);

// What no single option shows: values out of range, modes that exclude or need
// each other.
// Errors: kInvalidArgument, naming option, value and fix
absl::Status CheckOptions(const LoadOptions& options);

}  // namespace larr::load
