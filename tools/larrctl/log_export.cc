// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/log_export.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <variant>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/dataset/data_files.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/parquet_reader.h"
#include "common/dataset/parquet_writer.h"
#include "common/features/row.h"
#include "services/scoring/call_files.h"
#include "services/scoring/outputs.h"

namespace larr::ctl {
namespace {

namespace fs = std::filesystem;
using config::v1::ImpressionTable;
using scoring::v1::LoggedCall;
using Cell = ParquetWriter::Cell;

constexpr double kLargestInteger = 9007199254740992;  // 2^53

struct Labels {
  std::optional<int64_t> click, order;
};
using LabelTable = std::unordered_map<std::string, Labels>;

std::string LabelKey(std::string_view request, std::string_view poi) {
  return fmt::format("{}\n{}", request, poi);
}

absl::Status ReadLabelFile(const fs::path& path, const ImpressionTable& table,
                           LabelTable& labels) {
  LARR_ASSIGN_OR_RETURN(const ParquetFile file, ParquetFile::Open(path));
  std::vector<std::string> names = {table.request_key(), table.poi_key(),
                                    table.click_column()};
  if (!table.order_column().empty()) names.push_back(table.order_column());
  Value value;
  return file.ForEachRow(
      names,
      [&](const RowGroup& group, int64_t i, int64_t number) -> absl::Status {
        std::string key[2];
        for (int c = 0; c < 2; ++c) {
          group.column(c).Read(i, value);
          key[c] = ToText(value);
        }
        Labels row;
        for (size_t c = 2; c < names.size(); ++c) {
          group.column(static_cast<int>(c)).Read(i, value);
          const std::optional<double> label = ToNumber(value);
          if (!label.has_value() || (*label != 0 && *label != 1)) {
            return Invalid(
                "{}: column `{}`, row {}: the label is neither 0 nor 1",
                path.string(), names[c], number);
          }
          (c == 2 ? row.click : row.order) = static_cast<int64_t>(*label);
        }
        labels.insert_or_assign(LabelKey(key[0], key[1]), row);
        return absl::OkStatus();
      });
}

absl::StatusOr<LabelTable> ReadLabels(const fs::path& path,
                                      const ImpressionTable& table) {
  if (table.request_key().empty() || table.poi_key().empty()) {
    return Invalid(
        "labels are joined by request and POI: set impressions.request_key and "
        "impressions.poi_key in the dataset's spec");
  }
  LabelTable labels;
  LARR_ASSIGN_OR_RETURN(const auto files, ListDataFiles(path));
  for (const DataFile& file : files) {
    LARR_RETURN_IF_ERROR(ReadLabelFile(file.path, table, labels));
  }
  return labels;
}

// A raw value as a cell of a column; nothing if it is of another type.
std::optional<Cell> ToCell(const Value& value, ColumnType type) {
  if (IsNull(value)) return Cell();
  if (type == ColumnType::kString) return Cell(ToText(value));
  if (std::holds_alternative<std::string>(value)) return std::nullopt;
  if (const auto* integer = std::get_if<int64_t>(&value)) return Cell(*integer);
  const double number = std::get<double>(value);
  if (type == ColumnType::kNumber) return Cell(number);
  if (number != std::floor(number) || std::abs(number) >= kLargestInteger) {
    return std::nullopt;
  }
  return Cell(static_cast<int64_t>(number));
}

// A key: requests have text where the column may have numbers.
std::optional<Cell> KeyCell(const std::string& key, ColumnType type) {
  if (key.empty()) return Cell();
  if (type == ColumnType::kString) return Cell(key);
  int64_t number = 0;
  const char* const end = key.data() + key.size();
  const auto parsed = std::from_chars(key.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return Cell(number);
}

class Exporter {
 public:
  explicit Exporter(const Dataset& dataset)
      : table_(dataset.spec.impressions()),
        daily_(!dataset.impressions.front().date.empty()) {}

  // Takes over the columns of the dataset's files.
  absl::Status Begin(const Dataset& dataset, const fs::path& folder,
                     const LabelTable* labels);
  absl::Status Add(const LoggedCall& call);
  absl::Status Finish();

  LogExportReport report;

 private:
  absl::StatusOr<ParquetWriter*> WriterOf(const LoggedCall& call);
  absl::StatusOr<std::vector<Cell>> RowOf(const LoggedCall& call,
                                          int score) const;
  absl::StatusOr<Cell> CellOf(const LoggedCall& call, int candidate,
                              const ParquetWriter::Column& column) const;

  const ImpressionTable& table_;
  const bool daily_;
  fs::path folder_;
  const LabelTable* labels_ = nullptr;
  std::vector<ParquetWriter::Column> columns_;    // logged_… come last.
  size_t own_columns_ = 0;                        // The dataset's.
  std::map<std::string, ParquetWriter> writers_;  // By day.
};

absl::Status Exporter::Begin(const Dataset& dataset, const fs::path& folder,
                             const LabelTable* labels) {
  folder_ = folder;
  labels_ = labels;
  LARR_ASSIGN_OR_RETURN(const ParquetFile file,
                        ParquetFile::Open(dataset.impressions.front().path));
  for (const ColumnInfo& column : file.columns()) {
    if (column.type == ColumnType::kUnsupported) continue;
    columns_.push_back({column.name, column.type});
  }
  own_columns_ = columns_.size();
  const std::vector<ParquetWriter::Column> logged = {
      {"logged_ctr", ColumnType::kNumber},
      {"logged_ctcvr", ColumnType::kNumber},
      {"logged_arm", ColumnType::kString},
      {"logged_model_version", ColumnType::kString},
      {"logged_snapshot", ColumnType::kString},
      {"logged_time_us", ColumnType::kInteger}};
  for (const auto& column : logged) {
    if (file.Find(column.name) != nullptr) {
      return Invalid("{} has a column `{}` of its own, which the export adds",
                     dataset.impressions.front().path.string(), column.name);
    }
    columns_.push_back(column);
  }
  return absl::OkStatus();
}

absl::StatusOr<ParquetWriter*> Exporter::WriterOf(const LoggedCall& call) {
  std::string day;
  if (daily_) {
    const std::time_t seconds = call.time().seconds();
    day = fmt::format("date={:%Y-%m-%d}", fmt::gmtime(seconds));
  }
  const auto it = writers_.find(day);
  if (it != writers_.end()) return &it->second;
  const fs::path folder = day.empty() ? folder_ : folder_ / day;
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  LARR_ASSIGN_OR_RETURN(
      auto writer, ParquetWriter::Create(folder / "calls.parquet", columns_));
  return &writers_.emplace(day, std::move(writer)).first->second;
}

absl::StatusOr<Cell> Exporter::CellOf(
    const LoggedCall& call, int candidate,
    const ParquetWriter::Column& column) const {
  const auto& request = call.request();
  const auto& shown = request.candidates(candidate);
  std::optional<Cell> cell;
  if (column.name == table_.user_key()) {
    cell = KeyCell(request.user_id(), column.type);
  } else if (column.name == table_.poi_key()) {
    cell = KeyCell(shown.poi_id(), column.type);
  } else if (column.name == table_.request_key()) {
    cell = KeyCell(call.request_id(), column.type);
  } else if (column.type == ColumnType::kStringList ||
             column.type == ColumnType::kNumberList) {
    cell = Cell();
  } else {
    // What a candidate brings goes before the context.
    auto value = shown.values().find(column.name);
    if (value == shown.values().end()) {
      value = request.context().find(column.name);
      if (value == request.context().end()) return Cell();
    }
    cell = ToCell(FromProto(value->second), column.type);
  }
  if (cell.has_value()) return *std::move(cell);
  return Invalid(
      "request `{}` of {} us, candidates[{}]: the value of column `{}` is not "
      "of the type that the dataset's files have; export with the dataset that "
      "the model was trained on",
      call.request_id(), call.time().seconds() * 1'000'000, candidate,
      column.name);
}

absl::StatusOr<std::vector<Cell>> Exporter::RowOf(const LoggedCall& call,
                                                  int score) const {
  const auto& given = call.scores(score);
  std::vector<Cell> row;
  for (size_t c = 0; c < own_columns_; ++c) {
    LARR_ASSIGN_OR_RETURN(row.emplace_back(),
                          CellOf(call, given.candidate(), columns_[c]));
  }
  const auto cell = [&](scoring::v1::Output output, float value) {
    return Wants(call.request(), output) ? Cell(double{value}) : Cell();
  };
  row.push_back(cell(scoring::v1::CTR, given.ctr()));
  row.push_back(cell(scoring::v1::CTCVR, given.ctcvr()));
  row.emplace_back(call.arm());
  row.emplace_back(call.model_version());
  row.emplace_back(call.snapshot());
  row.emplace_back(
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(call.time()));
  return row;
}

absl::Status Exporter::Add(const LoggedCall& call) {
  ++report.calls;
  if (call.scores_size() > call.request().candidates_size()) {
    return absl::DataLossError(fmt::format(
        "request `{}` has {} candidates and {} scores", call.request_id(),
        call.request().candidates_size(), call.scores_size()));
  }
  for (int i = 0; i < call.scores_size(); ++i) {
    const int candidate = call.scores(i).candidate();
    if (candidate < 0 || candidate >= call.request().candidates_size()) {
      return absl::DataLossError(fmt::format(
          "request `{}` has {} candidates and a score of "
          "candidates[{}]",
          call.request_id(), call.request().candidates_size(), candidate));
    }
    Labels labels;
    if (labels_ != nullptr) {
      const auto found = labels_->find(LabelKey(
          call.request_id(), call.request().candidates(candidate).poi_id()));
      if (found == labels_->end()) {
        ++report.unlabelled;
        continue;
      }
      labels = found->second;
    }
    LARR_ASSIGN_OR_RETURN(std::vector<Cell> row, RowOf(call, i));
    for (size_t c = 0; c < own_columns_; ++c) {
      const auto set = [&](const std::string& name, auto label) {
        if (columns_[c].name != name) return;
        row[c] = label.has_value() ? Cell(*label) : Cell();
      };
      set(table_.click_column(), labels.click);
      if (!table_.order_column().empty()) {
        set(table_.order_column(), labels.order);
      }
    }
    LARR_ASSIGN_OR_RETURN(ParquetWriter* const writer, WriterOf(call));
    LARR_RETURN_IF_ERROR(writer->Append(row));
    ++report.rows;
  }
  return absl::OkStatus();
}

absl::Status Exporter::Finish() {
  for (auto& [day, writer] : writers_) LARR_RETURN_IF_ERROR(writer.Finish());
  return absl::OkStatus();
}

absl::Status AddFile(const fs::path& path, Exporter& exporter) {
  LARR_ASSIGN_OR_RETURN(auto reader, CallFileReader::Open(path));
  while (true) {
    LARR_ASSIGN_OR_RETURN(const auto call, reader.Next());
    if (!call.has_value()) break;
    LARR_RETURN_IF_ERROR(exporter.Add(*call));
  }
  ++exporter.report.files;
  exporter.report.torn += reader.torn_bytes() > 0 ? 1 : 0;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LogExportReport> ExportLog(const LogExport& what) {
  std::error_code error;
  if (fs::exists(what.out, error)) {
    return Invalid("{} is there already; name a new folder", what.out.string());
  }
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(what.dataset));
  LARR_ASSIGN_OR_RETURN(const auto files, ListCallFiles(what.log));
  std::optional<LabelTable> labels;
  if (!what.labels.empty()) {
    LARR_ASSIGN_OR_RETURN(labels,
                          ReadLabels(what.labels, dataset.spec.impressions()));
  }
  // Under another name until it is whole.
  const fs::path out = WithoutTrailingSlash(what.out);
  const fs::path partial = out.string() + ".partial";
  fs::remove_all(partial, error);
  LARR_RETURN_IF_ERROR(MakeFolder(partial));
  Exporter exporter(dataset);
  LARR_RETURN_IF_ERROR(exporter.Begin(dataset, partial,
                                      labels.has_value() ? &*labels : nullptr));
  for (const fs::path& file : files) {
    LARR_RETURN_IF_ERROR(AddFile(file, exporter));
  }
  LARR_RETURN_IF_ERROR(exporter.Finish());
  fs::rename(partial, out, error);
  if (error) return FileStatus("cannot rename to", out, error);
  return exporter.report;
}

}  // namespace larr::ctl
