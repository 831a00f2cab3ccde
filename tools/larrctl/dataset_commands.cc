// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "common/base/status_macros.h"
#include "common/dataset/validate_dataset.h"
#include "tools/larrctl/commands.h"

namespace larr::ctl {
namespace {

absl::Status Validate(const Session& session, const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(path));
  LARR_ASSIGN_OR_RETURN(const DatasetReport report, ValidateDataset(dataset));
  fmt::print("{}", session.json ? larr::ToJson(report) : larr::ToText(report));
  if (!report.has_leak()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the dataset seems to have a leak; see LEAK? in the findings");
}

}  // namespace

void AddDatasetCommands(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("dataset", "Look at datasets");
  group->require_subcommand(1);
  CLI::App* validate = group->add_subcommand(
      "validate",
      "Check a dataset spec against its files and print rows, label rates, "
      "coverage and distribution per feature, and what looks like a leak "
      "(then it exits with 1)");
  auto path = std::make_shared<std::string>();  // Shared with the callback.
  validate->add_option("spec", *path, "Path of a DatasetSpec text proto")
      ->required();
  validate->callback([&session, path] {
    session.action = [&session, path] { return Validate(session, *path); };
  });
}

}  // namespace larr::ctl
