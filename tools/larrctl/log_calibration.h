// SPDX-License-Identifier: Apache-2.0
//
// Whether the probabilities that were answered came true: what `larrctl log
// export --labels` wrote, where each row has a candidate's score (logged_ctr,
// logged_ctcvr), its arm and what the user did (the dataset's click and order
// columns). P(click and order) is judged by click and order together.
//
// Only candidates that were shown have a label, and which ones are shown
// follows from their scores: high bins have most rows.
//
// Threads: one.
// Errors:  kInvalidArgument  a column is missing, a label is neither 0 nor 1,
//                            or no row has a label; the message says which
//          those of parquet_reader.h
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ctr/metrics.h"

namespace larr::ctl {

// Of one arm's scores of one output.
struct LogCalibration {
  std::string arm;
  std::string output;  // `ctr` or `ctcvr`
  int64_t rows = 0;
  int64_t positives = 0;
  double log_loss = 0;
  Calibration calibration;  // Deciles.
};

// `exported`: folder or file; `dataset`: DatasetSpec text proto, of which the
// names of the label columns are read. By arm, ctr first. Rows without the
// score or the label are left out.
absl::StatusOr<std::vector<LogCalibration>> CalibrateLog(
    const std::filesystem::path& exported,
    const std::filesystem::path& dataset);

// For people: a line for each arm and output, then the deciles of each.
std::string CalibrationText(const std::vector<LogCalibration>& arms);

// {"calibrations": [{"arm", "output", "rows", "positives", "log_loss",
// "calibration_error", "ratio", "bins": [{"rows", "mean_score",
// "mean_label"}]}]}; what does not exist is null.
std::string CalibrationJson(const std::vector<LogCalibration>& arms);

}  // namespace larr::ctl
