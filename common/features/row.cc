// SPDX-License-Identifier: Apache-2.0
#include "common/features/row.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace larr {
namespace {

using config::v1::Side;
using config::v1::TabularFeature;

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

}  // namespace

bool IsNull(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isnan(*number);
  }
  return std::holds_alternative<std::monostate>(value);
}

void AppendText(const Value& value, std::string& out) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    out += *text;
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    fmt::format_to(std::back_inserter(out), "{}", *integer);
  } else if (!IsNull(value)) {
    const double number = std::get<double>(value);
    if (number == std::trunc(number) && std::abs(number) < kExactIntegers) {
      fmt::format_to(std::back_inserter(out), "{}",
                     static_cast<int64_t>(number));
    } else {
      fmt::format_to(std::back_inserter(out), "{}", number);
    }
  }
}

std::string ToText(const Value& value) {
  std::string text;
  AppendText(value, text);
  return text;
}

std::optional<double> ToNumber(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return static_cast<double>(*integer);
  }
  if (const auto* number = std::get_if<double>(&value);
      number && std::isfinite(*number)) {
    return *number;
  }
  return std::nullopt;
}

Value FromProto(const storage::v1::Value& proto) {
  switch (proto.kind_case()) {
    case storage::v1::Value::kIntValue:
      return proto.int_value();
    case storage::v1::Value::kDoubleValue:
      return proto.double_value();
    case storage::v1::Value::kStringValue:
      return proto.string_value();
    case storage::v1::Value::KIND_NOT_SET:
      break;
  }
  return std::monostate();
}

storage::v1::Value ToProto(const Value& value) {
  storage::v1::Value proto;
  if (const auto* text = std::get_if<std::string>(&value)) {
    proto.set_string_value(*text);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    proto.set_int_value(*integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    proto.set_double_value(*number);
  }
  return proto;
}

std::string_view TableName(Table table) {
  switch (table) {
    case Table::kUsers:
      return "users";
    case Table::kPois:
      return "pois";
    case Table::kImpressions:
      break;
  }
  return "impressions";
}

Schema::Schema(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (index_.emplace(name, size()).second) names_.push_back(name);
  }
}

int Schema::Find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? -1 : found->second;
}

void FillRow(const Schema& schema, const ValueMap& values, Row& row) {
  for (int i = 0; i < schema.size(); ++i) {
    const auto found = values.find(schema.name(i));
    if (found != values.end()) row[i] = FromProto(found->second);
  }
}

std::optional<ColumnRef> ParseCrossColumn(std::string_view name) {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) {
    return std::nullopt;
  }
  for (const Table table : {Table::kUsers, Table::kPois, Table::kImpressions}) {
    if (name.substr(0, dot) == TableName(table)) {
      return ColumnRef{table, std::string(name.substr(dot + 1))};
    }
  }
  return std::nullopt;
}

Table TableOf(Side side) {
  if (side == Side::USER) return Table::kUsers;
  if (side == Side::POI) return Table::kPois;
  return Table::kImpressions;
}

std::vector<ColumnRef> FeatureColumns(const TabularFeature& feature) {
  std::vector<std::string> names;
  switch (feature.encoding_case()) {
    case TabularFeature::kVocabulary:
      names = {feature.vocabulary().column()};
      break;
    case TabularFeature::kHash:
      names = {feature.hash().columns().begin(),
               feature.hash().columns().end()};
      break;
    case TabularFeature::kBuckets:
      names = {feature.buckets().column()};
      break;
    case TabularFeature::kDense:
      names = {feature.dense().column()};
      break;
    case TabularFeature::ENCODING_NOT_SET:
      break;
  }
  std::vector<ColumnRef> columns;
  for (const std::string& name : names) {
    if (feature.side() != Side::CROSS) {
      columns.push_back({TableOf(feature.side()), name});
    } else if (const auto ref = ParseCrossColumn(name)) {
      columns.push_back(*ref);
    }
  }
  return columns;
}

std::optional<std::vector<std::string>> TemplateColumns(std::string_view text) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{' && text[i] != '}') continue;
    if (i + 1 < text.size() && text[i + 1] == text[i]) {
      ++i;
      continue;
    }
    const size_t end = text.find_first_of("{}", i + 1);
    if (text[i] == '}' || end == std::string_view::npos || text[end] != '}' ||
        end == i + 1) {
      return std::nullopt;
    }
    columns.emplace_back(text.substr(i + 1, end - i - 1));
    i = end;
  }
  return columns;
}

SpecSchemas::SpecSchemas(const config::v1::DatasetSpec& spec) {
  std::vector<std::string> names[3];
  std::vector<std::string> context;
  // Tabular columns first, so that they are a prefix of each table's columns.
  for (const TabularFeature& feature : spec.tabular_features()) {
    for (const ColumnRef& ref : FeatureColumns(feature)) {
      names[static_cast<int>(ref.table)].push_back(ref.column);
      if (feature.side() == Side::CONTEXT) context.push_back(ref.column);
    }
  }
  const int users_prefix = Schema(names[0]).size();
  const int pois_prefix = Schema(names[1]).size();
  for (const auto& keyword : spec.keywords()) {
    const auto columns = TemplateColumns(keyword.template_());
    if (!columns) continue;
    auto& list = names[static_cast<int>(TableOf(keyword.side()))];
    list.insert(list.end(), columns->begin(), columns->end());
    if (keyword.side() == Side::CONTEXT) {
      context.insert(context.end(), columns->begin(), columns->end());
    }
  }
  users = Schema(names[0]);
  pois = Schema(names[1]);
  impressions = Schema(names[2]);
  users_tabular.assign(users.size(), false);
  std::fill_n(users_tabular.begin(), users_prefix, true);
  pois_tabular.assign(pois.size(), false);
  std::fill_n(pois_tabular.begin(), pois_prefix, true);
  impressions_context.assign(impressions.size(), false);
  for (const std::string& name : context) {
    impressions_context[impressions.Find(name)] = true;
  }
}

const Schema& SpecSchemas::of(Table table) const {
  if (table == Table::kUsers) return users;
  if (table == Table::kPois) return pois;
  return impressions;
}

}  // namespace larr
