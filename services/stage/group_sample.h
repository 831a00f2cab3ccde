// SPDX-License-Identifier: Apache-2.0
//
// The key of a group of GAUC, and whether the group is in a sample. Both follow
// from the group's name alone, not from a seed, the rows' order or the part: a
// group is in every sample that is larger.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace larr::stage {

uint64_t GroupKey(std::string_view group);

// True for a share `fraction` of all keys.
bool IsSampled(uint64_t key, double fraction);

}  // namespace larr::stage
