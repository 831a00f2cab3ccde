// SPDX-License-Identifier: Apache-2.0
//
// What a dataset is, told from its spec and its folders alone: nothing of its
// files is read. Equal identities are the same data, unless somebody changed a
// file and set its time back.
//
// Threads: safe.
// Errors:  those of `ListDataFiles`
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "larr/config/v1/dataset.pb.h"

namespace larr {

struct DatasetIdentity {
  config::v1::DatasetSpec spec;  // With absolute paths; not checked.
  std::string files;  // FileStamp of each file of each table, in their order.
};

// Of a spec whose paths are absolute or relative to `folder`. `until`: the
// first day (`YYYY-MM-DD`) whose partitions are left out, because who asks does
// not read them; empty: none.
absl::StatusOr<DatasetIdentity> IdentifyDataset(
    config::v1::DatasetSpec spec, const std::filesystem::path& folder,
    std::string_view until = "");

}  // namespace larr
