// SPDX-License-Identifier: Apache-2.0
//
// The three modes of larr_load over its options: from requests to the table on
// the terminal, the JSON and the page.
#pragma once

#include "absl/status/status.h"
#include "tools/load/options.h"

namespace larr::load {

// Errors: kInvalidArgument     an option, a file of requests, a context
//         kUnavailable         no server there
//         kFailedPrecondition  no rate within the bound was found
//         those of Snapshot and of WriteFileAtomically
absl::Status RunLoad(const LoadOptions& options);

}  // namespace larr::load
