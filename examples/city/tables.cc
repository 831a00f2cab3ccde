// SPDX-License-Identifier: Apache-2.0
#include "examples/city/tables.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::city {
namespace {

absl::Status FromArrow(const arrow::Status& status, const std::string& what) {
  if (status.ok()) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("{}: {}", what, status.ToStringWithoutContextLines()));
}

template <typename Builder, typename T>
arrow::Result<std::shared_ptr<arrow::Array>> Build(
    const std::vector<T>& values) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.AppendValues(values));
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> BuildStrings(
    const Strings& values) {
  arrow::StringBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(values.size())));
  for (const auto& value : values) {
    ARROW_RETURN_NOT_OK(value ? builder.Append(*value) : builder.AppendNull());
  }
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> BuildColumn(const Column& column) {
  if (const auto* integers = std::get_if<Integers>(&column.values)) {
    return Build<arrow::Int64Builder>(*integers);
  }
  if (const auto* numbers = std::get_if<Numbers>(&column.values)) {
    return Build<arrow::DoubleBuilder>(*numbers);
  }
  return BuildStrings(std::get<Strings>(column.values));
}

}  // namespace

absl::StatusOr<EncodedColumns> Encode(const Columns& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    auto array = BuildColumn(column);
    LARR_RETURN_IF_ERROR(
        FromArrow(array.status(), fmt::format("column '{}'", column.name)));
    fields.push_back(arrow::field(column.name, (*array)->type()));
    arrays.push_back(*array);
  }
  const int64_t rows = arrays.empty() ? 0 : arrays[0]->length();
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
}

struct TableWriter::File {
  std::filesystem::path path;
  std::shared_ptr<arrow::io::FileOutputStream> stream;
  std::unique_ptr<parquet::arrow::FileWriter> writer;
};

TableWriter::TableWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
TableWriter::TableWriter(TableWriter&&) noexcept = default;
TableWriter::~TableWriter() = default;

absl::StatusOr<TableWriter> TableWriter::Create(
    const std::filesystem::path& path) {
  auto stream = arrow::io::FileOutputStream::Open(path.string());
  LARR_RETURN_IF_ERROR(
      FromArrow(stream.status(), "cannot write " + path.string()));
  auto file = std::make_unique<File>();
  file->path = path;
  file->stream = *stream;
  return TableWriter(std::move(file));
}

absl::Status TableWriter::Write(const EncodedColumns& columns) {
  const std::string what = "cannot write " + file_->path.string();
  if (file_->writer == nullptr) {
    const auto properties = parquet::WriterProperties::Builder()
                                .compression(parquet::Compression::SNAPPY)
                                ->build();
    auto writer = parquet::arrow::FileWriter::Open(*columns->schema(),
                                                   arrow::default_memory_pool(),
                                                   file_->stream, properties);
    LARR_RETURN_IF_ERROR(FromArrow(writer.status(), what));
    file_->writer = *std::move(writer);
  }
  auto table = arrow::Table::FromRecordBatches({columns});
  LARR_RETURN_IF_ERROR(FromArrow(table.status(), what));
  return FromArrow(file_->writer->WriteTable(
                       **table, std::max<int64_t>(1, columns->num_rows())),
                   what);
}

absl::Status TableWriter::Close() {
  if (file_->writer == nullptr) {
    return absl::InvalidArgumentError(file_->path.string() + " would be empty");
  }
  const std::string what = "cannot write " + file_->path.string();
  LARR_RETURN_IF_ERROR(FromArrow(file_->writer->Close(), what));
  LARR_RETURN_IF_ERROR(FromArrow(file_->stream->Close(), what));
  return SyncFile(file_->path);
}

absl::Status WritePartition(const std::filesystem::path& folder,
                            const std::string& date, const Columns& columns) {
  LARR_ASSIGN_OR_RETURN(const auto path, PartitionFile(folder, date));
  LARR_ASSIGN_OR_RETURN(TableWriter writer, TableWriter::Create(path));
  LARR_ASSIGN_OR_RETURN(const EncodedColumns encoded, Encode(columns));
  LARR_RETURN_IF_ERROR(writer.Write(encoded));
  return writer.Close();
}

absl::StatusOr<std::filesystem::path> PartitionFile(
    const std::filesystem::path& folder, const std::string& date) {
  const std::filesystem::path day = folder / ("date=" + date);
  LARR_RETURN_IF_ERROR(MakeFolder(day));
  return day / "part-0.parquet";
}

}  // namespace larr::city
