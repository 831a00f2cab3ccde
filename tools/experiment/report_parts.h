// SPDX-License-Identifier: Apache-2.0
//
// Sections of an experiment's report (experiment_report.h). One that has
// nothing to show has neither tables nor plots.
//
// Threads:  pure functions.
#pragma once

#include <string>

#include "tools/experiment/findings.h"
#include "tools/report/document.h"

namespace larr::experiment {

// `+0.0064 [+0.0042, +0.0088]`, `-` where nothing is known.
std::string WithInterval(const Difference& difference);

// What a sweep's arm is, e.g. `LARR`: arms of one kind are one line.
std::string KindName(const config::v1::ExperimentArm& arm);

// CTR AUC by slice of the test rows, and its differences.
report::Section SliceSection(const Findings& findings);
// Mean score and mean label in bins of equal mass, of each arm's first seed.
report::Section CalibrationSection(const Findings& findings);
// Losses of every stage that learns, of each arm's first seed.
report::Section CurveSection(const Findings& findings);
// Commands, settings, versions, machines and times.
report::Section RerunSection(const Findings& findings, const std::string& size);

}  // namespace larr::experiment
