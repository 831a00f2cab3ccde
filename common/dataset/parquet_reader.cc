// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/parquet_reader.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

// Arrow's errors as ours: the border.
absl::Status FromArrow(const arrow::Status& status, const fs::path& path) {
  if (status.ok()) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("{}: cannot be read as Parquet: {}; write the file again",
                  path.string(), status.message()));
}

ColumnType TypeOf(const arrow::DataType& type) {
  using arrow::Type;
  switch (type.id()) {
    case Type::BOOL:
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
    case Type::UINT8:
    case Type::UINT16:
    case Type::UINT32:
    case Type::UINT64:
      return ColumnType::kInteger;
    case Type::FLOAT:
    case Type::DOUBLE:
      return ColumnType::kNumber;
    case Type::STRING:
    case Type::LARGE_STRING:
      return ColumnType::kString;
    case Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryType&>(type);
      return TypeOf(*dictionary.value_type()) == ColumnType::kString
                 ? ColumnType::kString
                 : ColumnType::kUnsupported;
    }
    case Type::LIST: {
      const auto& list = static_cast<const arrow::ListType&>(type);
      const auto id = list.value_type()->id();
      if (id == Type::STRING || id == Type::LARGE_STRING)
        return ColumnType::kStringList;
      if (id == Type::FLOAT || id == Type::DOUBLE)
        return ColumnType::kNumberList;
      return ColumnType::kUnsupported;
    }
    default:
      return ColumnType::kUnsupported;
  }
}

template <typename T>
T At(const void* values, int64_t i) {
  return static_cast<const T*>(values)[i];
}

template <typename Offset>
std::string_view Slice(const void* bytes, const void* offsets, int64_t i) {
  const auto* at = static_cast<const Offset*>(offsets) + i;
  return {static_cast<const char*>(bytes) + at[0],
          static_cast<size_t>(at[1] - at[0])};
}

// The double of the decimal that a float32 is written as: of 4.7f it is 4.7, as
// a request would say it, and not 4.69999981.
double AsWritten(float value) {
  if (!std::isfinite(value) || value == std::trunc(value)) return value;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  double number = value;
  std::from_chars(text, end, number);
  return number;
}

// Integers are int64 for every reader.
absl::Status CheckRange(const arrow::ArrayData& data, std::string_view column,
                        int group, const fs::path& path) {
  if (data.type->id() != arrow::Type::UINT64) return absl::OkStatus();
  const auto* values = data.GetValues<uint64_t>(1);
  for (int64_t i = 0; i < data.length; ++i) {
    constexpr auto kMost =
        static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (values[i] <= kMost || data.IsNull(i)) continue;
    return Invalid(
        "{}: column `{}`, row {} of row group {}: {} is more than {}, the "
        "largest integer; write the column as strings",
        path.string(), column, i + 1, group + 1, values[i], kMost);
  }
  return absl::OkStatus();
}

const void* Buffer(const arrow::ArrayData& data, size_t i) {
  return data.buffers.size() > i && data.buffers[i] ? data.buffers[i]->data()
                                                    : nullptr;
}

}  // namespace

class ColumnViewBuilder {
 public:
  static ColumnView Build(const arrow::ArrayData& data) {
    using arrow::Type;
    using Physical = ColumnView::Physical;
    static const std::map<Type::type, Physical> kPhysical = {
        {Type::BOOL, Physical::kBool},
        {Type::INT8, Physical::kInt8},
        {Type::INT16, Physical::kInt16},
        {Type::INT32, Physical::kInt32},
        {Type::INT64, Physical::kInt64},
        {Type::UINT8, Physical::kUint8},
        {Type::UINT16, Physical::kUint16},
        {Type::UINT32, Physical::kUint32},
        {Type::UINT64, Physical::kUint64},
        {Type::FLOAT, Physical::kFloat},
        {Type::DOUBLE, Physical::kDouble},
        {Type::STRING, Physical::kString},
        {Type::LARGE_STRING, Physical::kLargeString},
        {Type::DICTIONARY, Physical::kDictionary},
        {Type::LIST, Physical::kList}};
    ColumnView view;
    view.type_ = TypeOf(*data.type);
    view.physical_ = kPhysical.at(data.type->id());
    view.offset_ = data.offset;
    if (data.GetNullCount() > 0) {
      view.valid_ = static_cast<const uint8_t*>(Buffer(data, 0));
    }
    view.values_ = Buffer(data, 1);
    switch (view.physical_) {
      case Physical::kString:
      case Physical::kLargeString:
        view.offsets_ = Buffer(data, 1);
        view.values_ = Buffer(data, 2);
        break;
      case Physical::kList:
        view.offsets_ = Buffer(data, 1);
        view.child_ =
            std::make_shared<const ColumnView>(Build(*data.child_data[0]));
        break;
      case Physical::kDictionary:
        view.index_ =
            kPhysical.at(static_cast<const arrow::DictionaryType&>(*data.type)
                             .index_type()
                             ->id());
        view.child_ =
            std::make_shared<const ColumnView>(Build(*data.dictionary));
        break;
      default:
        break;
    }
    return view;
  }
};

