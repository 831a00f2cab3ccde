// SPDX-License-Identifier: Apache-2.0
//
// Sections of an experiment's report (experiment_report.h) about texts: what
// the language model learned, and what the recommender reads of it. One that
// has nothing to show has neither tables nor plots.
//
// Threads:  pure functions.
#pragma once

#include "tools/experiment/findings.h"
#include "tools/report/document.h"

namespace larr::experiment {

// What the language model's stages did to what was held out from them.
report::Section TextStageSection(const Findings& findings);
// What LARR's agg attends to, by feature, and of the last arm also by slice.
report::Section AttentionSection(const Findings& findings);
// POIs in the plane of their vectors, of each language model.
report::Section MapSection(const Findings& findings);

}  // namespace larr::experiment
