// SPDX-License-Identifier: Apache-2.0
//
// Raw values of a table's row, and the one place where a value becomes a text
// or a number. Training reads rows from Parquet, serving from requests and
// snapshots; both have the layout that `SpecSchemas` derives from the spec.
//
// Threads: everything here is a value; const access is safe from any thread.
#pragma once

#include <google/protobuf/map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "larr/config/v1/dataset.pb.h"
#include "larr/storage/v1/entity.pb.h"

namespace larr {

// A raw value. `std::monostate` is null. Booleans are int64 0 and 1.
using Value = std::variant<std::monostate, int64_t, double, std::string>;

// The values of one row; `row[i]` belongs to column i of the row's `Schema`.
using Row = std::vector<Value>;

// True for null and for NaN.
bool IsNull(const Value& value);

// The text of a value: a string itself, an integer in decimal, a double as an
// integer where it is one (below 2^53), else in the shortest decimal that reads
// back as the same double. Empty for null. An id of 7 is "7" in every type.
std::string ToText(const Value& value);
// Appends it.
void AppendText(const Value& value, std::string& out);

// The number of a value. Nothing for null, NaN, infinities and strings.
std::optional<double> ToNumber(const Value& value);

Value FromProto(const storage::v1::Value& proto);
storage::v1::Value ToProto(const Value& value);

// The tables that a spec reads.
enum class Table { kUsers, kPois, kImpressions };

// `users`, `pois` or `impressions`.
std::string_view TableName(Table table);

// The columns of a row, by position and by name.
class Schema {
 public:
  Schema() = default;
  // Doubles are dropped; the order of first appearance stays.
  explicit Schema(const std::vector<std::string>& names);

  int size() const { return static_cast<int>(names_.size()); }
  const std::string& name(int column) const { return names_[column]; }
  const std::vector<std::string>& names() const { return names_; }
  // -1 if there is no such column.
  int Find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, int> index_;
};

using ValueMap = google::protobuf::Map<std::string, storage::v1::Value>;

// Copies the values that the schema knows; the others of the row stay as they
// are. REQUIRES: row.size() == schema.size().
void FillRow(const Schema& schema, const ValueMap& values, Row& row);

// The columns that the keywords and tabular features of a spec read, by table:
// the layout of every Row, in training and in serving.
struct SpecSchemas {
  Schema users;
  Schema pois;
  Schema impressions;
  // By column: what tabular features read (the rest is for texts alone). A
  // snapshot keeps these columns of an entity.
  std::vector<bool> users_tabular;
  std::vector<bool> pois_tabular;
  // By column of `impressions`: read by a `CONTEXT` keyword or feature, so part
  // of a request's context. The others come with each candidate.
  std::vector<bool> impressions_context;

  explicit SpecSchemas(const config::v1::DatasetSpec& spec);
  const Schema& of(Table table) const;
};

// Splits `users.x`, `pois.x` or `impressions.x`. Nothing for any other form.
struct ColumnRef {
  Table table;
  std::string column;
};
std::optional<ColumnRef> ParseCrossColumn(std::string_view name);

// The columns that a tabular feature names, each with its table. Malformed
// cross columns are left out: `TabularEncoder` reports them.
std::vector<ColumnRef> FeatureColumns(
    const config::v1::TabularFeature& feature);

// The columns of a template (`{x}`), in order; nothing if a brace is unmatched.
std::optional<std::vector<std::string>> TemplateColumns(std::string_view text);

// The table whose rows a side reads. `CROSS` has none of its own: kImpressions.
Table TableOf(config::v1::Side side);

}  // namespace larr
