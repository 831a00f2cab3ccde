// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/base/utf8.h"

namespace larr {
namespace {

constexpr size_t kWidestValue = 32;

double Rate(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole)
                   : std::nan("");
}

std::string Distribution(const FeatureReport& feature) {
  std::string text;
  if (!feature.quantiles.empty()) {
    for (const double q : feature.quantiles) {
      fmt::format_to(std::back_inserter(text), "{}{:.4g}",
                     text.empty() ? "" : " | ", q);
    }
    return text;
  }
  for (const auto& [value, share] : feature.top) {
    if (text.size() > 60) break;
    fmt::format_to(std::back_inserter(text), "{}{} {:.1f}%",
                   text.empty() ? "" : ", ", CutUtf8(value, kWidestValue),
                   100 * share);
  }
  return text;
}

void AppendDays(const DatasetReport& report, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "\n{:<12}{:<12}{:>12}{:>12}{:>12}\n", "day", "part",
                 "rows", "click rate", "order rate");
  for (const DayReport& day : report.days) {
    fmt::format_to(
        to, "{:<12}{:<12}{:>12}{:>11.2f}%{:>12}\n",
        day.date.empty() ? "-" : day.date, day.part, day.rows,
        100 * Rate(day.clicks, day.rows),
        report.has_orders
            ? fmt::format("{:.2f}%", 100 * Rate(day.orders, day.rows))
            : "-");
  }
}

void AppendTables(const DatasetReport& report, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "\n{:<8}{:>12}{:>26}{:>14}{:>10}\n", "table", "partitions",
                 "days", "newest rows", "joined");
  for (const TableReport& table : report.tables) {
    if (table.partitions == 0) {
      fmt::format_to(to, "{:<8}{:>12}\n", table.name, "none");
      continue;
    }
    fmt::format_to(
        to, "{:<8}{:>12}{:>26}{:>14}{:>9.1f}%\n", table.name, table.partitions,
        table.first_date.empty() ? "-"
                                 : table.first_date + " .. " + table.last_date,
        table.newest_rows, 100 * table.joined);
  }
}

void AppendFeatures(const DatasetReport& report, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "\n{:<22}{:<8}{:<11}{:>9}{:>9}{:>7}{:>7}  {}\n", "name",
                 "side", "kind", "coverage", "distinct", "AUC", "order",
                 "distribution");
  for (const FeatureReport& feature : report.features) {
    fmt::format_to(
        to, "{:<22}{:<8}{:<11}{:>8.1f}%{:>9}{:>7.3f}{:>7}  {}\n", feature.name,
        feature.side, feature.kind, 100 * feature.coverage, feature.distinct,
        feature.click_auc,
        report.has_orders ? fmt::format("{:.3f}", feature.order_auc) : "-",
        Distribution(feature));
  }
}

nlohmann::ordered_json FeatureJson(const FeatureReport& feature) {
  nlohmann::ordered_json json = {
      {"name", feature.name},          {"kind", feature.kind},
      {"side", feature.side},          {"coverage", feature.coverage},
      {"distinct", feature.distinct},  {"click_auc", feature.click_auc},
      {"order_auc", feature.order_auc}};
  json["top"] = nlohmann::ordered_json::array();
  for (const auto& [value, share] : feature.top) {
    json["top"].push_back({{"value", value}, {"share", share}});
  }
  json["quantiles"] = feature.quantiles;
  return json;
}

}  // namespace

bool DatasetReport::has_leak() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.leak; });
}

std::string ToText(const DatasetReport& report) {
  std::string out =
      fmt::format("dataset {}: {} impressions\n", report.name, report.rows);
  AppendDays(report, out);
  AppendTables(report, out);
  fmt::format_to(std::back_inserter(out),
                 "\nfrom a sample of {} impressions; numbers as least | 25% | "
                 "median | 75% | greatest",
                 report.sampled_rows);
  AppendFeatures(report, out);
  out += report.findings.empty() ? "\nnothing to complain about\n" : "\n";
  for (const Finding& finding : report.findings) {
    out += fmt::format("{}: {}: {}\n", finding.leak ? "LEAK?" : "warning",
                       finding.where, finding.what);
  }
  return out;
}

std::string ToJson(const DatasetReport& report) {
  using nlohmann::ordered_json;
  ordered_json json = {{"name", report.name},
                       {"rows", report.rows},
                       {"sampled_rows", report.sampled_rows},
                       {"has_orders", report.has_orders}};
  json["days"] = ordered_json::array();
  for (const DayReport& day : report.days) {
    json["days"].push_back({{"date", day.date},
                            {"part", day.part},
                            {"rows", day.rows},
                            {"clicks", day.clicks},
                            {"orders", day.orders}});
  }
  json["tables"] = ordered_json::array();
  for (const TableReport& table : report.tables) {
    json["tables"].push_back({{"name", table.name},
                              {"partitions", table.partitions},
                              {"first_date", table.first_date},
                              {"last_date", table.last_date},
                              {"newest_rows", table.newest_rows},
                              {"joined", table.joined}});
  }
  json["features"] = ordered_json::array();
  for (const FeatureReport& feature : report.features) {
    json["features"].push_back(FeatureJson(feature));
  }
  json["findings"] = ordered_json::array();
  for (const Finding& finding : report.findings) {
    json["findings"].push_back({{"leak", finding.leak},
                                {"where", finding.where},
                                {"what", finding.what}});
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace larr
