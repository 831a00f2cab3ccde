// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/overview.h"

#include <fmt/format.h>

#include <map>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "tools/experiment/experiment_report.h"
#include "tools/experiment/numbers.h"

namespace larr::experiment {
namespace {

constexpr char kGenerated[] =
    "<!-- Made by `larrctl experiment report` from experiments/results. Do not "
    "edit. -->\n";

const config::v1::ExperimentSpec& SpecOf(const Findings& findings) {
  return findings.experiment->spec;
}

bool HasResults(const Findings& findings) {
  for (const ArmFindings& arm : findings.arms)
    if (!arm.results.empty()) return true;
  return false;
}

// One sentence about one claim, with the figures of both arms.
std::string Sentence(const Findings& findings, const JudgedClaim& judged) {
  const auto auc = [&](const std::string& arm) {
    const Summary s = Summarize(
        SamplesOf(*findings.Find(arm), kMetrics[0].key, judged.claim->slice()));
    return AucText(s.mean, s.deviation);
  };
  const Difference& d = judged.difference;
  return fmt::format(
      "{}: {}, by {} CTR AUC {} over {} seeds ({} against {}; Bayes bound {}).",
      ClaimText(findings, *judged.claim), VerdictText(judged.verdict),
      DifferenceText(d.value), IntervalText(d.low, d.high), d.seeds,
      auc(judged.claim->first()), auc(judged.claim->second()),
      AucText(BayesOf(findings, kMetrics[0].key, judged.claim->slice())));
}

Table ClaimsOfAll(const std::vector<Findings>& all, bool links) {
  Table table{"",
              {"experiment", "claim, by CTR AUC", "verdict", "difference",
               "95 % interval", "seeds"},
              {},
              {1, 2}};
  for (const Findings& findings : all) {
    if (!HasResults(findings)) continue;
    const std::string& name = SpecOf(findings).name();
    const std::string cell =
        links ? fmt::format("[{0}]({0}.html)", name) : name;
    for (const auto& row : ClaimTable(findings).rows)
      table.rows.push_back({cell, row[0], row[1], row[2], row[3], row[4]});
  }
  return table;
}

Table ExperimentsOfAll(const std::vector<Findings>& all, bool links) {
  Table table{
      "", {"experiment", "question", "paper", "shards done"}, {}, {1, 2}};
  for (const Findings& findings : all) {
    const auto& spec = SpecOf(findings);
    table.rows.push_back(
        {links ? fmt::format("[{}]({}.html)", spec.title(), spec.name())
               : fmt::format("{} (`{}`)", spec.title(), spec.name()),
         spec.question(), spec.reproduces().empty() ? "-" : spec.reproduces(),
         findings.shards_done == 0
             ? fmt::format("not run (0 of {})", findings.shards)
             : fmt::format("{} of {}", findings.shards_done, findings.shards)});
  }
  return table;
}

}  // namespace

std::string Headline(const std::vector<Findings>& all) {
  std::map<Verdict, int> counts;
  std::string first;
  int claims = 0;
  for (const Findings& findings : all) {
    for (const JudgedClaim& judged : findings.claims) {
      if (judged.difference.seeds == 0) continue;
      ++claims;
      ++counts[judged.verdict];
      if (first.empty()) first = Sentence(findings, judged);
    }
  }
  if (claims == 0) return "No claim has results yet.";
  return fmt::format(
      "{} Of {} claims with results, {} are held, {} not held and {} "
      "undecided.",
      first, claims, counts[Verdict::kHeld], counts[Verdict::kNotHeld],
      counts[Verdict::kUndecided]);
}

Document MakeOverview(const std::vector<Findings>& all, const std::string& size,
                      const std::string& limits, bool links) {
  Document document{fmt::format("Results, size {}", size), {Headline(all)}, {}};
  if (!limits.empty()) document.lead.push_back(limits);
  const Table claims = ClaimsOfAll(all, links);
  if (!claims.rows.empty())
    document.sections.push_back(
        {"What was claimed, and what came out", {StatisticsText()}, {claims}});
  document.sections.push_back(
      {"Experiments", {}, {ExperimentsOfAll(all, links)}});
  return document;
}

absl::Status WritePages(const std::vector<Findings>& all,
                        const std::string& size, const std::string& limits,
                        const std::filesystem::path& folder) {
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  for (const Findings& findings : all) {
    const Document report = MakeExperimentReport(findings, size);
    LARR_RETURN_IF_ERROR(WriteFileAtomically(
        folder / (SpecOf(findings).name() + ".html"), ToHtml(report)));
  }
  return WriteFileAtomically(
      folder / "index.html",
      ToHtml(MakeOverview(all, size, limits, /*links=*/true)));
}

std::string OverviewMarkdown(const std::vector<Findings>& all,
                             const std::string& size,
                             const std::string& limits) {
  std::string text =
      kGenerated +
      ToMarkdown(MakeOverview(all, size, limits, /*links=*/false), 1);
  for (const Findings& findings : all)
    if (HasResults(findings))
      text += ToMarkdown(MakeExperimentReport(findings, size), 2);
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace larr::experiment