bool ColumnView::IsNull(int64_t row) const {
  if (valid_ == nullptr) return false;
  const int64_t i = offset_ + row;
  return (valid_[i >> 3] >> (i & 7) & 1) == 0;
}

int64_t ColumnView::IntegerOf(Physical physical, int64_t row) const {
  const int64_t i = offset_ + row;
  switch (physical) {
    case Physical::kBool:
      return static_cast<const uint8_t*>(values_)[i >> 3] >> (i & 7) & 1;
    case Physical::kInt8:
      return At<int8_t>(values_, i);
    case Physical::kInt16:
      return At<int16_t>(values_, i);
    case Physical::kInt32:
      return At<int32_t>(values_, i);
    case Physical::kUint8:
      return At<uint8_t>(values_, i);
    case Physical::kUint16:
      return At<uint16_t>(values_, i);
    case Physical::kUint32:
      return At<uint32_t>(values_, i);
    case Physical::kFloat:
      return static_cast<int64_t>(At<float>(values_, i));
    case Physical::kDouble:
      return static_cast<int64_t>(At<double>(values_, i));
    default:
      return At<int64_t>(values_, i);
  }
}

int64_t ColumnView::Integer(int64_t row) const {
  return IntegerOf(physical_, row);
}

double ColumnView::Number(int64_t row) const {
  if (physical_ == Physical::kFloat) {
    return AsWritten(At<float>(values_, offset_ + row));
  }
  if (physical_ == Physical::kDouble) {
    return At<double>(values_, offset_ + row);
  }
  return static_cast<double>(Integer(row));
}

float ColumnView::Float(int64_t row) const {
  const int64_t i = offset_ + row;
  return physical_ == Physical::kFloat
             ? At<float>(values_, i)
             : static_cast<float>(At<double>(values_, i));
}

std::string_view ColumnView::String(int64_t row) const {
  if (physical_ == Physical::kString) {
    return Slice<int32_t>(values_, offsets_, offset_ + row);
  }
  if (physical_ == Physical::kLargeString) {
    return Slice<int64_t>(values_, offsets_, offset_ + row);
  }
  return child_->String(IntegerOf(index_, row));
}

void ColumnView::Read(int64_t row, Value& out) const {
  if (IsNull(row)) {
    out = std::monostate();
  } else if (type_ == ColumnType::kInteger) {
    out = Integer(row);
  } else if (type_ == ColumnType::kNumber) {
    out = Number(row);
  } else if (auto* text = std::get_if<std::string>(&out)) {
    text->assign(String(row));
  } else {
    out.emplace<std::string>(String(row));
  }
}

void ColumnView::ReadList(int64_t row, std::vector<std::string>& out) const {
  out.clear();
  if (IsNull(row)) return;
  const auto* at = static_cast<const int32_t*>(offsets_) + offset_ + row;
  for (int64_t i = at[0]; i < at[1]; ++i) {
    out.emplace_back(child_->IsNull(i) ? std::string_view()
                                       : child_->String(i));
  }
}

void ColumnView::ReadList(int64_t row, std::vector<float>& out) const {
  out.clear();
  if (IsNull(row)) return;
  const auto* at = static_cast<const int32_t*>(offsets_) + offset_ + row;
  for (int64_t i = at[0]; i < at[1]; ++i) {
    out.push_back(child_->IsNull(i) ? std::numeric_limits<float>::quiet_NaN()
                                    : child_->Float(i));
  }
}

