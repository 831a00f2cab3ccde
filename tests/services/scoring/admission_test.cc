// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/admission.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>

#include "tests/services/scoring/open_loop.h"

namespace larr {
namespace {

using std::chrono::milliseconds;
using testing::OpenLoop;
using Request = Admission::Request;
using TimePoint = Admission::TimePoint;

const TimePoint kStart(std::chrono::hours(1));

// One thread whose requests of 1000 bytes take 2 ms each.
struct Door {
  Door() {
    for (int i = 0; i < 100; ++i) {
      const Request request = Of(Priority::kNormal);
      REQUIRE_FALSE(admission.Admit(request, now));
      admission.Start(request);
      now += milliseconds(2);
      admission.Finish(request, now - milliseconds(2), now);
    }
  }
  Request Of(Priority priority, milliseconds time = milliseconds(500)) const {
    return {1000, priority, now + time};
  }
  // Takes a request, or says why not.
  std::optional<Rejection> Admit(Priority priority,
                                 milliseconds time = milliseconds(500)) {
    return admission.Admit(Of(priority, time), now);
  }

  AdmissionOptions options;
  Admission admission{options};
  TimePoint now = kStart;
};

}  // namespace

TEST_CASE("Overload costs little goodput and no deadline, and passes",
          "[scoring]") {
  const auto [threads, slowness] = GENERATE(
      table<int, double>({{1, 1.0}, {2, 1.0}, {8, 1.0}, {1, 4.0}, {1, 0.05}}));
  CAPTURE(threads, slowness);
  OpenLoop server({.threads = threads}, slowness);
  const double deadline = 0.05 * std::max(1.0, slowness);
  const auto run = [&](double load) {
    return server.Run({.load = load, .seconds = 10, .deadline = deadline})
        .at(Priority::kNormal);
  };
  const OpenLoop::Outcome quiet = run(0.7), full = run(1), twice = run(2),
                          five = run(5), after = run(0.7);

  CHECK(quiet.refused == 0);
  const double peak = std::max({full.goodput, twice.goodput, five.goodput});
  for (const OpenLoop::Outcome& outcome : {quiet, full, twice, five, after}) {
    CAPTURE(outcome.goodput, peak, outcome.offered, outcome.refused,
            outcome.late, outcome.dropped);
    const int taken = outcome.offered - outcome.refused;
    CHECK(outcome.late + outcome.dropped <= 0.01 * taken);
    if (outcome.offered > 0.9 * 10 * server.Capacity()) {
      CHECK(outcome.goodput >= 0.9 * peak);
      CHECK(outcome.goodput >= 0.9 * server.Capacity());
    }
  }
  // A queue that stands is a short one.
  const double target = std::max(0.010, 4 * 2.7e-3 * slowness / threads);
  CHECK(five.WaitPercentile(0.5) < 2 * target);
  CHECK(after.last_refusal < 5);
  CHECK(after.refused < 0.01 * after.offered);
}

TEST_CASE("Under overload the important are served and the others refused",
          "[scoring]") {
  OpenLoop server({});
  auto outcomes = server.Run({.load = 2, .low = 0.5, .high = 0.25});
  const OpenLoop::Outcome &low = outcomes[Priority::kLow],
                          &normal = outcomes[Priority::kNormal],
                          &high = outcomes[Priority::kHigh];
  CAPTURE(low.refused, normal.refused, high.refused, low.offered);
  CHECK(high.in_time >= 0.99 * high.offered);
  CHECK(normal.in_time >= 0.75 * normal.offered);
  CHECK(low.in_time < 0.5 * low.offered);
  CHECK(high.late + high.dropped <= 0.01 * high.offered);
  // What was taken may be passed by so much that it is late.
  CHECK(normal.late + normal.dropped <= 0.03 * normal.offered);
}

TEST_CASE("A burst is let in, a queue that stands is not", "[scoring]") {
  Door door;
  int burst = 0;
  while (!door.Admit(Priority::kNormal)) ++burst;
  CHECK(burst == 51);  // 100 ms of work ahead of the last
  // Served at 2 ms each, and filled up again as soon as there is room.
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    const Request request = door.Of(Priority::kNormal);
    door.admission.Start(request);
    door.now += milliseconds(2);
    door.admission.Finish(request, door.now - milliseconds(2), door.now);
    admitted = 0;
    while (!door.Admit(Priority::kNormal)) ++admitted;
    REQUIRE(door.admission.waiting() > 0);
  }
  CHECK(door.admission.waiting() <= 6);
  CHECK(door.admission.limit() == Approx(0.010));
  CHECK(admitted == 1);
}

TEST_CASE("What would miss its deadline is refused, with a hint", "[scoring]") {
  Door door;
  CHECK_FALSE(door.Admit(Priority::kNormal, milliseconds(1)));  // it is idle
  CHECK_FALSE(door.Admit(Priority::kNormal, milliseconds(6)));
  const auto late = door.Admit(Priority::kNormal, milliseconds(7));
  REQUIRE(late);
  CHECK(late->reason == RejectReason::kDeadline);
  CHECK(late->retry_after >= milliseconds(1));
  CHECK_FALSE(door.Admit(Priority::kNormal, milliseconds(9)));
}

