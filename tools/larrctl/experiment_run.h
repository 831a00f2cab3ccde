// SPDX-License-Identifier: Apache-2.0
//
// Runs shards by the coordinator, one after another, and keeps what each found.
//
// Threads:  one. Catches SIGINT and SIGTERM from then on.
// Errors:   kAborted      some shards failed; the others are done, and messages
//                         about each were printed
//           kCancelled    interrupted; the current run was cancelled and goes
//                         on with the next call
//           otherwise those of the coordinator, of results and of digests
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/experiment/experiment.h"
#include "tools/larrctl/commands.h"

namespace larr::ctl {

struct ExperimentRunOptions {
  std::filesystem::path folder;   // of the experiments' files
  std::filesystem::path results;  // of this size
  std::string size;
};

absl::Status RunShards(const Session& session,
                       const ExperimentRunOptions& options,
                       const std::vector<experiment::Shard>& shards);

}  // namespace larr::ctl
