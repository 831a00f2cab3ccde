// SPDX-License-Identifier: Apache-2.0
#include "tools/load/step_result.h"

#include <fmt/format.h>

namespace larr::load {
namespace {

using nlohmann::json;

constexpr char kNotSent[] = "NOT_SENT";
constexpr std::chrono::milliseconds kSlot(100);
constexpr size_t kWindow = 10;  // Slots.
constexpr char kRow[] =
    "{:<9} {:>8} {:>9} {:>8} {:>12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}  "
    "{}";

// 3 significant digits.
std::string Text(double value) {
  if (value >= 99.95) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, value >= 9.995 ? 1 : 2);
}

std::string Text(const LatencyHistogram& latencies, double q) {
  return latencies.count() == 0 ? "-"
                                : Text(Milliseconds(latencies.Quantile(q)));
}

json ToJson(const LatencyHistogram& latencies) {
  if (latencies.count() == 0) return nullptr;
  return {{"count", latencies.count()},
          {"p50", Milliseconds(latencies.Quantile(0.5))},
          {"p90", Milliseconds(latencies.Quantile(0.9))},
          {"p99", Milliseconds(latencies.Quantile(0.99))},
          {"p99_9", Milliseconds(latencies.Quantile(0.999))},
          {"max", Milliseconds(latencies.max())}};
}

}  // namespace

void StepResult::Count(Duration due, bool good, const std::string& code) {
  ++calls_;
  good_ += good;
  ++codes_[code];
  const auto slot = static_cast<size_t>(due / kSlot);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  ++slots_[slot].calls;
  slots_[slot].good += good;
}

void StepResult::RecordEnd(Duration due, Duration latency,
                           absl::StatusCode code) {
  const bool ok = code == absl::StatusCode::kOk;
  if (ok || code == absl::StatusCode::kDeadlineExceeded) {
    accepted_.Record(latency);
  } else if (code == absl::StatusCode::kResourceExhausted) {
    rejected_.Record(latency);
  }
  Count(due, ok && latency <= bound_, absl::StatusCodeToString(code));
}

void StepResult::RecordNotSent(Duration due) { Count(due, false, kNotSent); }

void StepResult::RecordAnswer(int64_t scores) {
  ++answers_;
  scores_ += scores;
}

int64_t StepResult::Count(const std::string& code) const {
  const auto found = codes_.find(code);
  return found == codes_.end() ? 0 : found->second;
}

double StepResult::goodput() const {
  return static_cast<double>(answers_) / step_.seconds;
}

double StepResult::candidates_per_second() const {
  return static_cast<double>(scores_) / step_.seconds;
}

std::optional<double> StepResult::RecoverySeconds() const {
  for (size_t begin = 0; begin + kWindow <= slots_.size(); ++begin) {
    int64_t calls = 0, good = 0;
    for (size_t i = begin; i < begin + kWindow; ++i) {
      calls += slots_[i].calls;
      good += slots_[i].good;
    }
    if (calls > 0 && 100 * good >= 99 * calls) {
      return std::chrono::duration<double>(begin * kSlot).count();
    }
  }
  return std::nullopt;
}

json StepResult::ToJson() const {
  return {{"name", step_.name},
          {"rate", step_.rate},
          {"seconds", step_.seconds},
          {"calls", calls_},
          {"goodput", goodput()},
          {"candidates_per_second", candidates_per_second()},
          {"within_bound", within_bound()},
          {"codes", codes_},
          {"latency_ms", load::ToJson(accepted_)},
          {"rejection_ms", load::ToJson(rejected_)},
          {"send_lag_ms", load::ToJson(send_lag_)}};
}

std::string StepResult::Head() {
  return fmt::format(kRow, "step", "calls/s", "goodput/s", "in bound",
                     "candidates/s", "p50 ms", "p90", "p99", "p99.9", "max",
                     "rejection", "lag p99", "not OK");
}

std::string StepResult::Line() const {
  std::string failures;
  for (const auto& [code, count] : codes_) {
    if (code == "OK") continue;
    failures +=
        fmt::format("{}{} {}", failures.empty() ? "" : ", ", count, code);
  }
  const double in_bound =
      calls_ == 0 ? 0
                  : static_cast<double>(good_) / static_cast<double>(calls_);
  return fmt::format(
      kRow, step_.name, Text(step_.rate), Text(goodput()),
      fmt::format("{:.1f} %", 100 * in_bound), Text(candidates_per_second()),
      Text(accepted_, 0.5), Text(accepted_, 0.9), Text(accepted_, 0.99),
      Text(accepted_, 0.999), Text(accepted_, 1), Text(rejected_, 0.5),
      Text(send_lag_, 0.99), failures.empty() ? "-" : failures);
}

}  // namespace larr::load
