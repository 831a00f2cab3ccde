// SPDX-License-Identifier: Apache-2.0
//
// The request log of a scoring server as impressions of a dataset: Parquet with
// the columns and types of the dataset's own files, so that training, the
// evaluation and a replay read it by the dataset's spec.
//
// Columns that no caller sends are null. What was answered stands beside them:
// logged_ctr, logged_ctcvr, logged_arm, logged_model_version, logged_snapshot
// and logged_time_us (microseconds since 1970, UTC).
//
// Labels are what a log cannot know, and are never made up. With a table of
// labels (columns named by the spec: request key, POI key, click, order) only
// candidates that stand in it become rows, since only they were shown. Without
// one, click and order are null, which training refuses.
//
// Threads: one.
// Errors:  kInvalidArgument  the spec, a label or a value does not fit; the
//                            message names it
//          kDataLoss         a file of the log is damaged in its middle
//          those of common/base/files.h and parquet_reader.h
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace larr::ctl {

struct LogExport {
  std::filesystem::path log;      // Folder of a server's log.
  std::filesystem::path dataset;  // DatasetSpec text proto.
  std::filesystem::path labels;   // Parquet file or folder. Empty: none.
  // Folder to make. With `date=YYYY-MM-DD` folders, by the calls' days in UTC,
  // where the dataset's impressions have them.
  std::filesystem::path out;
};

struct LogExportReport {
  int64_t files = 0, calls = 0, rows = 0;
  int64_t unlabelled = 0;  // Candidates without a label, left out.
  int64_t torn = 0;        // Files whose end was cut.
};

absl::StatusOr<LogExportReport> ExportLog(const LogExport& what);

}  // namespace larr::ctl
