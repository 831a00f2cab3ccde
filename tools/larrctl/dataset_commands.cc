// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "common/base/status_macros.h"
#include "common/dataset/validate_dataset.h"
#include "tools/larrctl/command_group.h"

namespace larr::ctl {
namespace {

absl::StatusOr<DatasetReport> Report(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(path));
  return ValidateDataset(dataset);
}

absl::Status Validate(const Session& session, const std::string& path) {
  const absl::StatusOr<DatasetReport> report = Report(path);
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

}  // namespace

void AddDatasetCommands(CLI::App& app, Session& session) {
  CommandGroup<std::string> datasets(app, session, "dataset",
                                     "Look at datasets");
  datasets
      .Add(
          "validate",
          "Check a dataset spec against its files and print rows, label "
          "rates, coverage and distribution per feature, and what looks like "
          "a leak (then it exits with 1; with 2 where spec or files are wrong)",
          Validate)
      ->add_option("spec", datasets.arguments(),
                   "Path of a DatasetSpec text proto")
      ->required();
}

}  // namespace larr::ctl