struct ParquetFile::Impl {
  fs::path path;
  std::unique_ptr<parquet::arrow::FileReader> reader;
  std::vector<ColumnInfo> columns;
  std::map<std::string, int, std::less<>> leaf;  // Of each column.

  const parquet::FileMetaData& metadata() const {
    return *reader->parquet_reader()->metadata();
  }
};

ParquetFile::ParquetFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ParquetFile::ParquetFile(ParquetFile&&) noexcept = default;
ParquetFile& ParquetFile::operator=(ParquetFile&&) noexcept = default;
ParquetFile::~ParquetFile() = default;

absl::StatusOr<ParquetFile> ParquetFile::Open(const fs::path& path) {
  auto input = arrow::io::ReadableFile::Open(path.string());
  if (!input.ok()) {
    if (!fs::exists(path)) {
      return absl::NotFoundError(
          fmt::format("{}: no such file", path.string()));
    }
    return absl::PermissionDeniedError(fmt::format(
        "{}: cannot be opened: {}", path.string(), input.status().message()));
  }
  auto reader = parquet::arrow::OpenFile(*input, arrow::default_memory_pool());
  LARR_RETURN_IF_ERROR(FromArrow(reader.status(), path));
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->reader = std::move(*reader);
  impl->reader->set_use_threads(false);
  std::shared_ptr<arrow::Schema> schema;
  LARR_RETURN_IF_ERROR(FromArrow(impl->reader->GetSchema(&schema), path));
  for (const auto& field : schema->fields()) {
    impl->columns.push_back(
        {field->name(), TypeOf(*field->type()), field->type()->ToString()});
  }
  const auto* leaves = impl->metadata().schema();
  for (int i = 0; i < leaves->num_columns(); ++i) {
    impl->leaf.emplace(leaves->Column(i)->path()->ToDotVector()[0], i);
  }
  return ParquetFile(std::move(impl));
}

const std::vector<ColumnInfo>& ParquetFile::columns() const {
  return impl_->columns;
}

const ColumnInfo* ParquetFile::Find(std::string_view name) const {
  for (const ColumnInfo& column : impl_->columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

int ParquetFile::row_groups() const {
  return impl_->metadata().num_row_groups();
}

int64_t ParquetFile::rows_of(int group) const {
  return impl_->metadata().RowGroup(group)->num_rows();
}

int64_t ParquetFile::rows() const { return impl_->metadata().num_rows(); }

absl::StatusOr<RowGroup> ParquetFile::Read(
    int group, const std::vector<std::string>& names) const {
  std::vector<int> leaves;
  for (const std::string& name : names) {
    const ColumnInfo* column = Find(name);
    if (column == nullptr || column->type == ColumnType::kUnsupported) {
      return Invalid(
          "{}: column `{}` {}", impl_->path.string(), name,
          column ? fmt::format("has the unsupported type {}", column->type_name)
                 : "does not exist");
    }
    leaves.push_back(impl_->leaf.find(name)->second);
  }
  std::sort(leaves.begin(), leaves.end());
  leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
  auto table = impl_->reader->ReadRowGroup(group, leaves);
  LARR_RETURN_IF_ERROR(FromArrow(table.status(), impl_->path));
  auto whole = (*table)->CombineChunks();
  LARR_RETURN_IF_ERROR(FromArrow(whole.status(), impl_->path));
  RowGroup result;
  result.rows_ = rows_of(group);
  if (!names.empty() && (*whole)->num_rows() != result.rows_) {
    return absl::DataLossError(fmt::format(
        "{}: row group {} has {} rows, and its footer says {}; write the file "
        "again",
        impl_->path.string(), group + 1, (*whole)->num_rows(), result.rows_));
  }
  for (const std::string& name : names) {
    const auto column = (*whole)->GetColumnByName(name);
    if (column->num_chunks() > 1) {  // More than 2 GiB of text in one group.
      return Invalid("{}: row group {} is too large; write smaller row groups",
                     impl_->path.string(), group + 1);
    }
    for (const auto& chunk : column->chunks()) {
      LARR_RETURN_IF_ERROR(
          CheckRange(*chunk->data(), name, group, impl_->path));
    }
    result.columns_.push_back(
        column->num_chunks() == 0
            ? ColumnView()
            : ColumnViewBuilder::Build(*column->chunk(0)->data()));
  }
  result.memory_ = *whole;
  return result;
}

}  // namespace larr
