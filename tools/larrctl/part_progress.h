// SPDX-License-Identifier: Apache-2.0
//
// How far one part of a longer work is: a line with speed and time left.
//
// Threads: one.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "tools/larrctl/progress_view.h"

namespace larr::ctl {

class PartProgress {
 public:
  // `unit` is what is counted, e.g. `requests`; `total` of it, about.
  PartProgress(const std::string& unit, int64_t total, std::FILE* out = stdout);

  // Shown at most ten times a second.
  void Update(int64_t done);
  // All is done: `done`, in the end.
  void Finish(int64_t done);

 private:
  void Show();

  const std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point shown_;
  ProgressView view_;
  ProgressItem item_;
};

}  // namespace larr::ctl
