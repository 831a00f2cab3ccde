// SPDX-License-Identifier: Apache-2.0
#include "services/stage/scores_file.h"

#include "common/base/status_macros.h"

namespace larr::stage {

absl::StatusOr<ScoresFile> ScoresFile::Create(
    const std::filesystem::path& path, const std::vector<Model>& models) {
  std::vector<ParquetWriter::Column> columns = {
      {"date", ColumnType::kString},     {"request_id", ColumnType::kString},
      {"user_id", ColumnType::kString},  {"poi_id", ColumnType::kString},
      {"click", ColumnType::kInteger},   {"order", ColumnType::kInteger},
      {"position", ColumnType::kInteger}};
  for (const Model& model : models) {
    columns.push_back({model.name + "_ctr", ColumnType::kNumber});
    if (model.has_order_task)
      columns.push_back({model.name + "_ctcvr", ColumnType::kNumber});
  }
  LARR_ASSIGN_OR_RETURN(auto writer, ParquetWriter::Create(path, columns));
  return ScoresFile(std::move(writer));
}

absl::Status ScoresFile::Append(
    std::span<const Impression> rows,
    const std::vector<torch::Tensor>& probabilities) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const Impression& row = rows[i];
    if (row.date != date_) positions_.clear();
    date_ = row.date;
    std::vector<ParquetWriter::Cell> cells = {row.date,
                                              row.request_id,
                                              row.user_id,
                                              row.poi_id,
                                              static_cast<int64_t>(row.click),
                                              static_cast<int64_t>(row.order),
                                              positions_[row.request_id]++};
    for (const torch::Tensor& model : probabilities) {
      const auto values = model.accessor<float, 2>()[static_cast<int64_t>(i)];
      for (int64_t task = 0; task < model.size(1); ++task)
        cells.emplace_back(double{values[task]});
    }
    LARR_RETURN_IF_ERROR(writer_.Append(cells));
  }
  return absl::OkStatus();
}

}  // namespace larr::stage
