// SPDX-License-Identifier: Apache-2.0
//
// What ranks that train one model together (common/llm/process_group.h) share
// out, and what they agree on. One process alone is the case of one rank.
//
// Threads: one at a time.
// Errors:  those of ProcessGroup
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/llm/checkpoint.h"
#include "common/llm/process_group.h"
#include "common/llm/training_checkpoints.h"

namespace larr::stage {

// A rank's part of texts of so many tokens each: their positions, ascending.
// Parts are about equally many tokens; where texts are few, some are empty.
std::vector<size_t> ShareOf(std::span<const int64_t> tokens, int rank,
                            int ranks);

// The group as checkpoints know it, which must outlive them.
TrainingRank TrainingRankOf(ProcessGroup& ranks);

// What `compute` gives on rank 0, which alone calls it, on all ranks. So they
// decide alike by what may depend on a rank's machine.
absl::StatusOr<nlohmann::json> FromFirstRank(
    ProcessGroup& ranks,
    const std::function<absl::StatusOr<nlohmann::json>()>& compute);

// Equal for equal weights, wherever their files are.
std::string WeightsHash(const Checkpoint& checkpoint);

// Refuses ranks that start from other settings, inputs or weights than rank 0.
// `identity` is of settings and inputs.
// Errors: kFailedPrecondition  on every rank
absl::Status CheckSameStart(ProcessGroup& ranks, const std::string& identity,
                            const Checkpoint& checkpoint);

}  // namespace larr::stage
