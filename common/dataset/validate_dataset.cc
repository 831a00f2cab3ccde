// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/validate_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <utility>

#include "common/base/random_bits.h"
#include "common/base/status_macros.h"
#include "common/dataset/impression_stream.h"
#include "common/dataset/leak_check.h"
#include "common/dataset/row_check.h"

namespace larr {
namespace {

using config::v1::TabularFeature;

constexpr double kSuspiciousAuc = 0.9;
constexpr double kLowCoverage = 0.01;
constexpr double kLowJoin = 0.9;
constexpr size_t kTopValues = 5;
constexpr size_t kNumberBins = 100;

// The sampled values of one keyword or feature.
struct SampledFeature {
  FeatureReport report;
  int keyword = -1;              // Or:
  ResolvedFeature feature;       // a tabular one.
  std::vector<double> numbers;   // NaN for null; numeric features alone.
  std::vector<uint32_t> values;  // 0 for null; the others.
  std::unordered_map<std::string, uint32_t> ids;

  bool numeric() const {
    return keyword < 0 &&
           (feature.proto.has_dense() || feature.proto.has_buckets());
  }
  void AddText(const std::string& text) {
    if (text.empty()) {
      values.push_back(0);
      return;
    }
    const auto next = static_cast<uint32_t>(ids.size()) + 1;
    values.push_back(ids.try_emplace(text, next).first->second);
  }
};

const char* KindOf(const TabularFeature& feature) {
  if (feature.has_vocabulary()) return "vocabulary";
  if (feature.has_hash()) return "hash";
  return feature.has_buckets() ? "buckets" : "dense";
}

std::vector<SampledFeature> FeaturesOf(const Dataset& dataset) {
  std::vector<SampledFeature> features;
  for (int k = 0; k < dataset.texts.keyword_count(); ++k) {
    SampledFeature& one = features.emplace_back();
    one.keyword = k;
    one.report.name = dataset.texts.name(k);
    one.report.kind = "keyword";
    one.report.side = config::v1::Side_Name(dataset.texts.side(k));
  }
  const auto resolved = ResolveFeatures(dataset.spec);
  for (const ResolvedFeature& feature : *resolved) {  // OpenDataset checked.
    SampledFeature& one = features.emplace_back();
    one.feature = feature;
    one.report.name = feature.proto.name();
    one.report.kind = KindOf(feature.proto);
    one.report.side = config::v1::Side_Name(feature.proto.side());
  }
  return features;
}

void Sample(const Dataset& dataset, const FeatureRows& rows,
            SampledFeature& one) {
  if (one.keyword >= 0) {
    const Row* row = rows.of(TableOf(dataset.texts.side(one.keyword)));
    one.AddText(row ? dataset.texts.Render(one.keyword, *row) : "");
    return;
  }
  std::string text;
  double number = std::nan("");
  for (const auto& column : one.feature.columns) {
    const Row* row = rows.of(column.table);
    if (row == nullptr || IsNull((*row)[column.index])) {
      text.clear();
      number = std::nan("");
      break;
    }
    if (!text.empty()) text += " x ";
    AppendText((*row)[column.index], text);
    number = ToNumber((*row)[column.index]).value_or(number);
  }
  if (one.numeric()) {
    one.numbers.push_back(number);
  } else {
    one.AddText(text);
  }
}

// Fills the report of a numeric feature and turns its numbers into bins.
void FinishNumbers(SampledFeature& one) {
  std::vector<double> sorted;
  for (const double x : one.numbers) {
    if (!std::isnan(x)) sorted.push_back(x);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> edges;
  for (size_t i = 1; i < kNumberBins && !sorted.empty(); ++i) {
    edges.push_back(sorted[sorted.size() * i / kNumberBins]);
  }
  for (const double x : one.numbers) {
    one.values.push_back(
        std::isnan(x)
            ? 0
            : 1 + static_cast<uint32_t>(
                      std::upper_bound(edges.begin(), edges.end(), x) -
                      edges.begin()));
  }
  if (sorted.empty()) return;
  for (const double q : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    one.report.quantiles.push_back(sorted[static_cast<size_t>(
        q * static_cast<double>(sorted.size() - 1))]);
  }
  one.report.distinct =
      std::unique(sorted.begin(), sorted.end()) - sorted.begin();
}

void FinishTexts(SampledFeature& one) {
  std::vector<int64_t> counts(one.ids.size() + 1, 0);
  for (const uint32_t value : one.values) ++counts[value];
  const auto known = static_cast<double>(one.values.size()) - counts[0];
  std::vector<std::pair<int64_t, std::string>> top;
  for (const auto& [text, id] : one.ids) top.emplace_back(-counts[id], text);
  std::sort(top.begin(), top.end());
  for (size_t i = 0; i < std::min(top.size(), kTopValues); ++i) {
    one.report.top.emplace_back(top[i].second,
                                static_cast<double>(-top[i].first) / known);
  }
  one.report.distinct = static_cast<int64_t>(one.ids.size());
}

// Impressions that features are judged on, about.
constexpr double kSampleRows = 100'000;

// Everything that one pass over the impressions gathers.
class Pass {
 public:
  Pass(const Dataset& dataset, int64_t rows)
      : dataset_(dataset),
        features_(FeaturesOf(dataset)),
        user_time_(dataset, Table::kUsers),
        poi_time_(dataset, Table::kPois),
        keep_(kSampleRows / static_cast<double>(rows)) {}

  absl::Status Read(Part part) {
    LARR_ASSIGN_OR_RETURN(auto stream,
                          ImpressionStream::Open(dataset_, {.part = part}));
    Impression row;
    while (true) {
      LARR_ASSIGN_OR_RETURN(const bool more, stream.Next(row));
      if (!more) return absl::OkStatus();
      Add(row, part);
    }
  }

  absl::Status Finish(DatasetReport& report) {
    for (auto& [key, day] : days_) report.days.push_back(day);
    report.sampled_rows = static_cast<int64_t>(clicks_.size());
    for (SampledFeature& one : features_) FinishFeature(one, report);
    for (TimeTravelCheck* check : {&user_time_, &poi_time_}) {
      for (Finding& finding : check->Finish()) {
        report.findings.push_back(std::move(finding));
      }
    }
    LARR_RETURN_IF_ERROR(FinishTable(Table::kUsers, joined_users_, report));
    LARR_RETURN_IF_ERROR(FinishTable(Table::kPois, joined_pois_, report));
    FinishGroups(report);
    FinishDays(report);
    return absl::OkStatus();
  }

 private:
  void Add(const Impression& row, Part part) {
    ++rows_;
    DayReport& day = days_[{row.date, part}];
    if (day.rows++ == 0) {
      day.date = row.date;
      day.part = PartName(part);
    }
    day.clicks += row.click > 0;
    day.orders += row.order > 0;
    joined_users_ += row.user_index >= 0;
    joined_pois_ += row.poi_index >= 0;
    user_time_.Add(row);
    poi_time_.Add(row);
    if (!dataset_.split.by_date() && !row.user_id.empty()) {
      auto& parts = user_parts_[row.user_id];
      parts |= 1u << static_cast<int>(part);
    }
    if (UnitFraction(random_()) >= keep_) return;
    clicks_.push_back(row.click > 0);
    orders_.push_back(row.order > 0);
    for (SampledFeature& one : features_) Sample(dataset_, row.rows(), one);
  }

  void FinishFeature(SampledFeature& one, DatasetReport& report) {
    if (one.numeric()) {
      FinishNumbers(one);
    } else {
      FinishTexts(one);
    }
    FeatureReport& feature = one.report;
    const auto nulls = std::count(one.values.begin(), one.values.end(), 0u);
    feature.coverage = one.values.empty()
                           ? 0
                           : 1 - static_cast<double>(nulls) /
                                     static_cast<double>(one.values.size());
    feature.click_auc = HeldOutAuc(one.values, clicks_);
    feature.order_auc = HeldOutAuc(one.values, orders_);
    const std::string where =
        (one.keyword >= 0 ? "keyword " : "feature ") + feature.name;
    for (const auto& [label, auc] : {std::pair{"clicks", feature.click_auc},
                                     std::pair{"orders", feature.order_auc}}) {
      if (!(auc > kSuspiciousAuc)) continue;
      report.findings.push_back(
          {true, where,
           fmt::format(
               "alone it ranks {} with an AUC of {:.3f}; make sure that "
               "it was known before the impression, or remove it",
               label, auc)});
      break;
    }
    if (feature.coverage < kLowCoverage) {
      report.findings.push_back(
          {false, where,
           fmt::format("only {:.2f}% of impressions have a value; check the "
                       "column, the join and the domain",
                       100 * feature.coverage)});
    } else if (feature.distinct == 1 && feature.coverage == 1) {
      report.findings.push_back(
          {false, where, "every impression has the same value; remove it"});
    }
    report.features.push_back(std::move(feature));
  }

  absl::Status FinishTable(Table table, int64_t joined, DatasetReport& report) {
    TableReport& one = report.tables.emplace_back();
    one.name = TableName(table);
    EntitySnapshots snapshots(dataset_, table);
    if (!snapshots.present()) return absl::OkStatus();
    LARR_ASSIGN_OR_RETURN(const auto newest, snapshots.Newest());
    one.partitions = static_cast<int64_t>(snapshots.dates().size());
    one.first_date = snapshots.dates().front();
    one.last_date = snapshots.dates().back();
    one.newest_rows = newest->size();
    one.joined = rows_ > 0 ? static_cast<double>(joined) / rows_ : 0;
    if (one.joined < kLowJoin) {
      report.findings.push_back(
          {false, one.name,
           fmt::format("{:.1f}% of impressions find no row of it; compare the "
                       "keys' text, and the first day ({}) with the "
                       "impressions'",
                       100 * (1 - one.joined),
                       one.first_date.empty() ? "undated" : one.first_date)});
    }
    if (newest->contradictions() > 0) {
      report.findings.push_back(
          {false, one.name,
           fmt::format("{} of {} keys have rows that differ; the first is "
                       "taken: move what changes to the context, or choose "
                       "another key",
                       newest->contradictions(), newest->size())});
    }
    return absl::OkStatus();
  }

  // Without dates, a user on two sides lets a model recognise the answer.
  void FinishGroups(DatasetReport& report) {
    const auto bit = [](Part part) { return 1u << static_cast<int>(part); };
    const auto train = bit(Part::kTrain);
    const auto judged = bit(Part::kValidation) | bit(Part::kTest);
    int64_t shared = 0;
    for (const auto& [user, parts] : user_parts_) {
      shared += (parts & train) != 0 && (parts & judged) != 0;
    }
    if (shared == 0) return;
    report.findings.push_back(
        {true, "split",
         fmt::format("{} of {} users have rows both in training and outside of "
                     "it; split by the user's column",
                     shared, user_parts_.size())});
  }

  void FinishDays(DatasetReport& report) {
    for (const DayReport& day : report.days) {
      if (day.clicks > 0 && day.clicks < day.rows) continue;
      report.findings.push_back(
          {false, fmt::format("{} {}", day.part, day.date),
           day.clicks == 0 ? "no impression was clicked"
                           : "every impression was clicked"});
    }
  }

  const Dataset& dataset_;
  std::vector<SampledFeature> features_;
  TimeTravelCheck user_time_;
  TimeTravelCheck poi_time_;
  std::mt19937_64 random_{0};
  double keep_;  // Probability that a row is sampled.
  std::map<std::pair<std::string, Part>, DayReport> days_;
  std::unordered_map<std::string, unsigned> user_parts_;  // Bits by `Part`.
  std::vector<uint8_t> clicks_;
  std::vector<uint8_t> orders_;
  int64_t rows_ = 0;
  int64_t joined_users_ = 0;
  int64_t joined_pois_ = 0;
};

}  // namespace

absl::StatusOr<DatasetReport> ValidateDataset(const Dataset& dataset) {
  LARR_ASSIGN_OR_RETURN(const PartCounts counts, CheckRows(dataset));
  DatasetReport report;
  report.name = dataset.spec.name();
  report.has_orders = !dataset.spec.impressions().order_column().empty();
  report.rows = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  Pass pass(dataset, report.rows);
  for (size_t i = 0; i < counts.size(); ++i) {
    // In the order of time; without dates pairs are the training rows.
    const Part part = static_cast<Part>(i);
    if (counts[i] == 0) continue;
    LARR_RETURN_IF_ERROR(pass.Read(part));
  }
  LARR_RETURN_IF_ERROR(pass.Finish(report));
  return report;
}

}  // namespace larr
