// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/part_progress.h"

#include <unistd.h>

namespace larr::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInterval = std::chrono::milliseconds(100);

}  // namespace

PartProgress::PartProgress(const std::string& unit, int64_t total,
                           std::FILE* out)
    : begin_(Clock::now()),
      shown_(begin_ - kInterval),
      view_(out, isatty(fileno(out))),
      item_{.name = unit,
            .state = "RUNNING",
            .total = total,
            .unit = unit + "/s"} {}

void PartProgress::Update(int64_t done) {
  item_.done = done;
  if (Clock::now() - shown_ >= kInterval) Show();
}

void PartProgress::Finish(int64_t done) {
  item_.state = "SUCCEEDED";
  item_.done = item_.total = done;
  Show();
}

void PartProgress::Show() {
  shown_ = Clock::now();
  item_.elapsed_seconds =
      std::chrono::duration<double>(shown_ - begin_).count();
  if (item_.elapsed_seconds > 0) {
    item_.throughput = static_cast<double>(item_.done) / item_.elapsed_seconds;
  }
  view_.Update({.title = "", .items = {item_}});
}

}  // namespace larr::ctl
