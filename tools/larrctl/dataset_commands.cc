// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string>
#include <unordered_set>
#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/dataset_texts.h"
#include "common/dataset/parquet_writer.h"
#include "common/dataset/validate_dataset.h"
#include "tools/larrctl/command_group.h"

namespace larr::ctl {
namespace {

absl::StatusOr<DatasetReport> Report(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(path));
  return ValidateDataset(dataset);
}

struct Arguments {
  std::string spec, out;
};

absl::Status Validate(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<DatasetReport> report = Report(arguments.spec);
  if (!report.ok()) {
    // The exit code of a leak is a leak's alone: a file that is missing or
    // damaged is as wrong as what it says.
    return absl::InvalidArgumentError(report.status().message());
  }
  fmt::print("{}",
             session.json ? larr::ToJson(*report) : larr::ToText(*report));
  if (!report->has_leak()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the dataset seems to have a leak; see LEAK? in the findings");
}

// Every distinct text that the embed stage would encode.
absl::Status WriteTexts(const Session& session, const Arguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(arguments.spec));
  LARR_ASSIGN_OR_RETURN(const auto days, EntityDays(dataset, ""));
  LARR_ASSIGN_OR_RETURN(
      auto writer,
      ParquetWriter::Create(arguments.out, {{"slot", ColumnType::kString},
                                            {"text", ColumnType::kString}}));
  std::unordered_set<std::string> seen;
  LARR_RETURN_IF_ERROR(ReadDatasetTexts(
      dataset, days,
      [&](std::string id, const std::string& text) {
        if (!seen.insert(std::move(id)).second) return absl::OkStatus();
        SlotText split = SplitSlot(text);
        return writer.Append({std::move(split.slot), std::move(split.text)});
      },
      [](const EntityTexts&) { return absl::OkStatus(); }));
  LARR_RETURN_IF_ERROR(writer.Finish());
  if (session.json) {
    fmt::print(R"({{"texts":{}}})"
               "\n",
               seen.size());
  } else {
    fmt::print("{} texts\n", seen.size());
  }
  return absl::OkStatus();
}

}  // namespace

void AddDatasetCommands(CLI::App& app, Session& session) {
  CommandGroup<Arguments> datasets(app, session, "dataset", "Look at datasets");
  datasets
      .Add(
          "validate",
          "Check a dataset spec against its files and print rows, label "
          "rates, coverage and distribution per feature, and what looks like "
          "a leak (then it exits with 1; with 2 where spec or files are wrong)",
          Validate)
      ->add_option("spec", datasets.arguments().spec,
                   "Path of a DatasetSpec text proto")
      ->required();
  auto* texts = datasets.Add(
      "texts",
      "Write every text that a run would encode into a Parquet file with the "
      "columns `slot` and `text`, for an encoder of your own: its vectors go "
      "into `embed.vectors_file`",
      WriteTexts);
  texts
      ->add_option("spec", datasets.arguments().spec,
                   "Path of a DatasetSpec text proto")
      ->required();
  texts->add_option("--out", datasets.arguments().out, "The file to write")
      ->required();
}

}  // namespace larr::ctl