TEST_CASE("Low priority has half the limit, high passes the others",
          "[scoring]") {
  Door door;
  int low = 0, normal = 0;
  while (!door.Admit(Priority::kLow)) ++low;
  CHECK(low == 26);
  while (!door.Admit(Priority::kNormal)) ++normal;
  CHECK(normal == 51);
  CHECK(door.Admit(Priority::kNormal)->reason == RejectReason::kOverload);
  CHECK_FALSE(door.Admit(Priority::kHigh, milliseconds(5)));
}

TEST_CASE("No more wait than there is room for, however short they are",
          "[scoring]") {
  Admission admission({.capacity = 2});
  const Request request{1, Priority::kHigh, kStart + milliseconds(100)};
  CHECK_FALSE(admission.Admit(request, kStart));
  CHECK_FALSE(admission.Admit(request, kStart));
  const auto full = admission.Admit(request, kStart);
  REQUIRE(full);
  CHECK(full->reason == RejectReason::kQueueFull);
  admission.Abandon(request, kStart);
  CHECK_FALSE(admission.Admit(request, kStart));
}

TEST_CASE("What is late makes the door more careful, for its priority",
          "[scoring]") {
  Door door;
  const auto takes = [&](Priority priority) {
    // 2 ms of work run, 2 ms more are asked for.
    const Request first = door.Of(Priority::kHigh);
    REQUIRE_FALSE(door.admission.Admit(first, door.now));
    const Request second = door.Of(priority, milliseconds(8));
    const bool taken = !door.admission.Admit(second, door.now);
    if (taken) door.admission.Abandon(second, door.now);
    door.admission.Abandon(first, door.now);
    return taken;
  };
  CHECK(takes(Priority::kLow));
  for (int i = 0; i < 20; ++i) {
    const Request late = door.Of(Priority::kLow, milliseconds(20));
    REQUIRE_FALSE(door.admission.Admit(late, door.now));
    door.now += milliseconds(20);
    door.admission.Abandon(late, door.now);
  }
  CHECK_FALSE(takes(Priority::kLow));
  CHECK(takes(Priority::kNormal));
}

TEST_CASE("A first request that was cold does not close the door",
          "[scoring]") {
  Admission admission({});
  TimePoint now = kStart;
  const auto request = [&] {
    return Request{1000, Priority::kNormal, now + milliseconds(200)};
  };
  const auto serve = [&](milliseconds time) {
    const Request next = request();
    admission.Start(next);
    now += time;
    admission.Finish(next, now - time, now);
  };
  for (int i = 0; i < 11; ++i) REQUIRE_FALSE(admission.Admit(request(), now));
  serve(milliseconds(100));
  CHECK(admission.Admit(request(), now));  // a second of work waits, it seems
  serve(milliseconds(5));
  CHECK_FALSE(admission.Admit(request(), now));  // 45 ms do
}

TEST_CASE("Requests that cost more than their size tells do no harm",
          "[scoring]") {
  const double dear = GENERATE(0.02, 0.1);
  OpenLoop server({}, 2);
  const double capacity = 1 / (1 + dear * (OpenLoop::kDear - 1));
  const auto run = [&](double load) {
    return server.Run({.load = load * capacity, .deadline = 0.2, .dear = dear})
        .at(Priority::kNormal);
  };
  const OpenLoop::Outcome quiet = run(0.7), twice = run(2), five = run(5);
  CAPTURE(dear, quiet.refused, quiet.offered, twice.goodput, five.goodput);
  CHECK(quiet.refused <= 0.03 * quiet.offered);
  for (const OpenLoop::Outcome& outcome : {quiet, twice, five}) {
    const int taken = outcome.offered - outcome.refused;
    CHECK(outcome.late + outcome.dropped <= 0.01 * taken);
  }
  CHECK(twice.goodput >= 0.9 * capacity * server.Capacity());
  CHECK(five.goodput >= 0.9 * capacity * server.Capacity());
}

TEST_CASE("A wrong estimate heals", "[scoring]") {
  Door door;
  const Request request = door.Of(Priority::kNormal);
  REQUIRE_FALSE(door.admission.Admit(request, door.now));
  door.admission.Start(request);
  const TimePoint started = door.now;
  door.now += std::chrono::seconds(60);  // the machine was asleep
  door.admission.Finish(request, started, door.now);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    const Request next = door.Of(Priority::kNormal, milliseconds(50));
    const bool one = !door.admission.Admit(next, door.now);
    REQUIRE(one);  // idle
    const bool two = !door.admission.Admit(next, door.now);
    refused += two ? 0 : 1;
    for (int k = 0; k < 1 + (two ? 1 : 0); ++k) {
      door.admission.Start(next);
      door.now += milliseconds(2);
      door.admission.Finish(next, door.now - milliseconds(2), door.now);
    }
  }
  CHECK(refused > 0);
  CHECK(refused < 500);
}

}  // namespace larr
