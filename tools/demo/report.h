// SPDX-License-Identifier: Apache-2.0
//
// What the demo found out, as `report.json` (docs/demo.md describes it), as
// `report.html` that opens offline, and as a table on the terminal.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/demo/demo.h"

namespace larr::demo {

// What each part of the demo said.
struct Findings {
  Json city;
  Json training;
  Json served;
  Json refresh;
  Json recall;
};

// Adds the metrics of the evaluation and the loss curves of the stages.
absl::StatusOr<Json> MakeReport(const Demo& demo, const Findings& findings);

// Writes `report.json` and `report.html`.
absl::Status WriteReport(const Demo& demo, const Json& report);

// The tables, and a line for each further point, that the demo ends with.
std::string ReportText(const Json& report);

}  // namespace larr::demo
