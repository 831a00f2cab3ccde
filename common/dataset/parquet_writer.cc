// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/parquet_writer.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

constexpr int64_t kGroupRows = 100'000;

std::shared_ptr<arrow::DataType> ArrowType(ColumnType type) {
  switch (type) {
    case ColumnType::kInteger:
      return arrow::int64();
    case ColumnType::kNumber:
      return arrow::float64();
    case ColumnType::kStringList:
      return arrow::list(arrow::utf8());
    case ColumnType::kNumberList:
      return arrow::list(arrow::float32());
    default:
      return arrow::utf8();
  }
}

// Appends one cell. Returns false if it is not of the builder's type.
bool AppendCell(const ParquetWriter::Cell& cell, ColumnType type,
                arrow::ArrayBuilder& builder, arrow::Status& status) {
  if (std::holds_alternative<std::monostate>(cell)) {
    status = builder.AppendNull();
  } else if (type == ColumnType::kInteger) {
    const auto* value = std::get_if<int64_t>(&cell);
    if (value == nullptr) return false;
    status = static_cast<arrow::Int64Builder&>(builder).Append(*value);
  } else if (type == ColumnType::kNumber) {
    auto& numbers = static_cast<arrow::DoubleBuilder&>(builder);
    if (const auto* integer = std::get_if<int64_t>(&cell)) {
      status = numbers.Append(static_cast<double>(*integer));
    } else if (const auto* value = std::get_if<double>(&cell)) {
      status = numbers.Append(*value);
    } else {
      return false;
    }
  } else if (type == ColumnType::kString) {
    const auto* value = std::get_if<std::string>(&cell);
    if (value == nullptr) return false;
    status = static_cast<arrow::StringBuilder&>(builder).Append(*value);
  } else if (type == ColumnType::kNumberList) {
    const auto* values = std::get_if<std::vector<float>>(&cell);
    if (values == nullptr) return false;
    auto& list = static_cast<arrow::ListBuilder&>(builder);
    status = list.Append();
    auto& numbers = static_cast<arrow::FloatBuilder&>(*list.value_builder());
    if (status.ok()) status = numbers.AppendValues(*values);
  } else {
    const auto* values = std::get_if<std::vector<std::string>>(&cell);
    if (values == nullptr) return false;
    auto& list = static_cast<arrow::ListBuilder&>(builder);
    status = list.Append();
    auto& strings = static_cast<arrow::StringBuilder&>(*list.value_builder());
    for (const std::string& value : *values) {
      if (status.ok()) status = strings.Append(value);
    }
  }
  return true;
}

}  // namespace

struct ParquetWriter::Impl {
  std::filesystem::path path;
  std::vector<Column> columns;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::shared_ptr<arrow::ArrayBuilder>> builders;
  std::unique_ptr<parquet::arrow::FileWriter> writer;
  std::shared_ptr<arrow::io::FileOutputStream> file;
  int64_t rows = 0;  // In the builders.

  absl::Status Check(const arrow::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    return absl::UnavailableError(fmt::format("{}: cannot be written: {}",
                                              path.string(), status.message()));
  }
};

ParquetWriter::ParquetWriter(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
ParquetWriter::ParquetWriter(ParquetWriter&&) noexcept = default;
ParquetWriter& ParquetWriter::operator=(ParquetWriter&&) noexcept = default;
ParquetWriter::~ParquetWriter() = default;

absl::StatusOr<ParquetWriter> ParquetWriter::Create(
    const std::filesystem::path& path, const std::vector<Column>& columns) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->columns = columns;
  arrow::FieldVector fields;
  for (const Column& column : columns) {
    const auto type = ArrowType(column.type);
    fields.push_back(arrow::field(column.name, type));
    auto builder = arrow::MakeBuilder(type);
    LARR_RETURN_IF_ERROR(impl->Check(builder.status()));
    impl->builders.push_back(std::move(*builder));
  }
  impl->schema = arrow::schema(fields);
  auto file = arrow::io::FileOutputStream::Open(path.string());
  LARR_RETURN_IF_ERROR(impl->Check(file.status()));
  impl->file = *file;
  const auto properties = parquet::WriterProperties::Builder()
                              .compression(arrow::Compression::ZSTD)
                              ->build();
  auto writer = parquet::arrow::FileWriter::Open(
      *impl->schema, arrow::default_memory_pool(), impl->file, properties);
  LARR_RETURN_IF_ERROR(impl->Check(writer.status()));
  impl->writer = std::move(*writer);
  return ParquetWriter(std::move(impl));
}

absl::Status ParquetWriter::Append(const std::vector<Cell>& row) {
  for (size_t i = 0; i < impl_->columns.size(); ++i) {
    arrow::Status status;
    if (!AppendCell(row[i], impl_->columns[i].type, *impl_->builders[i],
                    status)) {
      return Invalid("{}: column `{}` got a value of another type",
                     impl_->path.string(), impl_->columns[i].name);
    }
    LARR_RETURN_IF_ERROR(impl_->Check(status));
  }
  return ++impl_->rows < kGroupRows ? absl::OkStatus() : Flush();
}

absl::Status ParquetWriter::Flush() {
  arrow::ArrayVector arrays;
  for (const auto& builder : impl_->builders) {
    auto array = builder->Finish();
    LARR_RETURN_IF_ERROR(impl_->Check(array.status()));
    arrays.push_back(std::move(*array));
  }
  const auto table = arrow::Table::Make(impl_->schema, arrays, impl_->rows);
  LARR_RETURN_IF_ERROR(
      impl_->Check(impl_->writer->WriteTable(*table, kGroupRows)));
  impl_->rows = 0;
  return absl::OkStatus();
}

absl::Status ParquetWriter::Finish() {
  if (impl_->rows > 0) LARR_RETURN_IF_ERROR(Flush());
  LARR_RETURN_IF_ERROR(impl_->Check(impl_->writer->Close()));
  return impl_->Check(impl_->file->Close());
}

}  // namespace larr
