// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/report_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "tools/report/numbers.h"

namespace larr::experiment {
namespace {

using namespace report;  // NOLINT: what reports are made of
Series CalibrationSeries(const ArmFindings& arm, const char* bins) {
  Series series{arm.title(), {}};
  const Json* result = arm.First();
  if (result == nullptr || !(*result)["metrics"].contains("test"))
    return series;
  const Json& test = (*result)["metrics"]["test"];
  if (!test.contains(bins)) return series;
  for (const Json& bin : test[bins])
    series.points.push_back(
        {NumberAt(&bin, "mean_score"), NumberAt(&bin, "mean_label")});
  return series;
}

// Mean over seeds of a number about a part of the data: `side` is "metrics",
// of the arm, or "bayes", of the truth on the same rows.
double MeanOf(const ArmFindings& arm, const char* side, const char* part,
              const char* key) {
  Samples samples;
  for (size_t i = 0; i < arm.results.size(); ++i) {
    const Json& result = *arm.results[i];
    if (!result.contains(side) || !result[side].contains(part)) continue;
    const double value = NumberAt(&result[side][part], key);
    if (std::isfinite(value)) samples[static_cast<int>(i)] = {value, {}};
  }
  return Summarize(samples).mean;
}

std::vector<std::string> CalibrationRow(std::string title,
                                        const ArmFindings& arm,
                                        const char* side) {
  std::vector<std::string> row = {std::move(title)};
  for (const char* key :
       {"calibration", "logloss", "ctcvr_calibration", "ctcvr_logloss"})
    row.push_back(AucText(MeanOf(arm, side, "test", key)));
  row.push_back(AucText(MeanOf(arm, side, "validation", "calibration")));
  return row;
}

Table CalibrationTable(const Findings& findings) {
  Table table{
      "Mean prediction over mean label, and log loss, means over seeds, on "
      "test rows and, last, on validation rows:",
      {"arm", "CTR calibration", "CTR log loss", "CTCVR calibration",
       "CTCVR log loss", "CTR calibration, validation"},
      {}};
  const ArmFindings* whole = nullptr;  // tested on all rows
  for (const ArmFindings& arm : findings.arms) {
    if (arm.results.empty()) continue;
    if (!arm.sample_only) whole = &arm;
    table.rows.push_back(CalibrationRow(
        arm.title() + (arm.sample_only ? " (sample)" : ""), arm, "metrics"));
  }
  if (whole != nullptr && HasBayes(findings))
    table.rows.push_back(CalibrationRow("Bayes bound", *whole, "bayes"));
  return table;
}

std::string TextOf(const Json& json, const char* key) {
  return json.value(key, std::string("-"));
}

std::string MachineText(const Json& result) {
  const Json machine = result.value("machine", Json::object());
  return fmt::format("{}, {} cores", TextOf(machine, "cpu"),
                     machine.value("cores", 0));
}

// Of all its stages: a shared one may be of another day. Results that are older
// than that say of none.
std::string CodeText(const Json& result) {
  std::string text;
  std::set<std::string> told;
  for (const Json& stage : result["stages"])
    if (stage.contains("code_version") &&
        told.insert(TextOf(stage, "code_version")).second)
      text += (text.empty() ? "" : ", ") + TextOf(stage, "code_version");
  return text.empty() ? TextOf(result, "code_version") : text;
}

// `-` where all stages are its own.
std::string SharedText(const Json& result) {
  std::string text;
  for (const Json& stage : result["stages"])
    if (stage.contains("shared_from"))
      text += (text.empty() ? "" : ", ") + TextOf(stage, "id");
  return text.empty() ? "-" : text;
}

Table ShardTable(const Findings& findings) {
  Table table{
      "Each row is a file of `experiments/results`, which this report "
      "was made from.",
      {"shard", "seed", "digest", "data", "language model", "code", "date",
       "own time", "shared stages", "machine"},
      {},
      {2, 3, 4, 5, 6, 8, 9}};
  for (const ArmFindings& arm : findings.arms) {
    for (const Json* result : arm.results)
      table.rows.push_back(
          {arm.arm->name(), std::to_string((*result)["seed"].get<int>()),
           TextOf(*result, "digest"), TextOf(*result, "dataset"),
           TextOf(*result, "base_model"), CodeText(*result),
           TextOf(*result, "date").substr(0, 10),
           TimeText(NumberAt(result, "seconds")), SharedText(*result),
           MachineText(*result)});
  }
  return table;
}

// Of an arm's shards, those that ran the stage themselves.
struct StageTimes {
  std::string id, unit;
  double seconds = 0, throughput = 0;
  int count = 0, measured = 0;
};

void AddTimes(const Json& stage, std::vector<StageTimes>& times) {
  if (stage.contains("shared_from")) return;
  const std::string id = TextOf(stage, "id");
  auto at = std::find_if(times.begin(), times.end(),
                         [&](const StageTimes& one) { return one.id == id; });
  if (at == times.end()) at = times.insert(times.end(), StageTimes{id});
  at->seconds += stage.value("seconds", 0.0);
  ++at->count;
  const double throughput = stage.value("throughput", 0.0);
  if (throughput == 0) return;  // it had nothing to do
  at->throughput += throughput;
  at->unit = stage.value("unit", "");
  ++at->measured;
}

Table StageTable(const Findings& findings) {
  Table table{"Stages that shards of this experiment ran, means:",
              {"arm", "stage", "times", "time", "throughput"},
              {},
              {1}};
  for (const ArmFindings& arm : findings.arms) {
    std::vector<StageTimes> times;
    for (const Json* result : arm.results)
      for (const Json& stage : (*result)["stages"]) AddTimes(stage, times);
    for (const StageTimes& stage : times)
      table.rows.push_back(
          {arm.title(), stage.id, std::to_string(stage.count),
           TimeText(stage.seconds / stage.count),
           stage.unit.empty()
               ? "-"
               : fmt::format("{} {}",
                             NumberText(stage.throughput / stage.measured),
                             stage.unit)});
  }
  return table;
}

// Where each pair of arms that a claim compares differs, one column a pair.
Table SliceDifferenceTable(const Findings& findings,
                           const std::vector<std::string>& slices) {
  Table table{
      "Differences of the arms that claims compare, with the 95 % "
      "interval:",
      {"slice"},
      {}};
  for (const std::string& slice : slices) table.rows.push_back({slice});
  std::set<std::pair<std::string, std::string>> compared;
  for (const JudgedClaim& judged : findings.claims) {
    const config::v1::Claim& claim = *judged.claim;
    const ArmFindings& first = *findings.Find(claim.first());
    const ArmFindings& second = *findings.Find(claim.second());
    if (first.sample_only || second.sample_only ||
        !compared.insert({claim.first(), claim.second()}).second)
      continue;
    table.headers.push_back(
        fmt::format("{} minus {}", first.title(), second.title()));
    for (size_t i = 0; i < slices.size(); ++i)
      table.rows[i].push_back(
          WithInterval(CompareArms(first, second, kMetrics[0].key, slices[i],
                                   findings.experiment->spec.seed_overlap())));
  }
  if (table.headers.size() == 1) table.rows.clear();
  return table;
}

}  // namespace

std::string WithInterval(const Difference& difference) {
  if (!std::isfinite(difference.value)) return "-";
  return fmt::format("{} {}", DifferenceText(difference.value),
                     IntervalText(difference.low, difference.high));
}

std::string KindName(const config::v1::ExperimentArm& arm) {
  return config::v1::CtrArchitecture::Kind_Name(
      arm.training().align(0).architecture().kind());
}

Section SliceSection(const Findings& findings) {
  Section section{"By slice",
                  {"CTR AUC on parts of the test rows. `cold` POIs have no "
                   "training impressions, `frequent` ones are the most shown "
                   "that had half of them together, `rare` are the others; the "
                   "other slices are the dataset's."}};
  const auto slices = SliceNames(findings);
  if (slices.empty()) return section;
  Table table{"", {"arm"}, {}};
  Plot plot{"CTR AUC", "", {}};
  plot.rows = slices;
  for (const std::string& slice : slices) table.headers.push_back(slice);
  for (const ArmFindings& arm : findings.arms) {
    // Of a sample's slices few rows are left.
    if (arm.results.empty() || arm.sample_only) continue;
    std::vector<std::string> row = {arm.title()};
    Series series{arm.title(), {}};
    for (size_t i = 0; i < slices.size(); ++i) {
      const Summary s = Summarize(SamplesOf(arm, kMetrics[0].key, slices[i]));
      row.push_back(AucText(s.mean));
      if (s.seeds > 0)
        series.points.push_back({static_cast<double>(i), s.mean});
    }
    table.rows.push_back(std::move(row));
    plot.series.push_back(std::move(series));
  }
  if (HasBayes(findings)) {
    std::vector<std::string> bayes = {"Bayes bound"};
    for (const std::string& slice : slices)
      bayes.push_back(AucText(BayesOf(findings, kMetrics[0].key, slice)));
    table.rows.push_back(std::move(bayes));
  }
  section.tables.push_back(std::move(table));
  Table differences = SliceDifferenceTable(findings, slices);
  if (!differences.rows.empty())
    section.tables.push_back(std::move(differences));
  section.plots.push_back(std::move(plot));
  return section;
}

Section CalibrationSection(const Findings& findings) {
  Section section{"Calibration",
                  {"Test rows in bins of equal mass by what was predicted, of "
                   "each arm's first seed; on the diagonal a prediction is as "
                   "often right as it says."}};
  const std::pair<const char*, const char*> tasks[] = {
      {"CTR", "calibration_bins"}, {"CTCVR", "ctcvr_calibration_bins"}};
  for (const auto& [title, bins] : tasks) {
    Plot plot{title, "mean prediction", {}};
    plot.diagonal = plot.markers = true;
    for (const ArmFindings& arm : findings.arms) {
      Series series = CalibrationSeries(arm, bins);
      if (!series.points.empty()) plot.series.push_back(std::move(series));
    }
    if (!plot.series.empty()) section.plots.push_back(std::move(plot));
  }
  if (!section.plots.empty())
    section.tables.push_back(CalibrationTable(findings));
  return section;
}

Section CurveSection(const Findings& findings) {
  Section section{"Loss curves",
                  {"Training loss by step, of each arm's first seed."}};
  std::map<std::string, Plot> plots;
  std::set<std::pair<std::string, std::string>> drawn;
  for (const ArmFindings& arm : findings.arms) {
    const Json* result = arm.First();
    if (result == nullptr || !result->contains("curves")) continue;
    for (const auto& [stage, points] : (*result)["curves"].items()) {
      // Arms that share a stage share its curve.
      if (stage != "align" && !drawn.insert({stage, points.dump()}).second)
        continue;
      Series series{arm.title(), {}};
      for (const Json& point : points)
        series.points.push_back(
            {point[0].get<double>(), point[1].get<double>()});
      Plot& plot = plots[stage];
      plot.caption = stage;
      plot.x_title = "step";
      plot.series.push_back(std::move(series));
    }
  }
  for (const char* stage : {"pretrain", "contrast", "align"})
    if (plots.contains(stage)) section.plots.push_back(std::move(plots[stage]));
  return section;
}

Section RerunSection(const Findings& findings, const std::string& size) {
  const auto& spec = findings.experiment->spec;
  Section section{
      "Running it again",
      {fmt::format("`./larr experiment {} --size={}` runs what is missing: to "
                   "run a shard again, remove its file first.",
                   spec.name(), size)}};
  if (findings.shards_done == 0) return section;
  section.tables = {ShardTable(findings), StageTable(findings)};
  for (const ArmFindings& arm : findings.arms)
    if (!arm.shards.empty())
      section.details.push_back(
          {fmt::format("settings of {}, seed {}", arm.title(),
                       arm.shards.front().seed),
           arm.shards.front().text});
  return section;
}

}  // namespace larr::experiment
