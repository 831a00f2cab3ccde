// SPDX-License-Identifier: Apache-2.0
//
// How this process was started: alone, or as one of several that train one
// model together ("ranks"), by torchrun's environment variables:
//
//   RANK, WORLD_SIZE         which one this is, of how many
//   LOCAL_RANK               which one of its machine; not of interest here
//   MASTER_ADDR, MASTER_PORT where rank 0 listens
//
// Errors: kInvalidArgument  some of the variables are missing, or one has an
//                           impossible value
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>

namespace larr {

struct Launch {
  int rank = 0;
  int world_size = 1;
  std::string address;
  uint16_t port = 0;
};

// Value of a variable; null where it is not set.
using Environment = std::function<const char*(const char* name)>;

// With none of the variables, one process.
absl::StatusOr<Launch> ReadLaunch(const Environment& environment);
// Of this process.
absl::StatusOr<Launch> ReadLaunch();

}  // namespace larr
