// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/leak_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace larr {
namespace {

// A category's rate is pulled towards the mean by this many rows.
constexpr double kPriorRows = 2;
// A gain that goes with its own day this much, and more than with the day
// before by the margin, is suspicious.
constexpr double kOwnDay = 0.3;
constexpr double kMargin = 0.15;
constexpr double kMinEntities = 30;

// Halves at random: logs have patterns, and every second row may be one.
bool InFirstHalf(uint64_t row) {
  row = (row ^ (row >> 33)) * 0xff51afd7ed558ccdULL;
  row = (row ^ (row >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return (row >> 63) == 0;
}

}  // namespace

double HeldOutAuc(std::span<const uint32_t> categories,
                  std::span<const uint8_t> labels) {
  struct Cell {
    double rows = 0, positives = 0;     // First half.
    double negative = 0, positive = 0;  // Second half.
  };
  std::unordered_map<uint32_t, Cell> cells;
  double rows = 0;
  double positives = 0;
  for (size_t i = 0; i < categories.size(); ++i) {
    Cell& cell = cells[categories[i]];
    if (InFirstHalf(i)) {
      cell.rows += 1;
      cell.positives += labels[i];
      rows += 1;
      positives += labels[i];
    } else {
      (labels[i] ? cell.positive : cell.negative) += 1;
    }
  }
  if (positives == 0 || positives == rows) return std::nan("");
  std::map<double, std::pair<double, double>> by_rate;  // Negative, positive.
  for (const auto& [category, cell] : cells) {
    const double rate = (cell.positives + kPriorRows * positives / rows) /
                        (cell.rows + kPriorRows);
    by_rate[rate].first += cell.negative;
    by_rate[rate].second += cell.positive;
  }
  double below = 0;
  double above = 0;
  double wins = 0;
  for (const auto& [rate, counts] : by_rate) {
    wins += counts.second * (below + counts.first / 2);
    below += counts.first;
    above += counts.second;
  }
  return below > 0 && above > 0 ? wins / (below * above) : std::nan("");
}

void TimeTravelCheck::Correlation::Add(double a, double b) {
  n += 1;
  x += a;
  y += b;
  xx += a * a;
  yy += b * b;
  xy += a * b;
}

double TimeTravelCheck::Correlation::value() const {
  if (n < kMinEntities) return 0;
  const double sxx = xx - x * x / n;
  const double syy = yy - y * y / n;
  if (!(sxx > 0 && syy > 0)) return 0;
  return (xy - x * y / n) / std::sqrt(sxx * syy);
}

TimeTravelCheck::TimeTravelCheck(const Dataset& dataset, Table table)
    : dataset_(&dataset), table_(table) {
  const auto* entity = dataset.entity_table(table);
  if (entity == nullptr || entity->from_impressions() ||
      !dataset.split.by_date() || dataset.files(table).front().date.empty()) {
    return;
  }
  std::set<int> numbers;
  for (const auto& feature : dataset.spec.tabular_features()) {
    if (!feature.has_dense() && !feature.has_buckets()) continue;
    for (const ColumnRef& ref : FeatureColumns(feature)) {
      if (ref.table != table) continue;
      numbers.insert(dataset.schemas().of(table).Find(ref.column));
    }
  }
  for (const int index : numbers) columns_.push_back({index, {}, {}});
}

void TimeTravelCheck::Add(const Impression& row) {
  if (columns_.empty()) return;
  const bool user = table_ == Table::kUsers;
  if ((user ? row.user_index : row.poi_index) < 0) return;
  if (row.date != today_.date) {
    EndDay();
    yesterday_ = std::exchange(today_, {});
    today_.date = row.date;
    today_.partition = user ? row.users : row.pois;
  }
  Counts& counts = today_.counts[user ? row.user_id : row.poi_id];
  counts[kShown] += 1;
  counts[kClicked] += row.click;
  counts[kOrdered] += row.order;
}

void TimeTravelCheck::EndDay() {
  // Only partitions of the days themselves tell which day they know.
  if (!today_.partition || !yesterday_.partition ||
      today_.partition->date() != today_.date ||
      yesterday_.partition->date() != yesterday_.date) {
    return;
  }
  for (int64_t i = 0; i < today_.partition->size(); ++i) {
    const std::string& key = today_.partition->key(i);
    const int64_t earlier = yesterday_.partition->Find(key);
    if (earlier < 0) continue;
    const auto now = today_.counts.find(key);
    const auto then = yesterday_.counts.find(key);
    for (Column& column : columns_) {
      const auto to = ToNumber(today_.partition->row(i)[column.index]);
      const auto from =
          ToNumber(yesterday_.partition->row(earlier)[column.index]);
      if (!to || !from) continue;
      for (int outcome = 0; outcome < kOutcomes; ++outcome) {
        column.own[outcome].Add(
            *to - *from, now == today_.counts.end() ? 0 : now->second[outcome]);
        column.before[outcome].Add(*to - *from, then == yesterday_.counts.end()
                                                    ? 0
                                                    : then->second[outcome]);
      }
    }
  }
}

std::vector<Finding> TimeTravelCheck::Finish() {
  EndDay();
  std::vector<Finding> findings;
  constexpr const char* kNames[] = {"impressions", "clicks", "orders"};
  for (const Column& column : columns_) {
    for (int outcome = 0; outcome < kOutcomes; ++outcome) {
      const double own = column.own[outcome].value();
      const double before = column.before[outcome].value();
      if (own < kOwnDay || own < before + kMargin) continue;
      findings.push_back(
          {true,
           fmt::format("{}.{}", TableName(table_),
                       dataset_->schemas().of(table_).name(column.index)),
           fmt::format(
               "its change from one partition to the next goes with the {} of "
               "the partition's own day (correlation {:.2f}, the day before "
               "{:.2f}): a partition must hold what was known at the start of "
               "its day; write the day's outcome into the next day's partition",
               kNames[outcome], own, before)});
      break;
    }
  }
  return findings;
}

}  // namespace larr
