// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/work_queue.h"

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/gate.h"
#include "tests/testing/metrics_text.h"

namespace larr {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// What became of work, in order.
struct Log {
  void Add(const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
    threads.insert(std::this_thread::get_id());
  }
  std::mutex mutex;
  std::vector<std::string> lines;
  std::set<std::thread::id> threads;
};

struct Task : Work {
  Task(Log& log, std::string name, std::function<void()> run = {})
      : log(log), name(std::move(name)), run(std::move(run)) {}
  bool IsCancelled() const override { return name == "cancelled"; }
  void Run() override {
    if (run) run();
    log.Add(name);
  }
  void Drop(DropReason reason) override {
    log.Add(name + (reason == DropReason::kExpired ? " expired" : " dropped"));
  }
  void Refuse(const Rejection&) override { log.Add(name + " refused"); }

  Log& log;
  const std::string name;
  const std::function<void()> run;
};

Admission::Request Due(milliseconds time,
                       Priority priority = Priority::kNormal) {
  return {100, priority, Clock::now() + time};
}

constexpr milliseconds kLong(60'000);

}  // namespace

TEST_CASE("Everything that is taken runs, in the queue's threads",
          "[scoring]") {
  prometheus::Registry registry;
  AdmissionMetrics metrics(registry);
  Log log;
  {
    WorkQueue queue({.threads = 2}, metrics);
    for (int i = 0; i < 100; ++i) {
      queue.Submit(Due(kLong), std::make_unique<Task>(log, "task"));
    }
  }  // waits
  CHECK(log.lines == std::vector<std::string>(100, "task"));
  CHECK(log.threads.size() <= 2);
  CHECK_FALSE(log.threads.contains(std::this_thread::get_id()));
  CHECK_THAT(testing::MetricsText(registry),
             Catch::Contains("larr_scoring_admitted_total 100") &&
                 Catch::Contains("larr_scoring_queue_delay_seconds_count 100"));
}

TEST_CASE("The important go first, then those that are due first",
          "[scoring]") {
  prometheus::Registry registry;
  AdmissionMetrics metrics(registry);
  Log log;
  {
    std::promise<void> begun;
    WorkQueue queue({}, metrics);
    testing::Gate gate;
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "first",
                                                    [&, wait = gate.waiter()] {
                                                      begun.set_value();
                                                      wait();
                                                    }));
    begun.get_future().wait();
    const auto submit = [&](const char* name, Priority priority,
                            milliseconds time) {
      queue.Submit(Due(time, priority), std::make_unique<Task>(log, name));
    };
    submit("low", Priority::kLow, milliseconds(20'000));
    submit("later", Priority::kNormal, milliseconds(40'000));
    submit("soon", Priority::kNormal, milliseconds(30'000));
    submit("high", Priority::kHigh, milliseconds(50'000));
  }
  CHECK(log.lines ==
        std::vector<std::string>{"first", "high", "soon", "later", "low"});
}

TEST_CASE("What is late or cancelled is dropped before it runs", "[scoring]") {
  prometheus::Registry registry;
  AdmissionMetrics metrics(registry);
  Log log;
  {
    std::promise<void> begun;
    WorkQueue queue({.capacity = 3}, metrics);
    testing::Gate gate;
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "first",
                                                    [&, wait = gate.waiter()] {
                                                      begun.set_value();
                                                      wait();
                                                    }));
    begun.get_future().wait();
    queue.Submit(Due(milliseconds(1)), std::make_unique<Task>(log, "late"));
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "cancelled"));
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "last"));
    // The late one leaves room as soon as it is late.
    std::this_thread::sleep_for(milliseconds(2));
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "more"));
    // The cancelled one as soon as it stands in the way of another.
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "another"));
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "too much"));
    CHECK(log.lines == std::vector<std::string>{"late expired",
                                                "cancelled dropped",
                                                "too much refused"});
    CHECK_THAT(testing::MetricsText(registry),
               Catch::Contains("larr_scoring_queue_length 3"));
  }
  CHECK(log.lines.size() == 7);
  CHECK_THAT(
      testing::MetricsText(registry),
      Catch::Contains("larr_scoring_dropped_total{reason=\"expired\"} 1") &&
          Catch::Contains(
              "larr_scoring_dropped_total{reason=\"cancelled\"} 1") &&
          Catch::Contains(
              "larr_scoring_rejected_total{reason=\"queue_full\"} 1") &&
          Catch::Contains("larr_scoring_queue_length 0"));
}

TEST_CASE("What was cancelled is dropped when it is its turn", "[scoring]") {
  prometheus::Registry registry;
  AdmissionMetrics metrics(registry);
  Log log;
  {
    WorkQueue queue({}, metrics);
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "cancelled"));
  }
  CHECK(log.lines == std::vector<std::string>{"cancelled dropped"});
}

TEST_CASE("The threads yield to the rest of the process", "[scoring]") {
  prometheus::Registry registry;
  AdmissionMetrics metrics(registry);
  Log log;
  int nice = -100;
  {
    WorkQueue queue({}, metrics);
    queue.Submit(Due(kLong), std::make_unique<Task>(log, "task", [&] {
                   nice = getpriority(PRIO_PROCESS, 0);
                 }));
  }
  CHECK(nice == std::min(getpriority(PRIO_PROCESS, 0) + kNicer, 19));
}

}  // namespace larr
