// SPDX-License-Identifier: Apache-2.0
//
// Whether a machine has room for the demo, asked before its work begins.
//
// Units:  bytes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/demo/demo.h"

namespace larr::demo {

// That there is room for what the demo has not made yet.
// Errors: kResourceExhausted  names all that is missing
absl::Status CheckMachine(const Demo& demo);

struct Room {
  int64_t disk = 0;
  int64_t memory = 0;
};

// What is free now: on the disk of `folder`, which exists, and of memory, or of
// what a container may have of it.
absl::StatusOr<Room> FreeRoom(const std::filesystem::path& folder);

// kResourceExhausted, with all that is missing in one message.
absl::Status CheckRoom(const Room& needed, const Room& free,
                       const std::filesystem::path& folder);

// The sum of the files in `folder`.
int64_t SizeOf(const std::filesystem::path& folder);

}  // namespace larr::demo
