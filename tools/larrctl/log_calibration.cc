// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/log_calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/dataset/data_files.h"
#include "common/dataset/parquet_reader.h"
#include "common/features/row.h"
#include "larr/config/v1/dataset.pb.h"
#include "tools/larrctl/output.h"

namespace larr::ctl {
namespace {

using config::v1::DatasetSpec;
using config::v1::ImpressionTable;
namespace fs = std::filesystem;

struct Rows {
  std::vector<double> scores;
  std::vector<uint8_t> labels;
};
// By arm, then ctr and ctcvr.
using RowsByArm = std::map<std::string, std::array<Rows, 2>>;

absl::StatusOr<std::optional<bool>> LabelOf(const ColumnView& column,
                                            int64_t row, int64_t file_row,
                                            const fs::path& path,
                                            const std::string& name) {
  if (column.IsNull(row)) return std::optional<bool>();
  Value value;
  column.Read(row, value);
  const std::optional<double> label = ToNumber(value);
  if (!label.has_value() || (*label != 0 && *label != 1)) {
    return Invalid("{}: column `{}`, row {}: the label is neither 0 nor 1",
                   path.string(), name, file_row);
  }
  return std::make_optional(*label == 1);
}

void Add(const ColumnView& score, int64_t row, bool label, Rows& rows) {
  if (score.IsNull(row)) return;  // It was not asked for.
  rows.scores.push_back(score.Number(row));
  rows.labels.push_back(label ? 1 : 0);
}

absl::Status ReadExport(const fs::path& path, const ImpressionTable& table,
                        RowsByArm& arms) {
  LARR_ASSIGN_OR_RETURN(const ParquetFile file, ParquetFile::Open(path));
  std::vector<std::string> names = {"logged_arm", "logged_ctr", "logged_ctcvr",
                                    table.click_column()};
  const bool has_order = !table.order_column().empty();
  if (has_order) names.push_back(table.order_column());
  const auto fits = [&file](const std::string& name) {
    const ColumnInfo* const column = file.Find(name);
    if (column == nullptr) return false;
    if (name == "logged_arm") return column->type == ColumnType::kString;
    return !name.starts_with("logged_") || column->type == ColumnType::kNumber;
  };
  for (const std::string& name : names) {
    if (fits(name)) continue;
    return Invalid(
        "{} has no column `{}` as logs have it; give what `larrctl log export "
        "--labels` wrote "
        "for this dataset",
        path.string(), name);
  }
  return file.ForEachRow(
      names,
      [&](const RowGroup& group, int64_t i, int64_t file_row) -> absl::Status {
        LARR_ASSIGN_OR_RETURN(
            const auto click,
            LabelOf(group.column(3), i, file_row, path, names[3]));
        if (!click.has_value() || group.column(0).IsNull(i))
          return absl::OkStatus();
        auto& rows = arms[std::string(group.column(0).String(i))];
        Add(group.column(1), i, *click, rows[0]);
        if (!has_order) return absl::OkStatus();
        LARR_ASSIGN_OR_RETURN(
            const auto order,
            LabelOf(group.column(4), i, file_row, path, names[4]));
        if (order.has_value())
          Add(group.column(2), i, *click && *order, rows[1]);
        return absl::OkStatus();
      });
}

LogCalibration Judge(const std::string& arm, const char* output,
                     const Rows& rows) {
  return {.arm = arm,
          .output = output,
          .rows = static_cast<int64_t>(rows.labels.size()),
          .positives = std::count(rows.labels.begin(), rows.labels.end(), 1),
          .log_loss = LogLoss(rows.scores, rows.labels),
          .calibration = Calibrate(rows.scores, rows.labels)};
}

}  // namespace

absl::StatusOr<std::vector<LogCalibration>> CalibrateLog(
    const fs::path& exported, const fs::path& dataset) {
  LARR_ASSIGN_OR_RETURN(const auto spec, LoadTextProto<DatasetSpec>(dataset));
  LARR_ASSIGN_OR_RETURN(const auto files, ListDataFiles(exported));
  RowsByArm arms;
  for (const DataFile& file : files) {
    LARR_RETURN_IF_ERROR(ReadExport(file.path, spec.impressions(), arms));
  }
  std::vector<LogCalibration> calibrations;
  for (const auto& [arm, rows] : arms) {
    if (!rows[0].scores.empty())
      calibrations.push_back(Judge(arm, "ctr", rows[0]));
    if (!rows[1].scores.empty())
      calibrations.push_back(Judge(arm, "ctcvr", rows[1]));
  }
  if (calibrations.empty()) {
    return Invalid(
        "{} has no row with a score and a label; export with --labels",
        exported.string());
  }
  return calibrations;
}

std::string CalibrationText(const std::vector<LogCalibration>& arms) {
  std::vector<std::vector<std::string>> rows;
  for (const LogCalibration& c : arms) {
    rows.push_back({c.arm, c.output, fmt::format("{}", c.rows),
                    fmt::format("{}", c.positives),
                    fmt::format("{:.3f}", c.calibration.ratio),
                    fmt::format("{:.5f}", c.calibration.error),
                    fmt::format("{:.5f}", c.log_loss)});
  }
  std::string text =
      Table({"ARM", "OUTPUT", "ROWS", "POSITIVES", "PREDICTED/OBSERVED",
             "CALIBRATION ERROR", "LOG LOSS"},
            rows);
  for (const LogCalibration& c : arms) {
    rows.clear();
    for (const auto& bin : c.calibration.bins) {
      rows.push_back({fmt::format("{}", rows.size() + 1),
                      fmt::format("{}", bin.rows),
                      fmt::format("{:.5f}", bin.mean_score),
                      fmt::format("{:.5f}", bin.mean_label)});
    }
    text += fmt::format("\n{} {}\n", c.arm, c.output) +
            Table({"DECILE", "ROWS", "PREDICTED", "OBSERVED"}, rows);
  }
  return text;
}

std::string CalibrationJson(const std::vector<LogCalibration>& arms) {
  auto list = nlohmann::ordered_json::array();
  for (const LogCalibration& c : arms) {
    auto bins = nlohmann::ordered_json::array();
    for (const auto& bin : c.calibration.bins) {
      bins.push_back({{"rows", bin.rows},
                      {"mean_score", bin.mean_score},
                      {"mean_label", bin.mean_label}});
    }
    list.push_back({{"arm", c.arm},
                    {"output", c.output},
                    {"rows", c.rows},
                    {"positives", c.positives},
                    {"log_loss", c.log_loss},
                    {"calibration_error", c.calibration.error},
                    {"ratio", c.calibration.ratio},
                    {"bins", bins}});
  }
  return nlohmann::ordered_json{{"calibrations", list}}.dump();
}

}  // namespace larr::ctl
