// SPDX-License-Identifier: Apache-2.0
//
// Which columns of users and POIs a snapshot stores, and whether a model finds
// its own among them: both sides of one contract. A column that a snapshot
// lacks would be null for everybody, and no count would tell.
//
// Threads: pure functions.
#pragma once

#include "absl/status/status.h"
#include "common/features/row.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/storage/v1/snapshot.pb.h"

namespace larr {

// Those that tabular features read.
storage::v1::EntityColumns EntityColumnsOf(const SpecSchemas& schemas);

// `model`: the dataset as a model reads it. A snapshot that does not say what
// it stores passes.
// Errors: kFailedPrecondition  names the first column that is missing
absl::Status CheckStoredColumns(const config::v1::DatasetSpec& model,
                                const storage::v1::SnapshotInfo& snapshot);

}  // namespace larr
