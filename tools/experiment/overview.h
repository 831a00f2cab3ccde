// SPDX-License-Identifier: Apache-2.0
//
// All experiments at a glance: the index of the pages, and the Markdown copy of
// everything, whose first screen has the headline and its limits.
//
// Threads:  one
// Errors:   those of files.h
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/experiment/findings.h"
#include "tools/report/document.h"

namespace larr::experiment {

// What reports are made of.
struct Evidence {
  std::vector<Findings> experiments;
  std::string size;
  std::string limits;  // What a reader must know of all.
  // Those that were run, by the names of their pages.
  std::map<std::string, report::Document> online_tests;
};

// How many claims are held, and the first claim of the first experiment that
// has one, with its figures.
std::string Headline(const std::vector<Findings>& all);

// The headline claims that were tried and are not held, or undecided, in words;
// empty if there are none.
std::string HeadlineMisses(const std::vector<Findings>& all);

// Every experiment with a line for each claim; one without results is listed
// as not run. `links`: names are links to `<name>.html`.
report::Document MakeOverview(const Evidence& evidence, bool links);

// Writes `index.html` and `<name>.html` of each experiment and each online test
// into `folder`.
absl::Status WritePages(const Evidence& evidence,
                        const std::filesystem::path& folder);

// The overview, then each experiment that has results, and the online tests.
// `picture`: the address of HeadlineFigure.
std::string OverviewMarkdown(const Evidence& evidence,
                             const std::string& picture);

// A picture, as SVG, of the claims that are headlines.
std::string HeadlineFigure(const std::vector<Findings>& all);

}  // namespace larr::experiment
