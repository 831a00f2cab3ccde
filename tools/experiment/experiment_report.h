// SPDX-License-Identifier: Apache-2.0
//
// The report of one experiment, from its findings alone: claims, tables like
// the paper's with the paper's figures in columns of their own, slices, sweep,
// curves, calibration, what the language model's stages did, and everything
// that running it again takes.
//
// Threads:  pure functions.
#pragma once

#include <string>

#include "tools/experiment/findings.h"
#include "tools/report/document.h"

namespace larr::experiment {

report::Document MakeExperimentReport(const Findings& findings,
                                      const std::string& size);

// Claims with differences, intervals and verdicts.
report::Table ClaimTable(const Findings& findings);

// How intervals come about, in words: once in each report.
std::string StatisticsText();

}  // namespace larr::experiment
