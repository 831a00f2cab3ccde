// SPDX-License-Identifier: Apache-2.0
#include "services/stage/corpus_files.h"

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/dataset/parquet_reader.h"

namespace larr::stage {
namespace {

struct Column {
  std::string name;
  ColumnType type;
};

// Calls `row(group, i)` for every row of the file, in order.
template <typename RowBody>
absl::Status ReadRows(const std::filesystem::path& path,
                      const std::vector<Column>& columns, const RowBody& row) {
  LARR_ASSIGN_OR_RETURN(const auto file, ParquetFile::Open(path));
  std::vector<std::string> names;
  for (const auto& [name, type] : columns) {
    const ColumnInfo* info = file.Find(name);
    if (info == nullptr || info->type != type) {
      return Invalid(
          "{}: column `{}` is {}; make the corpus anew", path.string(), name,
          info == nullptr ? "missing" : "of type " + info->type_name);
    }
    names.push_back(name);
  }
  return file.ForEachRow(
      names, [&](const RowGroup& group, int64_t i, int64_t /*number*/) {
        row(group, i);
        return absl::OkStatus();
      });
}

std::string Text(const RowGroup& group, int column, int64_t row) {
  const ColumnView& view = group.column(column);
  return view.IsNull(row) ? "" : std::string(view.String(row));
}

}  // namespace

std::string EntitiesFile(Table table) {
  return std::string(TableName(table)) + ".parquet";
}

absl::StatusOr<std::vector<CorpusDescription>> ReadDescriptions(
    const std::filesystem::path& corpus) {
  std::vector<CorpusDescription> out;
  LARR_RETURN_IF_ERROR(ReadRows(
      corpus / kDescriptionsFile,
      {{"x", ColumnType::kString},
       {"y", ColumnType::kString},
       {"held_out", ColumnType::kInteger},
       {"y_kinds", ColumnType::kString}},
      [&](const RowGroup& group, int64_t row) {
        out.push_back({Text(group, 0, row), Text(group, 1, row),
                       group.column(2).Integer(row) != 0, Text(group, 3, row)});
      }));
  return out;
}

absl::StatusOr<std::vector<CorpusEntity>> ReadEntities(
    const std::filesystem::path& corpus, Table table) {
  std::vector<Column> columns = {{"id", ColumnType::kString},
                                 {"date", ColumnType::kString},
                                 {"texts", ColumnType::kStringList}};
  const bool pois = table == Table::kPois;
  if (pois) columns.push_back({"same_value", ColumnType::kString});
  std::vector<CorpusEntity> out;
  LARR_RETURN_IF_ERROR(ReadRows(
      corpus / EntitiesFile(table), columns,
      [&](const RowGroup& group, int64_t row) {
        CorpusEntity entity{Text(group, 0, row), Text(group, 1, row), {}, ""};
        group.column(2).ReadList(row, entity.texts);
        if (pois) entity.same_value = Text(group, 3, row);
        out.push_back(std::move(entity));
      }));
  return out;
}

absl::StatusOr<std::vector<CorpusPair>> ReadPairs(
    const std::filesystem::path& corpus) {
  std::vector<CorpusPair> out;
  LARR_RETURN_IF_ERROR(ReadRows(
      corpus / kPairsFile,
      {{"user_id", ColumnType::kString},
       {"poi_id", ColumnType::kString},
       {"date", ColumnType::kString},
       {"context", ColumnType::kStringList}},
      [&](const RowGroup& group, int64_t row) {
        CorpusPair pair{
            Text(group, 0, row), Text(group, 1, row), Text(group, 2, row), {}};
        group.column(3).ReadList(row, pair.context);
        out.push_back(std::move(pair));
      }));
  return out;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>>
ReadKnownOrders(const std::filesystem::path& corpus) {
  std::vector<std::pair<std::string, std::string>> out;
  LARR_RETURN_IF_ERROR(ReadRows(
      corpus / kKnownOrdersFile,
      {{"user_id", ColumnType::kString}, {"poi_id", ColumnType::kString}},
      [&](const RowGroup& group, int64_t row) {
        out.emplace_back(Text(group, 0, row), Text(group, 1, row));
      }));
  return out;
}

absl::StatusOr<config::v1::DatasetSpec> ReadDatasetSpec(
    const std::filesystem::path& corpus) {
  return LoadTextProto<config::v1::DatasetSpec>(corpus / kDatasetSpecFile);
}

}  // namespace larr::stage
