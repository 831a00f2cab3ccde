// SPDX-License-Identifier: Apache-2.0
#include "common/llm/heartbeat.h"

#include <fmt/format.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

namespace larr {
namespace {

using Clock = std::chrono::steady_clock;

std::string Key(int rank) { return fmt::format("heartbeat/{}", rank); }

}  // namespace

struct Heartbeat::State {
  const c10::intrusive_ptr<c10d::Store> store;
  const int rank;
  const int size;
  const HeartbeatOptions options;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  std::string lost;
  Clock::time_point last_round = Clock::now();  // that the store answered

  void Run();
  void Round(std::vector<std::pair<int64_t, Clock::time_point>>& seen);
};

void Heartbeat::State::Round(
    std::vector<std::pair<int64_t, Clock::time_point>>& seen) {
  store->add(Key(rank), 1);
  for (int other = 0; other < size; ++other) {
    if (other == rank) continue;
    const int64_t count = store->add(Key(other), 0);
    const auto now = Clock::now();
    auto& [last, since] = seen[other];
    if (count != std::exchange(last, count)) since = now;
    if (now - since < options.limit) continue;
    const std::lock_guard lock(mutex);
    lost = fmt::format(
        "rank {} gave no sign of life for {} s", other,
        std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
  }
}

void Heartbeat::State::Run() {
  std::vector<std::pair<int64_t, Clock::time_point>> seen(size,
                                                          {0, Clock::now()});
  for (;;) {
    try {
      Round(seen);
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex);
      lost = "rank 0, which keeps the shared store, has ended";
      return;
    }
    std::unique_lock lock(mutex);
    last_round = Clock::now();
    if (wake.wait_for(lock, options.interval, [&] { return stop; })) return;
  }
}

Heartbeat::Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank, int size,
                     const HeartbeatOptions& options)
    : state_(new State{std::move(store), rank, size, options}),
      thread_([state = state_] { state->Run(); }) {}

Heartbeat::~Heartbeat() {
  const bool lost = !Lost().empty();
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  if (lost) {
    thread_.detach();  // may wait for a store that never answers
  } else {
    thread_.join();
  }
}

std::string Heartbeat::Lost() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->lost.empty()) return state_->lost;
  if (Clock::now() - state_->last_round < state_->options.limit) return "";
  return "rank 0, which keeps the shared store, does not answer";
}

}  // namespace larr
