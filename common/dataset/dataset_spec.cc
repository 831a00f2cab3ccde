// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_spec.h"

#include <absl/status/status.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/lower_case_name.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/dataset/parquet_reader.h"
#include "common/dataset/slice_check.h"
#include "common/features/tabular_encoder.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::DatasetSpec;
using config::v1::EntityTable;
using config::v1::Side;

// A column that something of the spec reads.
struct Need {
  Table table;
  std::string column;
  bool number;       // Otherwise any scalar will do.
  std::string what;  // For messages: `keyword POI_name`.
  const config::v1::Slice* slice = nullptr;  // Which reads it.
};

bool HasTable(const DatasetSpec& spec, Table table) {
  if (table == Table::kUsers) return spec.has_users();
  if (table == Table::kPois) return spec.has_pois();
  return true;
}

absl::Status CheckName(const std::string& name) {
  if (IsLowerCaseName(name)) return absl::OkStatus();
  return Invalid("name: `{}` is not made of lower-case letters, digits and `-`",
                 name);
}

absl::Status CheckEntityTable(const DatasetSpec& spec, Table table,
                              const EntityTable& entity,
                              const std::string& joins) {
  const std::string_view name = TableName(table);
  const std::string_view key = table == Table::kUsers ? "user_key" : "poi_key";
  if (entity.key().empty()) {
    return Invalid("{}.key is missing; name the column of the key", name);
  }
  if (joins.empty()) {
    return Invalid("impressions.{} is missing; name the column that joins {}",
                   key, name);
  }
  if (entity.from_impressions() && entity.key() != joins) {
    return Invalid(
        "{}.key is `{}`, impressions.{} is `{}`; with from_impressions they "
        "are the same column",
        name, entity.key(), key, joins);
  }
  if (entity.from_impressions() != entity.path().empty()) {
    return Invalid("{}: set either path or from_impressions", name);
  }
  if (spec.impressions().path().empty()) {
    return Invalid("impressions.path is missing");
  }
  return absl::OkStatus();
}

// Names of e_t: categorical features of the right side.
absl::Status CheckEmbeddingFeatures(
    const DatasetSpec& spec, const char* field,
    const google::protobuf::RepeatedPtrField<std::string>& names, Side side) {
  for (const std::string& name : names) {
    const auto& features = spec.tabular_features();
    const auto found = std::find_if(
        features.begin(), features.end(),
        [&](const auto& feature) { return feature.name() == name; });
    if (found == features.end()) {
      return Invalid("{}: `{}` is not a tabular feature", field, name);
    }
    if (found->has_dense() || found->side() != side) {
      return Invalid("{}: `{}` is not a categorical feature of side {}", field,
                     name, config::v1::Side_Name(side));
    }
  }
  return absl::OkStatus();
}

std::vector<Need> NeedsOf(const DatasetSpec& spec) {
  std::vector<Need> needs;
  const auto& table = spec.impressions();
  const auto add = [&](Table t, const std::string& column, bool number,
                       std::string what) {
    if (!column.empty()) needs.push_back({t, column, number, std::move(what)});
  };
  const Table shown = Table::kImpressions;
  add(shown, table.user_key(), false, "impressions.user_key");
  add(shown, table.poi_key(), false, "impressions.poi_key");
  add(shown, table.request_key(), false, "impressions.request_key");
  add(shown, table.click_column(), true, "impressions.click_column");
  add(shown, table.order_column(), true, "impressions.order_column");
  add(shown, table.true_click_probability_column(), true,
      "impressions.true_click_probability_column");
  add(shown, table.true_ctcvr_probability_column(), true,
      "impressions.true_ctcvr_probability_column");
  add(shown, spec.gauc_group_column(), false, "gauc_group_column");
  add(shown, spec.split().hash().column(), false, "split.hash.column");
  add(shown, spec.split().column().column(), false, "split.column.column");
  add(Table::kUsers, spec.users().key(), false, "users.key");
  add(Table::kPois, spec.pois().key(), false, "pois.key");
  for (const auto& keyword : spec.keywords()) {
    const auto columns = TemplateColumns(keyword.template_());
    for (const std::string& column : *columns) {
      const bool number = std::any_of(
          keyword.domains().begin(), keyword.domains().end(),
          [&](const auto& domain) {
            return domain.column() == column && !domain.edges().empty();
          });
      add(TableOf(keyword.side()), column, number, "keyword " + keyword.name());
    }
  }
  for (const auto& feature : spec.tabular_features()) {
    for (const ColumnRef& ref : FeatureColumns(feature)) {
      add(ref.table, ref.column, feature.has_dense() || feature.has_buckets(),
          "feature " + feature.name());
    }
  }
  for (const auto& slice : spec.slices()) {
    const ColumnRef ref = *ParseCrossColumn(slice.column());
    needs.push_back(
        {ref.table, ref.column, false, "slice " + slice.name(), &slice});
  }
  return needs;
}

