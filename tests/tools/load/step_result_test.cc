// SPDX-License-Identifier: Apache-2.0
#include "tools/load/step_result.h"

#include <catch2/catch.hpp>

namespace larr::load {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;

constexpr milliseconds kBound(50);

// One call each 10 ms for `seconds`; `code` says how that at a time ended.
template <typename CodeAt>
StepResult Series(double seconds, const CodeAt& code) {
  StepResult result({"x", 100, seconds}, kBound);
  for (milliseconds due(0); due < milliseconds(int64_t(seconds * 1000));
       due += milliseconds(10)) {
    result.RecordEnd(due, milliseconds(5), code(due));
  }
  return result;
}

TEST_CASE("Calls are counted by how they ended", "[load]") {
  StepResult result({"2x", 3, 2}, kBound);
  result.RecordEnd(milliseconds(0), milliseconds(10), StatusCode::kOk);
  result.RecordEnd(milliseconds(1), milliseconds(80), StatusCode::kOk);
  result.RecordEnd(milliseconds(2), milliseconds(100),
                   StatusCode::kDeadlineExceeded);
  result.RecordEnd(milliseconds(3), milliseconds(1),
                   StatusCode::kResourceExhausted);
  result.RecordEnd(milliseconds(4), milliseconds(1), StatusCode::kUnavailable);
  result.RecordNotSent(milliseconds(5));
  result.RecordAnswer(200);
  result.RecordAnswer(100);
  CHECK(result.calls() == 6);
  CHECK(result.good() == 1);
  CHECK(result.goodput() == 1);  // Two in two seconds.
  CHECK(result.candidates_per_second() == 150);
  CHECK(result.codes() ==
        std::map<std::string, int64_t>{{"OK", 2},
                                       {"DEADLINE_EXCEEDED", 1},
                                       {"RESOURCE_EXHAUSTED", 1},
                                       {"UNAVAILABLE", 1},
                                       {"NOT_SENT", 1}});
  // A fast failure makes no latency better.
  CHECK(result.accepted().count() == 3);
  CHECK(result.accepted().max() == milliseconds(100));
  CHECK(result.rejected().count() == 1);
  const auto json = result.ToJson();
  CHECK(json["latency_ms"]["p50"].get<double>() == Approx(80).epsilon(1e-3));
  CHECK(json["rejection_ms"]["p50"].get<double>() == Approx(1).epsilon(1e-3));
  CHECK(json["codes"]["NOT_SENT"] == 1);
  CHECK_THAT(result.Line(), Catch::Contains("1 NOT_SENT"));
}

TEST_CASE("One call in a hundred may miss the bound, whatever became of it",
          "[load]") {
  const auto bad =
      GENERATE(StatusCode::kResourceExhausted, StatusCode::kDeadlineExceeded,
               StatusCode::kInternal);
  const auto bad_until = [bad](int64_t milliseconds_bad) {
    return Series(2, [=](milliseconds due) {
      return due.count() < milliseconds_bad ? bad : StatusCode::kOk;
    });
  };
  CHECK(bad_until(20).within_bound());
  CHECK_FALSE(bad_until(30).within_bound());
}

TEST_CASE("Recovery is when the first good second begins", "[load]") {
  const auto bad_between = [](int begin, int end) {
    return Series(4,
                  [=](milliseconds due) {
                    return due.count() >= begin && due.count() < end
                               ? StatusCode::kResourceExhausted
                               : StatusCode::kOk;
                  })
        .RecoverySeconds();
  };
  CHECK(bad_between(0, 0) == 0.0);
  CHECK(bad_between(0, 730) == Approx(0.8));
  // A pause of 900 ms between two bad stretches is no recovery.
  CHECK(Series(4, [](milliseconds due) {
          const auto t = due.count();
          return t < 300 || (t >= 1200 && t < 1500)
                     ? StatusCode::kResourceExhausted
                     : StatusCode::kOk;
        }).RecoverySeconds() == Approx(1.5));
  CHECK_FALSE(bad_between(0, 3500).has_value());
}

}  // namespace
}  // namespace larr::load
