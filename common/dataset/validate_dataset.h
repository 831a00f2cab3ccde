// SPDX-License-Identifier: Apache-2.0
//
// Looks at a whole dataset before anything is trained on it: rows, coverage
// and distribution of every feature, label rates by day, and what looks like a
// leak. `larrctl dataset validate` prints it.
//
// Cost:   every row is read; features are judged on a sample of some 100,000
//         impressions. Memory grows with the sample and with the entities: the
//         partitions that a day joins, a day's counts for each of its keys,
//         and, where the split is not by date, every user's key.
#pragma once

#include <absl/status/statusor.h>

#include "common/dataset/dataset_report.h"
#include "common/dataset/dataset_spec.h"

namespace larr {

// Errors: what `CheckRows` and the stream refuse. A leak is a finding, not an
// error: see `DatasetReport::has_leak`.
absl::StatusOr<DatasetReport> ValidateDataset(const Dataset& dataset);

}  // namespace larr
