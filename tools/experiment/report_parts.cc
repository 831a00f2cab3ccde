// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/report_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "tools/experiment/numbers.h"

namespace larr::experiment {
namespace {

// The result of an arm's first seed; null if it has none.
const Json* First(const ArmFindings& arm) {
  return arm.results.empty() ? nullptr : arm.results.front();
}

double Number(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_number() ? json[key].get<double>()
                                                     : std::nan("");
}

Series CalibrationSeries(const ArmFindings& arm, const char* bins) {
  Series series{arm.title(), {}};
  const Json* result = First(arm);
  if (result == nullptr || !(*result)["metrics"].contains("test"))
    return series;
  const Json& test = (*result)["metrics"]["test"];
  if (!test.contains(bins)) return series;
  for (const Json& bin : test[bins])
    series.points.push_back(
        {Number(bin, "mean_score"), Number(bin, "mean_label")});
  return series;
}

Table CalibrationTable(const Findings& findings) {
  Table table{
      "Mean prediction over mean label, and log loss, means over seeds:",
      {"arm", "CTR calibration", "CTR log loss", "CTCVR calibration",
       "CTCVR log loss"},
      {}};
  for (const ArmFindings& arm : findings.arms) {
    if (arm.results.empty()) continue;
    std::vector<std::string> row = {arm.title()};
    for (const char* key :
         {"calibration", "logloss", "ctcvr_calibration", "ctcvr_logloss"})
      row.push_back(AucText(Summarize(SamplesOf(arm, key)).mean));
    table.rows.push_back(std::move(row));
  }
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
           TextOf(*result, "base_model"), TextOf(*result, "code_version"),
           TextOf(*result, "date").substr(0, 10),
           TimeText(Number(*result, "seconds")), SharedText(*result),
           MachineText(*result)});
  }
  return table;
}

// Means over the shards that ran the stage themselves.
Table StageTable(const Findings& findings) {
  struct Sum {
    double seconds = 0, throughput = 0;
    int count = 0;
    std::string unit;
  };
  std::vector<std::pair<std::string, Sum>> sums;
  std::set<std::string> counted;
  for (const ArmFindings& arm : findings.arms) {
    for (const Json* result : arm.results) {
      if (!counted.insert(TextOf(*result, "digest")).second) continue;
      for (const Json& stage : (*result)["stages"]) {
        if (stage.contains("shared_from")) continue;
        const std::string id = TextOf(stage, "id");
        auto at = std::find_if(sums.begin(), sums.end(), [&](const auto& one) {
          return one.first == id;
        });
        if (at == sums.end()) at = sums.insert(sums.end(), {id, Sum()});
        at->second.seconds += stage.value("seconds", 0.0);
        at->second.throughput += stage.value("throughput", 0.0);
        at->second.unit = stage.value("unit", "");
        ++at->second.count;
      }
    }
  }
  Table table{"Stages that were run, shared ones once:",
              {"stage", "times", "mean time", "mean throughput"},
              {}};
  for (const auto& [id, sum] : sums)
    table.rows.push_back(
        {id, std::to_string(sum.count), TimeText(sum.seconds / sum.count),
         sum.unit.empty()
             ? "-"
             : fmt::format("{} {}", NumberText(sum.throughput / sum.count),
                           sum.unit)});
  return table;
}

// Losses of what stage 1 held out, before and after, where they are told by
// measure; one row for each language model.
void AddPretraining(const ArmFindings& arm, const Json& held_out,
                    Table& table) {
  if (!held_out.contains("measures")) return;
  for (const auto& [name, measure] : held_out["measures"].items())
    table.rows.push_back({arm.title(), name,
                          NumberText(Number(measure, "loss_before")),
                          NumberText(Number(measure, "loss_after"))});
}

void AddRecall(const ArmFindings& arm, const Json& recall, Table& table) {
  if (!recall.contains("before") || !recall.contains("after")) return;
  for (const auto& [kind, after] : recall["after"].items()) {
    if (!after.contains("complete")) continue;
    const Json& now = after["complete"];
    const Json then = recall["before"]
                          .value(kind, Json::object())
                          .value("complete", Json::object());
    table.rows.push_back({arm.title(), kind, CountText(Number(now, "pairs")),
                          PercentText(Number(now, "chance@10")),
                          PercentText(Number(then, "recall@10")),
                          PercentText(Number(now, "recall@10"))});
  }
}

void AddRegions(const ArmFindings& arm, const Json& recall, Table& table) {
  std::vector<std::string> row = {arm.title()};
  for (const char* key : {"precision", "precision_chance", "cuisine_share",
                          "cuisine_share_chance", "cuisine_share_in_city"})
    row.push_back(PercentText(Number(recall, key)));
  table.rows.push_back(std::move(row));
}

// Mean over an arm's seeds; empty where no shard tells.
std::vector<double> AttentionOf(const ArmFindings& arm,
                                const std::string& slice) {
  std::vector<double> mean;
  int seeds = 0;
  for (const Json* result : arm.results) {
    const Json told = (*result)["metrics"].value("attention", Json::object());
    const Json weights =
        slice.empty()
            ? told.value("all", Json())
            : told.value("slices", Json::object()).value(slice, Json());
    if (!weights.is_array()) continue;
    mean.resize(weights.size());
    for (size_t i = 0; i < weights.size(); ++i)
      mean[i] += weights[i].get<double>();
    ++seeds;
  }
  for (double& weight : mean) weight /= seeds;
  return mean;
}

