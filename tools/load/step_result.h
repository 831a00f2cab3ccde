// SPDX-License-Identifier: Apache-2.0
//
// What came of the calls of one step: a stretch of time with one rate. A call
// belongs to the step in which it was due, whenever it ends.
//
// Units:      latencies run from the time at which a call was due, so that one
//             that was sent late, for whatever reason, is late.
// Threads:    belongs to one thread, or to one lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/load/latency_histogram.h"

namespace larr::load {

struct Step {
  std::string name;
  double rate = 0;  // Calls a second.
  double seconds = 0;
};

class StepResult {
 public:
  using Duration = std::chrono::nanoseconds;

  // Calls that are answered within `bound` are good ones.
  StepResult(Step step, Duration bound)
      : step_(std::move(step)), bound_(bound) {}

  // A call that was due at `due` of the step and sent `lag` later.
  void RecordSent(Duration lag) { send_lag_.Record(lag); }
  // How it ended, `latency` after it was due.
  void RecordEnd(Duration due, Duration latency, absl::StatusCode code);
  // A call that was due, but too many were in flight.
  void RecordNotSent(Duration due);
  // An answer OK during the step, whenever the call was due.
  void RecordAnswer(int64_t scores);

  const Step& step() const { return step_; }
  // All calls that were due; `good`: answered OK within the bound.
  int64_t calls() const { return calls_; }
  int64_t good() const { return good_; }
  // 99 % of all calls that were due, not of the answered ones, are good.
  bool within_bound() const { return 100 * good_ >= 99 * calls_; }

  // Calls by the name of their status code; `NOT_SENT` for those not sent.
  const std::map<std::string, int64_t>& codes() const { return codes_; }
  int64_t Count(const std::string& code) const;
  // Answers OK during the step, a second: what the server does, without what
  // it still had to do at the step's end.
  double goodput() const;
  double candidates_per_second() const;

  // Of calls that were accepted: OK, or still waiting at their deadline.
  const LatencyHistogram& accepted() const { return accepted_; }
  // Of calls that got RESOURCE_EXHAUSTED.
  const LatencyHistogram& rejected() const { return rejected_; }
  // How late the generator itself was.
  const LatencyHistogram& send_lag() const { return send_lag_; }

  // When, after the step's begin, the first second began whose calls are
  // within the bound (99 % good). Looks every 100 ms; nothing if there is none.
  std::optional<double> RecoverySeconds() const;

  nlohmann::json ToJson() const;
  // A line of a table of steps, and its head. No line's end.
  static std::string Head();
  std::string Line() const;

 private:
  struct Slot {
    int64_t calls = 0, good = 0;
  };

  void Count(Duration due, bool good, const std::string& code);

  Step step_;
  Duration bound_;
  int64_t calls_ = 0, good_ = 0, answers_ = 0, scores_ = 0;
  std::map<std::string, int64_t> codes_;
  LatencyHistogram accepted_, rejected_, send_lag_;
  std::vector<Slot> slots_;  // Of 100 ms, by when a call was due.
};

}  // namespace larr::load
