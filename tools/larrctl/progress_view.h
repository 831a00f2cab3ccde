// SPDX-License-Identifier: Apache-2.0
//
// How work in progress looks: bars that are redrawn on a terminal, plain
// lines that are only added to elsewhere.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "larr/embedding/v1/embedding_service.pb.h"

namespace larr::ctl {

// One thing that advances: a stage of a run, or a refresh.
struct ProgressItem {
  std::string name;
  std::string state;      // as in the protos, e.g. RUNNING
  int64_t done = 0;       // steps, texts, ...
  int64_t total = 0;      // 0: not known yet
  double throughput = 0;  // in `unit`; 0: not known
  std::string unit;       // e.g. tokens/s
  double loss = 0;        // 0: none
  double elapsed_seconds = 0;
  std::string shared_from;  // the run whose artifact it is; empty: its own
};

// What is watched, and its parts in the order of execution.
struct Progress {
  std::string title;  // name and state; may be empty
  std::vector<ProgressItem> items;
};

// Seconds of a stage's work; of one that reported none, from its start to its
// end as the coordinator saw them.
double SecondsOf(const coordinator::v1::StageRun& stage);

Progress ToProgress(const coordinator::v1::TrainingRun& run);
Progress ToProgress(const embedding::v1::RefreshJob& job);

// `[#####-----]  50 %`, `width` characters between the brackets.
std::string Bar(int64_t done, int64_t total, int width);

// Seconds that are left at the speed so far; negative if nobody can tell.
double SecondsLeft(const ProgressItem& item);

// The rest of a line after an item's name: state, bar, speed, loss, times.
std::string Describe(const ProgressItem& item, bool with_bar);

// Shows successive states of one Progress on `out`.
class ProgressView {
 public:
  // `out` outlives the view. `terminal`: whether bars may be redrawn.
  ProgressView(std::FILE* out, bool terminal);

  // Redraws, or adds a line for each item whose state changed, or that
  // advanced by another tenth and has said nothing for 5 s.
  void Update(const Progress& progress);

 private:
  void Redraw(const Progress& progress);
  void AddLines(const Progress& progress);

  std::FILE* const out_;
  const bool terminal_;
  size_t lines_drawn_ = 0;
  std::map<std::string, ProgressItem> said_;  // by item: its last line
};

}  // namespace larr::ctl
