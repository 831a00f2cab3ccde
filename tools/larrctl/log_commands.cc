// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string>

#include "common/base/status_macros.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/log_calibration.h"
#include "tools/larrctl/log_export.h"

namespace larr::ctl {
namespace {

struct LogArguments {
  std::string log, dataset, labels, out, exported;
};

absl::Status Export(const Session& session, const LogArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const LogExportReport report,
                        ExportLog({arguments.log, arguments.dataset,
                                   arguments.labels, arguments.out}));
  if (session.json) {
    fmt::print(
        R"({{"files":{},"calls":{},"rows":{},"unlabelled":{},"torn_files":{}}})"
        "\n",
        report.files, report.calls, report.rows, report.unlabelled,
        report.torn);
    return absl::OkStatus();
  }
  fmt::print("{} rows of {} calls in {} files\n", report.rows, report.calls,
             report.files);
  if (report.torn > 0) {
    fmt::print("{} files end in a record that was cut\n", report.torn);
  }
  if (arguments.labels.empty()) {
    fmt::print("labels are null: give --labels to train with it\n");
  } else {
    fmt::print("{} candidates without a label were left out\n",
               report.unlabelled);
  }
  return absl::OkStatus();
}

absl::Status ShowCalibration(const Session& session,
                             const LogArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const auto arms,
                        CalibrateLog(arguments.exported, arguments.dataset));
  fmt::print("{}", session.json ? CalibrationJson(arms) + "\n"
                                : CalibrationText(arms));
  return absl::OkStatus();
}

}  // namespace

void AddLogCommands(CLI::App& app, Session& session) {
  CommandGroup<LogArguments> logs(app, session, "log",
                                  "The request log of a scoring server");
  CLI::App* const command = logs.Add(
      "export", "Write logged calls as Parquet impressions of a dataset",
      Export);
  LogArguments& args = logs.arguments();
  command->add_option("log", args.log, "Folder of the log")->required();
  command
      ->add_option("--dataset", args.dataset,
                   "DatasetSpec text proto whose columns to write")
      ->required();
  command->add_option("--labels", args.labels,
                      "Parquet with request key, POI key, click and order of "
                      "what was shown; without it labels are null");
  command->add_option("--out", args.out, "Folder to make")->required();

  CLI::App* const calibration = logs.Add(
      "calibration", "Judge the answered probabilities by what came, by arm",
      ShowCalibration);
  calibration
      ->add_option("exported", args.exported,
                   "What `log export --labels` wrote")
      ->required();
  calibration
      ->add_option("--dataset", args.dataset,
                   "DatasetSpec text proto that names click and order")
      ->required();
}

}  // namespace larr::ctl
