// SPDX-License-Identifier: Apache-2.0
//
// All experiments at a glance: the index of the pages, and the Markdown copy of
// everything, whose first screen has the headline and its limits.
//
// Threads:  one
// Errors:   those of files.h
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/experiment/document.h"
#include "tools/experiment/findings.h"

namespace larr::experiment {

// How many claims are held, and the first claim of the first experiment that
// has one, with its figures.
std::string Headline(const std::vector<Findings>& all);

// Every experiment with a line for each claim; one without results is listed
// as not run. `links`: names are links to `<name>.html`.
Document MakeOverview(const std::vector<Findings>& all, const std::string& size,
                      const std::string& limits, bool links);

// Writes `index.html` and `<name>.html` of each experiment into `folder`.
absl::Status WritePages(const std::vector<Findings>& all,
                        const std::string& size, const std::string& limits,
                        const std::filesystem::path& folder);

// The overview, then each experiment that has results.
std::string OverviewMarkdown(const std::vector<Findings>& all,
                             const std::string& size,
                             const std::string& limits);

}  // namespace larr::experiment
