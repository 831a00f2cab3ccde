// SPDX-License-Identifier: Apache-2.0
#include "bench/profile.h"

#include <ATen/record_function.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/seconds_since.h"

namespace larr::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kShown = 25;

// The group of an operator outside of any; empty: none of its own.
std::string GroupOf(at::RecordScope scope, std::string_view name) {
  if (scope == at::RecordScope::USER_SCOPE) return std::string(name);
  if (scope == at::RecordScope::FUNCTION) {
    for (const char* gemm :
         {"aten::linear", "aten::mm", "aten::addmm", "aten::matmul",
          "mkldnn::_linear_pointwise", "mkldnn::_reorder_linear_weight"}) {
      if (name == gemm) return "gemm";
    }
  }
  for (const auto& [part, group] :
       {std::pair("::Attend", "attention"), std::pair("::Norm", "norm"),
        std::pair("::Gate", "silu")}) {
    if (name.find(part) != std::string_view::npos) return group;
  }
  return "";
}

struct Frame {
  std::string group;
  std::string name;
  Clock::time_point start;
  double inner = 0;  // Seconds of operators called.
};

struct Recorder {
  const std::thread::id thread = std::this_thread::get_id();
  std::vector<Frame> stack;
  std::map<std::pair<std::string, std::string>, OperatorTime> times;
};

Recorder* recorder = nullptr;

bool Recorded() {
  return recorder != nullptr && recorder->thread == std::this_thread::get_id();
}

std::unique_ptr<at::ObserverContext> Begin(const at::RecordFunction& call) {
  if (!Recorded()) return nullptr;
  auto& stack = recorder->stack;
  std::string group = stack.empty() ? "" : stack.back().group;
  if (group.empty()) group = GroupOf(call.scope(), call.name());
  stack.push_back({std::move(group), call.name(), Clock::now(), 0});
  return nullptr;
}

void End(const at::RecordFunction&, at::ObserverContext*) {
  if (!Recorded() || recorder->stack.empty()) return;
  const Frame frame = std::move(recorder->stack.back());
  recorder->stack.pop_back();
  const double seconds = SecondsSince(frame.start);
  if (!recorder->stack.empty()) recorder->stack.back().inner += seconds;
  const std::string group = frame.group.empty() ? "other" : frame.group;
  OperatorTime& time = recorder->times[{group, frame.name}];
  time.seconds += seconds - frame.inner;
  ++time.calls;
}

}  // namespace

Profile ProfileOf(const std::function<void()>& work) {
  Recorder own;
  recorder = &own;
  const auto handle =
      at::addGlobalCallback(at::RecordFunctionCallback(Begin, End)
                                .scopes({at::RecordScope::FUNCTION,
                                         at::RecordScope::BACKWARD_FUNCTION,
                                         at::RecordScope::USER_SCOPE}));
  const auto start = Clock::now();
  work();
  Profile profile{SecondsSince(start), {}};
  at::removeCallback(handle);
  recorder = nullptr;
  OperatorTime rest{"other", "outside of operators", profile.seconds, 1};
  for (auto& [key, time] : own.times) {
    time.group = key.first;
    time.name = key.second;
    rest.seconds -= time.seconds;
    profile.operators.push_back(std::move(time));
  }
  profile.operators.push_back(std::move(rest));
  std::sort(profile.operators.begin(), profile.operators.end(),
            [](const OperatorTime& a, const OperatorTime& b) {
              return a.seconds > b.seconds;
            });
  return profile;
}

std::string ToTable(const Profile& profile) {
  std::map<std::string, double> sums;
  for (const OperatorTime& time : profile.operators)
    sums[time.group] += time.seconds;
  std::vector<std::pair<double, std::string>> groups;
  for (const auto& [group, seconds] : sums) groups.emplace_back(seconds, group);
  std::sort(groups.rbegin(), groups.rend());
  std::string table =
      fmt::format("{:.3f} s\n\nshare  group\n", profile.seconds);
  for (const auto& [seconds, group] : groups)
    table +=
        fmt::format("{:5.1f}  {}\n", 100 * seconds / profile.seconds, group);
  table += "\nshare    calls  group       operator\n";
  for (size_t i = 0; i < std::min(kShown, profile.operators.size()); ++i) {
    const OperatorTime& time = profile.operators[i];
    table += fmt::format("{:5.1f}  {:7}  {:10}  {}\n",
                         100 * time.seconds / profile.seconds, time.calls,
                         time.group, time.name);
  }
  return table;
}

}  // namespace larr::bench
