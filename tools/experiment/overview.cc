// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/overview.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "tools/experiment/experiment_report.h"
#include "tools/report/interval_figure.h"
#include "tools/report/numbers.h"

namespace larr::experiment {
namespace {

using namespace report;  // NOLINT: what reports are made of
constexpr char kIndex[] = "index";
constexpr char kGenerated[] =
    "<!-- Made by `larrctl experiment report` from experiments/. Do not edit. "
    "-->\n";

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

Table ExperimentsOfAll(const Evidence& evidence, bool links) {
  Table table{
      "", {"experiment", "question", "paper", "shards done"}, {}, {1, 2}};
  for (const Findings& findings : evidence.experiments) {
    const auto& spec = SpecOf(findings);
    table.rows.push_back(
        {links ? fmt::format("[{}]({}.html)", spec.title(), spec.name())
               : fmt::format("{} (`{}`)", spec.title(), spec.name()),
         spec.question(), spec.reproduces().empty() ? "-" : spec.reproduces(),
         findings.shards_done == 0
             ? fmt::format("not run (0 of {})", findings.shards)
             : fmt::format("{} of {}", findings.shards_done, findings.shards)});
  }
  for (const auto& [name, test] : evidence.online_tests)
    table.rows.push_back(
        {links ? fmt::format("[{}]({}.html)", test.title, name) : test.title,
         "Do users who are shown LARR's lists click and order more?",
         "Section 4.6", "done"});
  return table;
}

// Equal for one comparison under two names: experiments share arms.
std::string KeyOf(const Findings& findings, const JudgedClaim& judged) {
  const config::v1::Claim& claim = *judged.claim;
  std::string key =
      fmt::format("{} {} {}\n", claim.slice(), claim.equal(), claim.by());
  for (const std::string& arm : {claim.first(), claim.second()})
    for (const Shard& shard : findings.Find(arm)->shards) key += shard.text;
  return key;
}

}  // namespace

std::string Headline(const std::vector<Findings>& all) {
  std::map<Verdict, int> counts;
  std::string first;
  int claims = 0;
  std::set<std::string> counted;
  for (const Findings& findings : all) {
    for (const JudgedClaim& judged : findings.claims) {
      if (judged.difference.seeds < kFewestSeeds) continue;
      if (!counted.insert(KeyOf(findings, judged)).second) continue;
      ++claims;
      ++counts[judged.verdict];
      if (first.empty()) first = Sentence(findings, judged);
    }
  }
  if (claims == 0) return "No claim has results yet.";
  return fmt::format(
      "{} Of {} different claims that were tried with three seeds or more, {} "
      "are held, {} not held and {} undecided.",
      first, claims, counts[Verdict::kHeld], counts[Verdict::kNotHeld],
      counts[Verdict::kUndecided]);
}

std::string HeadlineMisses(const std::vector<Findings>& all) {
  std::map<Verdict, std::string> claims;
  for (const Findings& findings : all) {
    for (const JudgedClaim& judged : findings.claims) {
      if (!judged.claim->headline() || judged.difference.seeds < kFewestSeeds)
        continue;
      std::string& list = claims[judged.verdict];
      list += fmt::format("{}{} (`{}`)", list.empty() ? "" : ", ",
                          ClaimText(findings, *judged.claim),
                          SpecOf(findings).name());
    }
  }
  std::string text;
  for (const Verdict verdict : {Verdict::kNotHeld, Verdict::kUndecided})
    if (!claims[verdict].empty())
      text += fmt::format("{} {}: {}.",
                          text.empty() ? "Headline claims that are" : " Those",
                          VerdictText(verdict), claims[verdict]);
  return text;
}

std::string HeadlineFigure(const std::vector<Findings>& all) {
  std::vector<IntervalRow> rows;
  for (const Findings& findings : all) {
    for (const JudgedClaim& judged : findings.claims) {
      const Difference& d = judged.difference;
      if (!judged.claim->headline() || !std::isfinite(d.low)) continue;
      using Tone = IntervalRow::Tone;
      rows.push_back({fmt::format("{}: {}", SpecOf(findings).name(),
                                  ClaimText(findings, *judged.claim)),
                      d.value, d.low, d.high,
                      judged.verdict == Verdict::kHeld      ? Tone::kGood
                      : judged.verdict == Verdict::kNotHeld ? Tone::kBad
                                                            : Tone::kNone});
    }
  }
  return IntervalFigure("What was claimed, and what came out",
                        "difference of CTR AUC, 95 % interval; green: held, "
                        "red: not held, grey: undecided",
                        rows);
}

Document MakeOverview(const Evidence& evidence, bool links) {
  Document document{fmt::format("Results, size {}", evidence.size),
                    {Headline(evidence.experiments)},
                    {}};
  const std::string misses = HeadlineMisses(evidence.experiments);
  if (!misses.empty()) document.lead.push_back(misses);
  for (const auto& [name, test] : evidence.online_tests)
    document.lead.push_back(test.lead.front());
  if (!evidence.limits.empty()) document.lead.push_back(evidence.limits);
  const Table claims = ClaimsOfAll(evidence.experiments, links);
  if (!claims.rows.empty())
    document.sections.push_back(
        {"What was claimed, and what came out", {StatisticsText()}, {claims}});
  document.sections.push_back(
      {"Experiments", {}, {ExperimentsOfAll(evidence, links)}});
  return document;
}

absl::Status WritePages(const Evidence& evidence,
                        const std::filesystem::path& folder) {
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  const auto write = [&](const std::string& name, Document document) {
    if (name != kIndex)
      document.lead.push_back(
          fmt::format("[All experiments]({}.html)", kIndex));
    return WriteFileAtomically(folder / (name + ".html"), ToHtml(document));
  };
  for (const Findings& findings : evidence.experiments)
    LARR_RETURN_IF_ERROR(write(SpecOf(findings).name(),
                               MakeExperimentReport(findings, evidence.size)));
  for (const auto& [name, test] : evidence.online_tests)
    LARR_RETURN_IF_ERROR(write(name, test));
  return write(kIndex, MakeOverview(evidence, /*links=*/true));
}

std::string OverviewMarkdown(const Evidence& evidence,
                             const std::string& picture) {
  Document overview = MakeOverview(evidence, /*links=*/false);
  overview.lead.push_back(
      fmt::format("![Claims and their intervals]({})", picture));
  std::string text = kGenerated + ToMarkdown(overview, 1);
  for (const Findings& findings : evidence.experiments)
    if (HasResults(findings))
      text += ToMarkdown(MakeExperimentReport(findings, evidence.size), 2);
  for (const auto& [name, test] : evidence.online_tests)
    text += ToMarkdown(test, 2);
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace larr::experiment
