// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/vectors_file_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/dataset/parquet_reader.h"
#include "common/features/text_renderer.h"

namespace larr {
namespace {

class VectorsFileEncoder : public TextEncoder {
 public:
  explicit VectorsFileEncoder(std::filesystem::path path)
      : path_(std::move(path)) {}

  absl::Status Read();

  const std::string& fingerprint() const override { return fingerprint_; }
  int dim() const override { return static_cast<int>(dim_); }
  bool Knows(const std::string& text) const override {
    return rows_.contains(TextId(text));
  }

  absl::StatusOr<Encoded> Encode(std::span<const std::string> texts) override {
    Encoded encoded;
    for (const std::string& text : texts) {
      const auto row = rows_.find(TextId(text));
      if (row == rows_.end()) {
        return absl::NotFoundError(
            fmt::format("embed.vectors_file: {} has no vector of '{}'",
                        path_.string(), text));
      }
      const float* vector = vectors_.data() + row->second * dim_;
      encoded.vectors.insert(encoded.vectors.end(), vector, vector + dim_);
    }
    return encoded;
  }

 private:
  absl::Status CheckColumns(const ParquetFile& file) const;
  absl::Status AddRow(const RowGroup& group, int64_t i, int64_t number);
  template <typename... T>
  absl::Status InvalidRow(int64_t number, fmt::format_string<T...> what,
                          T&&... values) const {
    return Invalid("embed.vectors_file: {}: row {} {}", path_.string(), number,
                   fmt::format(what, std::forward<T>(values)...));
  }

  const std::filesystem::path path_;
  std::string fingerprint_;
  size_t dim_ = 0;
  absl::flat_hash_map<std::string, size_t> rows_;  // By text id.
  std::vector<float> vectors_;
  std::vector<float> vector_;  // Of the row in work.
};

absl::Status VectorsFileEncoder::CheckColumns(const ParquetFile& file) const {
  const struct {
    const char* name;
    ColumnType type;
    const char* wanted;
  } columns[] = {{"slot", ColumnType::kString, "a string"},
                 {"text", ColumnType::kString, "a string"},
                 {"vector", ColumnType::kNumberList, "list<float>"}};
  for (const auto& [name, type, wanted] : columns) {
    const ColumnInfo* column = file.Find(name);
    if (column != nullptr && column->type == type) continue;
    return Invalid(
        "embed.vectors_file: {}: column `{}` {}; it must be {}", path_.string(),
        name, column == nullptr ? "does not exist" : "is " + column->type_name,
        wanted);
  }
  return absl::OkStatus();
}

absl::Status VectorsFileEncoder::AddRow(const RowGroup& group, int64_t i,
                                        int64_t number) {
  for (int c = 0; c < 3; ++c) {
    if (group.column(c).IsNull(i)) return InvalidRow(number, "has a null");
  }
  const std::string slot(group.column(0).String(i));
  const std::string text(group.column(1).String(i));
  group.column(2).ReadList(i, vector_);
  if (vector_.empty()) return InvalidRow(number, "has an empty vector");
  if (dim_ == 0) dim_ = vector_.size();
  if (vector_.size() != dim_) {
    return InvalidRow(number,
                      "has a vector of {} numbers, those before it have {}; "
                      "write all of one width",
                      vector_.size(), dim_);
  }
  if (!std::all_of(vector_.begin(), vector_.end(),
                   [](float value) { return std::isfinite(value); })) {
    return InvalidRow(number, "has a number that is not finite");
  }
  const std::string whole =
      slot.empty() ? text : BeginToken(slot) + text + EndToken(slot);
  if (!rows_.emplace(TextId(whole), rows_.size()).second) {
    return InvalidRow(number,
                      "has a slot and text that an earlier row has, too; write "
                      "each once");
  }
  vectors_.insert(vectors_.end(), vector_.begin(), vector_.end());
  return absl::OkStatus();
}

absl::Status VectorsFileEncoder::Read() {
  LARR_ASSIGN_OR_RETURN(const ParquetFile file, ParquetFile::Open(path_));
  LARR_RETURN_IF_ERROR(CheckColumns(file));
  LARR_RETURN_IF_ERROR(
      file.ForEachRow({"slot", "text", "vector"},
                      [this](const RowGroup& group, int64_t i, int64_t number) {
                        return AddRow(group, i, number);
                      }));
  if (rows_.empty()) {
    return Invalid("embed.vectors_file: {} has no row", path_.string());
  }
  LARR_ASSIGN_OR_RETURN(const std::string hash, Sha256File(path_));
  fingerprint_ = Sha256("vectors file " + hash);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextEncoder>> OpenVectorsFile(
    const std::filesystem::path& path) {
  auto encoder = std::make_unique<VectorsFileEncoder>(path);
  LARR_RETURN_IF_ERROR(encoder->Read());
  return encoder;
}

}  // namespace larr