// A text or a feature that reads a label knows the answer.
absl::Status CheckNoLabels(const DatasetSpec& spec,
                           const std::vector<Need>& needs) {
  const auto& table = spec.impressions();
  const std::set<std::string> hidden = {table.click_column(),
                                        table.order_column(),
                                        table.true_click_probability_column(),
                                        table.true_ctcvr_probability_column()};
  for (const Need& need : needs) {
    const bool input =
        need.what.starts_with("keyword ") || need.what.starts_with("feature ");
    const auto* entity = need.table == Table::kUsers  ? &spec.users()
                         : need.table == Table::kPois ? &spec.pois()
                                                      : nullptr;
    const bool shown = entity == nullptr || entity->from_impressions();
    if (input && shown && hidden.count(need.column) > 0) {
      return Invalid("{}: column `{}` is a label; remove it from the inputs",
                     need.what, need.column);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFile(const DataFile& data_file, Table table,
                       const std::vector<Need>& needs) {
  LARR_ASSIGN_OR_RETURN(const ParquetFile file,
                        ParquetFile::Open(data_file.path));
  for (const Need& need : needs) {
    if (need.table != table) continue;
    const ColumnInfo* column = file.Find(need.column);
    if (column == nullptr) {
      std::vector<std::string> names;
      for (const ColumnInfo& one : file.columns()) names.push_back(one.name);
      return Invalid(
          "{}: {} reads column `{}`, which does not exist; use one of: {}",
          data_file.path.string(), need.what, need.column,
          fmt::join(names, ", "));
    }
    if (column->type == ColumnType::kUnsupported ||
        column->type == ColumnType::kStringList ||
        column->type == ColumnType::kNumberList) {
      return Invalid(
          "{}: {} reads column `{}` of type {}; write it as a string or a "
          "number",
          data_file.path.string(), need.what, need.column, column->type_name);
    }
    if (need.number && column->type == ColumnType::kString) {
      return Invalid(
          "{}: {} needs a number, but column `{}` is a {}; write it as a "
          "number, or use a vocabulary or hash",
          data_file.path.string(), need.what, need.column, column->type_name);
    }
    if (need.slice != nullptr) {
      LARR_RETURN_IF_ERROR(
          CheckSliceColumn(*need.slice, *column, data_file.path));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDates(const Dataset& dataset) {
  const bool dated = !dataset.impressions.front().date.empty();
  if (dataset.split.by_date() && !dated) {
    return Invalid(
        "split.dates: {} has no date=YYYY-MM-DD folders; write daily "
        "partitions, or split by hash or column",
        dataset.spec.impressions().path());
  }
  for (const Table table : {Table::kUsers, Table::kPois}) {
    const auto& files = dataset.files(table);
    if (!dated && !files.empty() && !files.front().date.empty()) {
      return Invalid(
          "{} has daily partitions, but impressions has none: an impression "
          "could not know its day; write impressions by day, too",
          TableName(table));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSpec(const DatasetSpec& spec) {
  LARR_RETURN_IF_ERROR(CheckName(spec.name()));
  const auto& table = spec.impressions();
  if (table.path().empty()) return Invalid("impressions.path is missing");
  if (table.click_column().empty()) {
    return Invalid("impressions.click_column is missing; name the 0/1 label");
  }
  if (!table.true_ctcvr_probability_column().empty() &&
      table.order_column().empty()) {
    return Invalid(
        "impressions.true_ctcvr_probability_column needs order_column");
  }
  if (spec.gauc_group_column().empty()) {
    return Invalid("gauc_group_column is missing; name the column of the user");
  }
  if (spec.has_users()) {
    LARR_RETURN_IF_ERROR(
        CheckEntityTable(spec, Table::kUsers, spec.users(), table.user_key()));
  }
  if (spec.has_pois()) {
    LARR_RETURN_IF_ERROR(
        CheckEntityTable(spec, Table::kPois, spec.pois(), table.poi_key()));
  }
  LARR_RETURN_IF_ERROR(CheckSlices(spec));
  LARR_RETURN_IF_ERROR(ResolveFeatures(spec).status());
  LARR_RETURN_IF_ERROR(CheckEmbeddingFeatures(spec, "user_embedding_features",
                                              spec.user_embedding_features(),
                                              Side::USER));
  return CheckEmbeddingFeatures(spec, "poi_embedding_features",
                                spec.poi_embedding_features(), Side::POI);
}

// Absolute paths and the files behind them.
absl::Status FindFiles(const fs::path& folder, Dataset& dataset) {
  const auto find = [&](std::string& path,
                        std::vector<DataFile>& files) -> absl::Status {
    path = (folder / path).lexically_normal().string();
    LARR_ASSIGN_OR_RETURN(files, ListDataFiles(path));
    return absl::OkStatus();
  };
  DatasetSpec& spec = dataset.spec;
  LARR_RETURN_IF_ERROR(
      find(*spec.mutable_impressions()->mutable_path(), dataset.impressions));
  const auto find_entities = [&](EntityTable* entity,
                                 std::vector<DataFile>& files) -> absl::Status {
    if (!entity->from_impressions()) {
      return find(*entity->mutable_path(), files);
    }
    files = dataset.impressions;
    return absl::OkStatus();
  };
  if (spec.has_users()) {
    LARR_RETURN_IF_ERROR(find_entities(spec.mutable_users(), dataset.users));
  }
  if (spec.has_pois()) {
    LARR_RETURN_IF_ERROR(find_entities(spec.mutable_pois(), dataset.pois));
  }
  return absl::OkStatus();
}

}  // namespace

Schema Dataset::slice_schema(Table table) const {
  std::vector<std::string> names = schemas().of(table).names();
  for (const auto& slice : spec.slices()) {
    const auto ref = ParseCrossColumn(slice.column());
    if (ref && ref->table == table) names.push_back(ref->column);
  }
  return Schema(names);
}

const std::vector<DataFile>& Dataset::files(Table table) const {
  if (table == Table::kUsers) return users;
  if (table == Table::kPois) return pois;
  return impressions;
}

const EntityTable* Dataset::entity_table(Table table) const {
  if (!HasTable(spec, table) || table == Table::kImpressions) return nullptr;
  return table == Table::kUsers ? &spec.users() : &spec.pois();
}

std::vector<std::string> Dataset::days() const {
  std::set<std::string> days;
  for (const DataFile& file : impressions) days.insert(file.date);
  days.erase("");
  return {days.begin(), days.end()};
}

absl::StatusOr<Dataset> OpenDataset(const fs::path& path) {
  LARR_ASSIGN_OR_RETURN(DatasetSpec spec, LoadTextProto<DatasetSpec>(path));
  auto dataset = OpenDataset(std::move(spec), fs::absolute(path).parent_path());
  if (dataset.ok()) return dataset;
  return Prefixed(path.string(), dataset.status());
}

absl::StatusOr<Dataset> OpenDataset(DatasetSpec spec, const fs::path& folder) {
  LARR_RETURN_IF_ERROR(CheckSpec(spec));
  LARR_ASSIGN_OR_RETURN(TextRenderer texts, TextRenderer::Create(spec));
  LARR_ASSIGN_OR_RETURN(Splitter split, Splitter::Create(spec.split()));
  Dataset dataset{
      std::move(spec), std::move(texts), std::move(split), {}, {}, {}};
  std::vector<Need> needs = NeedsOf(dataset.spec);
  LARR_RETURN_IF_ERROR(CheckNoLabels(dataset.spec, needs));
  for (Need& need : needs) {
    if (!HasTable(dataset.spec, need.table)) {
      return Invalid("{} reads the table {}, which the spec does not have",
                     need.what, TableName(need.table));
    }
    const EntityTable* entity = dataset.entity_table(need.table);
    if (entity && entity->from_impressions()) need.table = Table::kImpressions;
  }
  LARR_RETURN_IF_ERROR(FindFiles(folder, dataset));
  LARR_RETURN_IF_ERROR(CheckDates(dataset));
  for (const Table table : {Table::kImpressions, Table::kUsers, Table::kPois}) {
    const EntityTable* entity = dataset.entity_table(table);
    if (entity && entity->from_impressions()) continue;
    for (const DataFile& file : dataset.files(table)) {
      LARR_RETURN_IF_ERROR(CheckFile(file, table, needs));
    }
  }
  return dataset;
}

}  // namespace larr
