// SPDX-License-Identifier: Apache-2.0
//
// Recorded requests: a file of larr.scoring.v1.ScoreRequest messages, each
// after its length as a varint, as protobuf's delimited_message_util writes
// them (in Java `writeDelimitedTo`, in Python `serialize_length_prefixed`).
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::load {

// All requests of a file of any size, in its order; at least one. They are all
// held in memory.
// Errors: those of ReadFile; kInvalidArgument  the file is empty, or one is
//         no ScoreRequest or cut off
absl::StatusOr<std::vector<scoring::v1::ScoreRequest>> ReadRequests(
    const std::filesystem::path& path);

// Errors: those of WriteFileAtomically
absl::Status WriteRequests(const std::filesystem::path& path,
                           std::span<const scoring::v1::ScoreRequest> requests);

}  // namespace larr::load
