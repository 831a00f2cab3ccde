// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/row_slices.h"

#include <utility>

#include "common/features/tabular_encoder.h"

namespace larr {

RowSlices::RowSlices(const Dataset& dataset) {
  for (const auto& slice : dataset.spec.slices()) {
    const ColumnRef ref = *ParseCrossColumn(slice.column());
    Rule rule{.table = ref.table,
              .column = dataset.slice_schema(ref.table).Find(ref.column),
              .values = {slice.values().begin(), slice.values().end()},
              .at_least = std::nullopt,
              .below = std::nullopt};
    if (slice.has_at_least()) rule.at_least = slice.at_least();
    if (slice.has_below()) rule.below = slice.below();
    names_.push_back(slice.name());
    rules_.push_back(std::move(rule));
  }
}

bool RowSlices::Holds(size_t slice, const Impression& row) const {
  const Rule& rule = rules_[slice];
  const Row* values = row.rows().of(rule.table);
  if (values == nullptr || IsNull((*values)[rule.column])) return false;
  const Value& value = (*values)[rule.column];
  if (!rule.values.empty()) return rule.values.contains(ToText(value));
  const auto number = ToNumber(value);
  return number && (!rule.at_least || *number >= *rule.at_least) &&
         (!rule.below || *number < *rule.below);
}

}  // namespace larr
