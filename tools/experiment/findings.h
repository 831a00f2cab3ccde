// SPDX-License-Identifier: Apache-2.0
//
// What an experiment found: its arms with the results that are there, read by
// metric and slice, and its claims judged.
//
// Lifetime: refers to the experiment and to the results.
// Threads:  one at a time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/experiment/experiment.h"
#include "tools/experiment/results.h"
#include "tools/experiment/statistics.h"

namespace larr::experiment {

// The metrics of the paper's tables.
struct Metric {
  const char* key;    // in metrics.json
  const char* title;  // in tables
};
inline constexpr Metric kMetrics[] = {{"ctr_auc", "CTR AUC"},
                                      {"ctcvr_auc", "CTCVR AUC"},
                                      {"ctr_gauc", "CTR GAUC"},
                                      {"ctcvr_gauc", "CTCVR GAUC"}};
// The slice of rows that a slow arm is tested on (EvaluateConfig).
inline constexpr char kSample[] = "sample";

struct ArmFindings {
  const config::v1::ExperimentArm* arm = nullptr;
  std::vector<Shard> shards;         // those with a result, by seed
  std::vector<const Json*> results;  // one for each shard
  bool sample_only = false;          // tested on the rows of `sample` alone

  std::string title() const { return TitleOf(*arm); }
  // The result of its first seed; null if it has none.
  const Json* First() const {
    return results.empty() ? nullptr : results.front();
  }
};

struct JudgedClaim {
  const config::v1::Claim* claim = nullptr;
  Difference difference;
  Verdict verdict = Verdict::kUndecided;
};

struct Findings {
  const Experiment* experiment = nullptr;
  std::vector<ArmFindings> arms;  // all, in the experiment's order
  std::vector<JudgedClaim> claims;
  int shards_done = 0;
  int shards = 0;  // that the experiment asks for

  const ArmFindings* Find(const std::string& name) const;
};

Findings Collect(const Experiment& experiment, const Results& results);

// A test metric by seed, with its draws. `slice` empty: of all rows that the
// arm was tested on. Seeds without it are left out.
Samples SamplesOf(const ArmFindings& arm, const std::string& metric,
                  const std::string& slice = "");

// first - second on rows that both were tested on. `overlap`: see Compare.
Difference CompareArms(const ArmFindings& first, const ArmFindings& second,
                       const std::string& metric, const std::string& slice = "",
                       double overlap = 0);

// The claim in words: `LARR above PLE, slice cold`.
std::string ClaimText(const Findings& findings, const config::v1::Claim& claim);
std::string VerdictText(Verdict verdict);

// The slices that any result has, POIs' first; `sample` is none of them.
std::vector<std::string> SliceNames(const Findings& findings);

// A number of a result, NaN where there is none. `json` may be null.
double NumberAt(const Json* json, const std::string& key);

// The best possible value of a metric, NaN where it is not known.
double BayesOf(const Findings& findings, const std::string& metric,
               const std::string& slice = "");
// False for data whose truth nobody knows.
bool HasBayes(const Findings& findings);

}  // namespace larr::experiment