std::vector<std::string> AttendedBy(const ArmFindings& arm) {
  for (const Json* result : arm.results) {
    const Json& metrics = (*result)["metrics"];
    if (metrics.contains("attention"))
      return metrics["attention"]["features"].get<std::vector<std::string>>();
  }
  return {};
}

std::vector<std::string> AttentionRow(const std::string& name,
                                      const std::vector<double>& weights) {
  std::vector<std::string> row = {name};
  for (const double weight : weights) row.push_back(PercentText(weight));
  return row;
}

// The same POIs twice, by the two names that each has: `at` is the name's
// position within a point.
Plot MapPlot(const std::string& caption, const Json& map, const char* names,
             size_t at) {
  Plot plot{caption, "", {}};
  plot.scatter = true;
  for (const Json& name : map[names])
    plot.series.push_back({name.get<std::string>(), {}});
  for (const Json& point : map["points"])
    plot.series[point[at].get<size_t>()].points.push_back(
        {point[0].get<double>(), point[1].get<double>()});
  return plot;
}

}  // namespace

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
    if (arm.results.empty()) continue;
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
  std::vector<std::string> bayes = {"Bayes bound"};
  for (const std::string& slice : slices)
    bayes.push_back(AucText(BayesOf(findings, kMetrics[0].key, slice)));
  table.rows.push_back(std::move(bayes));
  section.tables.push_back(std::move(table));
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
    const Json* result = First(arm);
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

Section TextStageSection(const Findings& findings) {
  Section section{"What the language model learned",
                  {"On texts and pairs that its stages never saw; arms that "
                   "share a language model are named once."}};
  Table losses{"Stage 1, loss on held-out POI descriptions:",
               {"arm", "measure", "before", "after"},
               {},
               {1}};
  Table recall{
      "Stage 2, held-out pairs whose partner is among the nearest "
      "ten:",
      {"arm", "pairs of", "pairs", "chance", "before", "after"},
      {},
      {1}};
  Table regions{
      "The ten POIs nearest to a user who travels on vacation in a "
      "region, by the vectors alone, mean of all regions; the query "
      "names the region, POIs name their city:",
      {"arm", "in the region", "chance", "of its cuisine", "chance",
       "chance within the city"},
      {}};
  std::set<std::string> seen;
  for (const ArmFindings& arm : findings.arms) {
    const Json* result = First(arm);
    if (result == nullptr) continue;
    if (result->contains("recall") &&
        seen.insert((*result)["recall"].dump()).second)
      AddRegions(arm, (*result)["recall"], regions);
    for (const char* stage : {"pretrain", "contrast"}) {
      if (!result->contains(stage)) continue;
      const Json& told = (*result)[stage];
      if (!seen.insert(stage + told.dump()).second) continue;
      stage[0] == 'p' ? AddPretraining(arm, told, losses)
                      : AddRecall(arm, told, recall);
    }
  }
  for (Table& table : std::vector{regions, losses, recall})
    if (!table.rows.empty()) section.tables.push_back(std::move(table));
  return section;
}

Section AttentionSection(const Findings& findings) {
  Section section{"What the scene encoder looks at",
                  {"Weights that agg gives to each text and to itself, means "
                   "over heads, test rows and seeds."}};
  const ArmFindings* last = nullptr;
  Plot plot{"weight by feature", "", {}};
  for (const ArmFindings& arm : findings.arms) {
    const auto features = AttendedBy(arm);
    // Arms that read other features have other columns.
    if (features.empty() || (last && features != plot.rows)) continue;
    if (last == nullptr) {
      plot.rows = features;
      section.tables.push_back({"", {"arm"}, {}});
      for (const std::string& name : features)
        section.tables[0].headers.push_back(name);
    }
    last = &arm;
    const auto weights = AttentionOf(arm, "");
    section.tables[0].rows.push_back(AttentionRow(arm.title(), weights));
    Series series{arm.title(), {}};
    for (size_t i = 0; i < weights.size(); ++i)
      series.points.push_back({static_cast<double>(i), weights[i]});
    plot.series.push_back(std::move(series));
  }
  if (last == nullptr) return section;
  section.plots.push_back(std::move(plot));
  Table slices{fmt::format("{}, by slice:", last->title()),
               section.tables[0].headers,
               {}};
  slices.headers[0] = "slice";
  for (const std::string& slice : SliceNames(findings)) {
    const auto weights = AttentionOf(*last, slice);
    if (!weights.empty()) slices.rows.push_back(AttentionRow(slice, weights));
  }
  if (!slices.rows.empty()) section.tables.push_back(std::move(slices));
  return section;
}

Section MapSection(const Findings& findings) {
  Section section{
      "Where the vectors put POIs",
      {"A part of the POIs, by the two principal components of their "
       "descriptions' vectors, of each language model. The category is what "
       "the platform shows, wrong for one POI in seven."}};
  std::set<std::string> drawn;
  for (const ArmFindings& arm : findings.arms) {
    const Json* result = First(arm);
    if (result == nullptr || !result->contains("recall")) continue;
    const Json& recall = (*result)["recall"];
    if (!recall.contains("map") || !drawn.insert(recall["map"].dump()).second)
      continue;
    const std::string share = fmt::format(
        "{} of the variance", PercentText(Number(recall["map"], "explained")));
    section.plots.push_back(
        MapPlot(fmt::format("{}: by city, {}", arm.title(), share),
                recall["map"], "cities", 2));
    section.plots.push_back(MapPlot(fmt::format("{}: by category", arm.title()),
                                    recall["map"], "categories", 3));
  }
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
