// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/experiment_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "tools/experiment/report_parts.h"
#include "tools/experiment/text_parts.h"
#include "tools/report/numbers.h"

namespace larr::experiment {
namespace {

using namespace report;  // NOLINT: what reports are made of
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string Metric4(const ArmFindings& arm, const char* key,
                    const std::string& slice = "") {
  const Summary summary = Summarize(SamplesOf(arm, key, slice));
  return AucText(summary.mean, summary.deviation);
}

std::vector<std::string> PaperCells(const config::v1::PaperFigures& paper) {
  return {AucText(paper.has_ctr_auc() ? paper.ctr_auc() : kNaN),
          AucText(paper.has_ctcvr_auc() ? paper.ctcvr_auc() : kNaN),
          AucText(paper.has_ctr_gauc() ? paper.ctr_gauc() : kNaN),
          AucText(paper.has_ctcvr_gauc() ? paper.ctcvr_gauc() : kNaN)};
}

bool HasPaper(const Findings& findings) {
  return std::any_of(findings.arms.begin(), findings.arms.end(),
                     [](const ArmFindings& a) { return a.arm->has_paper(); });
}

bool HasSampleOnly(const Findings& findings) {
  return std::any_of(findings.arms.begin(), findings.arms.end(),
                     [](const ArmFindings& a) { return a.sample_only; });
}

Table MainTable(const Findings& findings) {
  const bool paper = HasPaper(findings);
  Table table{"", {"arm"}, {}};
  for (const Metric& metric : kMetrics) table.headers.push_back(metric.title);
  table.headers.push_back("seeds");
  if (paper)
    for (const Metric& metric : kMetrics)
      table.headers.push_back(fmt::format("paper {}", metric.title));
  for (const ArmFindings& arm : findings.arms) {
    std::vector<std::string> row = {arm.title() +
                                    (arm.sample_only ? " (sample)" : "")};
    for (const Metric& metric : kMetrics)
      row.push_back(Metric4(arm, metric.key));
    row.push_back(arm.results.empty() ? "not run"
                                      : std::to_string(arm.results.size()));
    if (paper)
      for (std::string& cell : PaperCells(arm.arm->paper()))
        row.push_back(std::move(cell));
    table.rows.push_back(std::move(row));
  }
  if (HasBayes(findings)) {
    std::vector<std::string> bayes = {"Bayes bound"};
    for (const Metric& metric : kMetrics)
      bayes.push_back(AucText(BayesOf(findings, metric.key)));
    bayes.resize(table.headers.size(), "-");
    table.rows.push_back(std::move(bayes));
  }
  return table;
}

// All arms on the rows that the slow one was tested on.
Table SampleTable(const Findings& findings) {
  Table table{
      "On the rows of the sample alone, which the slow arm was tested "
      "on:",
      {"arm"},
      {}};
  for (const Metric& metric : kMetrics) table.headers.push_back(metric.title);
  for (const ArmFindings& arm : findings.arms) {
    std::vector<std::string> row = {arm.title()};
    for (const Metric& metric : kMetrics)
      row.push_back(Metric4(arm, metric.key, arm.sample_only ? "" : kSample));
    table.rows.push_back(std::move(row));
  }
  std::vector<std::string> bayes = {"Bayes bound"};
  for (const Metric& metric : kMetrics)
    bayes.push_back(AucText(BayesOf(findings, metric.key, kSample)));
  table.rows.push_back(std::move(bayes));
  return table;
}

// One row for each arm, with two deviations of its mean to either side.
Plot ArmPlot(const Findings& findings, const Metric& metric) {
  Plot plot{metric.title, "", {}};
  for (const ArmFindings& arm : findings.arms) {
    const Summary s = Summarize(SamplesOf(arm, metric.key));
    if (s.seeds == 0) continue;
    const auto row = static_cast<double>(plot.rows.size());
    const double reach = s.deviation / std::sqrt(s.seeds) * 2;
    plot.rows.push_back(arm.title());
    plot.series.push_back(
        {arm.title(), {{row, s.mean, s.mean - reach, s.mean + reach}}});
  }
  const double bayes = BayesOf(findings, metric.key);
  if (std::isfinite(bayes)) {
    plot.series.push_back(
        {"Bayes bound", {{static_cast<double>(plot.rows.size()), bayes}}});
    plot.rows.emplace_back("Bayes bound");
  }
  return plot;
}

// What decides no claim: the paper's other metrics of the same arms.
Table OtherMetricsTable(const Findings& findings) {
  Table table{
      "The same differences by the other metrics (on a slice, their intervals "
      "tell of seeds alone):",
      {"claim"},
      {}};
  for (const JudgedClaim& judged : findings.claims) {
    std::vector<std::string> row = {ClaimText(findings, *judged.claim)};
    for (const Metric& metric : std::span(kMetrics).subspan(1)) {
      row.push_back(WithInterval(CompareArms(
          *findings.Find(judged.claim->first()),
          *findings.Find(judged.claim->second()), metric.key,
          judged.claim->slice(), findings.experiment->spec.seed_overlap())));
    }
    table.rows.push_back(std::move(row));
  }
  for (const Metric& metric : std::span(kMetrics).subspan(1))
    table.headers.push_back(metric.title);
  return table;
}

Section ClaimSection(const Findings& findings) {
  return {"Claims",
          {"By CTR AUC on test rows. " + StatisticsText()},
          {ClaimTable(findings), OtherMetricsTable(findings)}};
}

Section MetricSection(const Findings& findings) {
  std::string text =
      "On the test rows: mean and standard deviation over seeds.";
  if (HasBayes(findings))
    text +=
        " The Bayes bound is the hidden truth scored as a model is: nothing "
        "can do better.";
  if (HasPaper(findings))
    text +=
        " The paper's figures are of its own, private data: only their order "
        "can be compared.";
  Section section{"How well the arms rank", {text}, {MainTable(findings)}};
  if (HasSampleOnly(findings)) section.tables.push_back(SampleTable(findings));
  for (const Metric& metric : kMetrics) {
    Plot plot = ArmPlot(findings, metric);
    if (!plot.series.empty()) section.plots.push_back(std::move(plot));
  }
  return section;
}

Section SweepSection(const Findings& findings) {
  const auto& spec = findings.experiment->spec;
  Section section{"Sweep",
                  {"Bars reach two deviations of the mean over seeds to "
                   "either side."}};
  for (const Metric& metric : kMetrics) {
    Plot plot{metric.title, spec.x_title(), {}};
    plot.logarithmic = spec.x_logarithmic();
    plot.markers = true;
    for (const ArmFindings& arm : findings.arms) {
      const Summary s = Summarize(SamplesOf(arm, metric.key));
      if (!arm.arm->has_x() || s.seeds == 0) continue;
      const std::string kind = KindName(*arm.arm);
      auto series =
          std::find_if(plot.series.begin(), plot.series.end(),
                       [&](const Series& one) { return one.name == kind; });
      if (series == plot.series.end())
        series = plot.series.insert(plot.series.end(), Series{kind, {}});
      const double reach = s.deviation / std::sqrt(s.seeds) * 2;
      series->points.push_back(
          {arm.arm->x(), s.mean, s.mean - reach, s.mean + reach});
    }
    section.plots.push_back(std::move(plot));
  }
  return section;
}

}  // namespace

std::string StatisticsText() {
  return fmt::format(
      "An interval holds 95 % of 4,000 repeats of a two-level bootstrap: the "
      "test's users are drawn anew, the same for both arms, and so are the "
      "seeds, both arms with the same seed, stretched for how few they are "
      "(Student's t); it tells what other users and other seeds would have "
      "said, not what another city would. Fewer than three seeds decide "
      "nothing. Where seeds divide one dataset anew, they share most of its "
      "training rows, and the interval is wider by that (Nadeau and Bengio, "
      "2003); their test's users differ from seed to seed and are not drawn "
      "once more. "
      "`above` is held if the whole interval is above 0 (or what the claim "
      "names), not "
      "held if it is below, else undecided; `as good as` is held if the whole "
      "interval is within ±{}, not held if it is outside.",
      kEqualWithin);
}

Table ClaimTable(const Findings& findings) {
  Table table{"",
              {"claim", "verdict", "difference", "95 % interval", "seeds"},
              {},
              {1}};
  for (const JudgedClaim& judged : findings.claims) {
    const Difference& d = judged.difference;
    table.rows.push_back(
        {ClaimText(findings, *judged.claim),
         d.seeds == 0 ? "not run" : VerdictText(judged.verdict),
         DifferenceText(d.value), IntervalText(d.low, d.high),
         std::to_string(d.seeds)});
  }
  return table;
}

Document MakeExperimentReport(const Findings& findings,
                              const std::string& size) {
  const auto& spec = findings.experiment->spec;
  Document document{spec.title(), {spec.question()}, {}};
  if (!spec.reproduces().empty())
    document.lead.push_back(
        fmt::format("Stands beside the paper's {}.", spec.reproduces()));
  if (!spec.note().empty()) document.lead.push_back(spec.note());
  if (findings.shards_done < findings.shards)
    document.lead.push_back(
        fmt::format("Not finished: {} of {} shards are done.",
                    findings.shards_done, findings.shards));
  auto& sections = document.sections;
  if (!findings.claims.empty()) sections.push_back(ClaimSection(findings));
  sections.push_back(MetricSection(findings));
  if (!spec.x_title().empty()) sections.push_back(SweepSection(findings));
  for (Section& section :
       std::vector{SliceSection(findings), CalibrationSection(findings),
                   CurveSection(findings), TextStageSection(findings),
                   AttentionSection(findings), MapSection(findings),
                   RerunSection(findings, size)}) {
    if (!section.tables.empty() || !section.plots.empty())
      sections.push_back(std::move(section));
  }
  return document;
}

}  // namespace larr::experiment
