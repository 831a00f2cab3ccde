// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <utility>

namespace larr::experiment {
namespace {

// Seeds that are looked for: more than anyone runs.
constexpr int kMostSeeds = 64;

// `json` at a path of keys; null if it is not there.
const Json* At(const Json* json, std::initializer_list<std::string> path) {
  for (const std::string& key : path) {
    if (json == nullptr || !json->is_object()) return nullptr;
    const auto found = json->find(key);
    json = found == json->end() ? nullptr : &*found;
  }
  return json;
}

// Of all rows, or of a slice.
const Json* Part(const Json* test, const std::string& slice) {
  return slice.empty() ? test : At(test, {"slices", slice});
}

std::vector<double> DrawsOf(const Json& result, const std::string& metric,
                            const std::string& slice) {
  const Json* draws =
      slice.empty() ? At(&result, {"replicates", "all", metric})
                    : At(&result, {"replicates", "slices", slice, metric});
  std::vector<double> values;
  if (draws == nullptr || !draws->is_array()) return values;
  for (const Json& value : *draws)
    values.push_back(value.is_number()
                         ? value.get<double>()
                         : std::numeric_limits<double>::quiet_NaN());
  return values;
}

ArmFindings CollectArm(const Experiment& experiment,
                       const config::v1::ExperimentArm& arm,
                       const Results& results) {
  ArmFindings findings;
  findings.arm = &arm;
  for (int seed = 1; seed <= kMostSeeds; ++seed) {
    Shard shard = MakeShard(experiment, arm, seed);
    findings.sample_only = shard.settings.evaluate().sample_only();
    if (const Json* result = results.Find(shard)) {
      findings.shards.push_back(std::move(shard));
      findings.results.push_back(result);
    }
  }
  return findings;
}

JudgedClaim Judge(const Findings& findings, const config::v1::Claim& claim) {
  JudgedClaim judged{&claim};
  judged.difference = CompareArms(
      *findings.Find(claim.first()), *findings.Find(claim.second()),
      kMetrics[0].key, claim.slice(), findings.experiment->spec.seed_overlap());
  judged.verdict = claim.equal() ? JudgeEqual(judged.difference)
                                 : JudgeAbove(judged.difference, claim.by());
  return judged;
}

}  // namespace

const ArmFindings* Findings::Find(const std::string& name) const {
  for (const ArmFindings& arm : arms)
    if (arm.arm->name() == name) return &arm;
  return nullptr;
}

Findings Collect(const Experiment& experiment, const Results& results) {
  Findings findings;
  findings.experiment = &experiment;
  for (const auto& arm : experiment.spec.arms()) {
    findings.arms.push_back(CollectArm(experiment, arm, results));
    const int wanted = SeedsOf(experiment.spec, arm);
    findings.shards += wanted;
    for (const Shard& shard : findings.arms.back().shards)
      findings.shards_done += shard.seed <= wanted;
  }
  for (const auto& claim : experiment.spec.claims())
    findings.claims.push_back(Judge(findings, claim));
  return findings;
}

Samples SamplesOf(const ArmFindings& arm, const std::string& metric,
                  const std::string& slice) {
  Samples samples;
  for (size_t i = 0; i < arm.shards.size(); ++i) {
    const Json& result = *arm.results[i];
    const double value =
        NumberAt(Part(At(&result, {"metrics", "test"}), slice), metric);
    if (std::isfinite(value))
      samples[arm.shards[i].seed] = {value, DrawsOf(result, metric, slice)};
  }
  return samples;
}

Difference CompareArms(const ArmFindings& first, const ArmFindings& second,
                       const std::string& metric, const std::string& slice,
                       double overlap) {
  if (first.sample_only == second.sample_only)
    return Compare(SamplesOf(first, metric, slice),
                   SamplesOf(second, metric, slice), overlap);
  // A slice of the sample's rows is known of neither; the sample itself has
  // the same draws, scored alone or as a slice.
  if (!slice.empty()) return Compare({}, {});
  const auto on_sample = [&](const ArmFindings& arm) {
    return SamplesOf(arm, metric, arm.sample_only ? "" : kSample);
  };
  return Compare(on_sample(first), on_sample(second), overlap);
}

std::string ClaimText(const Findings& findings,
                      const config::v1::Claim& claim) {
  std::string text =
      fmt::format("{} {} {}", findings.Find(claim.first())->title(),
                  claim.equal() ? "as good as" : "above",
                  findings.Find(claim.second())->title());
  if (claim.by() > 0) text += fmt::format(" by {}", claim.by());
  if (!claim.slice().empty()) text += fmt::format(", slice {}", claim.slice());
  return text;
}

std::string VerdictText(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHeld:
      return "held";
    case Verdict::kNotHeld:
      return "not held";
    case Verdict::kUndecided:
      return "undecided";
  }
  return "undecided";
}

std::vector<std::string> SliceNames(const Findings& findings) {
  std::vector<std::string> names;
  for (const ArmFindings& arm : findings.arms) {
    for (const Json* result : arm.results) {
      const Json* slices = At(result, {"metrics", "test", "slices"});
      if (slices == nullptr || !slices->is_object()) continue;
      for (const auto& [name, slice] : slices->items()) {
        if (name != kSample &&
            std::find(names.begin(), names.end(), name) == names.end())
          names.push_back(name);
      }
    }
  }
  return names;
}

double NumberAt(const Json* json, const std::string& key) {
  const Json* value = At(json, {key});
  return value != nullptr && value->is_number()
             ? value->get<double>()
             : std::numeric_limits<double>::quiet_NaN();
}

double BayesOf(const Findings& findings, const std::string& metric,
               const std::string& slice) {
  for (const ArmFindings& arm : findings.arms) {
    if (arm.sample_only) continue;
    for (const Json* result : arm.results) {
      const double value =
          NumberAt(Part(At(result, {"bayes", "test"}), slice), metric);
      if (std::isfinite(value)) return value;
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

bool HasBayes(const Findings& findings) {
  return std::isfinite(BayesOf(findings, kMetrics[0].key));
}

}  // namespace larr::experiment
