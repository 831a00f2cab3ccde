// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/text_parts.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/report/numbers.h"

namespace larr::experiment {
namespace {

using namespace report;  // NOLINT: what reports are made of
// Losses of what stage 1 held out, before and after, where they are told by
// measure; one row for each language model.
void AddPretraining(const ArmFindings& arm, const Json& held_out,
                    Table& table) {
  if (!held_out.contains("measures")) return;
  for (const auto& [name, measure] : held_out["measures"].items())
    table.rows.push_back({arm.title(), name,
                          NumberText(NumberAt(&measure, "loss_before")),
                          NumberText(NumberAt(&measure, "loss_after"))});
}

void AddRecall(const ArmFindings& arm, const Json& recall, Table& table) {
  if (!recall.contains("before") || !recall.contains("after")) return;
  for (const auto& [kind, after] : recall["after"].items()) {
    if (!after.contains("complete")) continue;
    const Json& now = after["complete"];
    const Json then = recall["before"]
                          .value(kind, Json::object())
                          .value("complete", Json::object());
    table.rows.push_back({arm.title(), kind, CountText(NumberAt(&now, "pairs")),
                          PercentText(NumberAt(&now, "chance@10")),
                          PercentText(NumberAt(&then, "recall@10")),
                          PercentText(NumberAt(&now, "recall@10"))});
  }
}

// The case studies (recall.h) of an arm's language models, each once.
std::vector<const Json*> StudiesOf(const ArmFindings& arm) {
  std::vector<const Json*> studies;
  std::set<std::string> seen;
  for (const Json* result : arm.results)
    if (result->contains("recall") &&
        seen.insert((*result)["recall"].dump()).second)
      studies.push_back(&(*result)["recall"]);
  return studies;
}

Summary MeanOf(const std::vector<const Json*>& told, const char* key) {
  Samples samples;
  for (size_t i = 0; i < told.size(); ++i)
    samples[static_cast<int>(i)] = {NumberAt(told[i], key), {}};
  return Summarize(samples);
}

// With the deviation, where there are several language models.
std::string ShareText(const Summary& share) {
  std::string text = PercentText(share.mean);
  if (share.deviation > 1e-9)  // chance is the same for all
    text += fmt::format(" ± {}", PercentText(share.deviation));
  return text;
}

void AddStudies(const ArmFindings& arm, const std::vector<const Json*>& studies,
                Table& table) {
  std::vector<std::string> row = {arm.title(), std::to_string(studies.size())};
  for (const char* key : {"precision", "precision_chance", "cuisine_share",
                          "cuisine_share_chance", "cuisine_share_in_city"})
    row.push_back(ShareText(MeanOf(studies, key)));
  table.rows.push_back(std::move(row));
}

// In the region, region by region.
void AddRegions(const ArmFindings& arm, const std::vector<const Json*>& studies,
                Table& table) {
  if (!studies[0]->contains("regions")) return;
  std::vector<std::string> headers = {"arm"}, row = {arm.title()};
  const Json& regions = studies[0]->at("regions");
  for (size_t r = 0; r < regions.size(); ++r) {
    std::vector<const Json*> told;
    for (const Json* study : studies)
      told.push_back(&study->at("regions").at(r));
    headers.push_back(regions[r].value("region", "-"));
    row.push_back(PercentText(MeanOf(told, "precision").mean));
  }
  // Of another city's regions there is no column.
  if (table.rows.empty()) table.headers = headers;
  if (table.headers == headers) table.rows.push_back(std::move(row));
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

Section TextStageSection(const Findings& findings) {
  Section section{"What the language model learned",
                  {"On texts and pairs that its stages never saw; arms that "
                   "share a language model are named once. Tables of stages "
                   "are of an arm's first seed."}};
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
  Table studies{
      "The ten POIs nearest to a user who travels on vacation in a "
      "region, by the vectors alone, mean of all regions, and mean and "
      "deviation of the arm's language models; the query names the region, "
      "POIs name their city:",
      {"arm", "models", "in the region", "chance", "of its cuisine", "chance",
       "chance within the city"},
      {}};
  Table regions{"In the region, region by region:", {}, {}};
  std::set<std::string> seen;
  for (const ArmFindings& arm : findings.arms) {
    const Json* result = arm.First();
    if (result == nullptr) continue;
    const auto models = StudiesOf(arm);
    if (!models.empty() && seen.insert(models.back()->dump()).second) {
      AddStudies(arm, models, studies);
      AddRegions(arm, models, regions);
    }
    for (const char* stage : {"pretrain", "contrast"}) {
      if (!result->contains(stage)) continue;
      const Json& told = (*result)[stage];
      if (!seen.insert(stage + told.dump()).second) continue;
      stage[0] == 'p' ? AddPretraining(arm, told, losses)
                      : AddRecall(arm, told, recall);
    }
  }
  for (Table& table : std::vector{studies, regions, losses, recall})
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
    const Json* result = arm.First();
    if (result == nullptr || !result->contains("recall")) continue;
    const Json& recall = (*result)["recall"];
    if (!recall.contains("map") || !drawn.insert(recall["map"].dump()).second)
      continue;
    const std::string share =
        fmt::format("{} of the variance",
                    PercentText(NumberAt(&recall["map"], "explained")));
    section.plots.push_back(
        MapPlot(fmt::format("{}: by city, {}", arm.title(), share),
                recall["map"], "cities", 2));
    section.plots.push_back(MapPlot(fmt::format("{}: by category", arm.title()),
                                    recall["map"], "categories", 3));
  }
  return section;
}

}  // namespace larr::experiment
