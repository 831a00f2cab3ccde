// SPDX-License-Identifier: Apache-2.0
//
// The users and POIs that stage 2 keeps aside, to see what it learns on pairs
// that it never trains on.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "services/stage/corpus_files.h"

namespace larr::stage {

// What is held out is what has the smallest hashes.
uint64_t HeldOutHash(const std::string& id, uint64_t seed);

// The `count` ids with the smallest hashes, at most a tenth of all; none where
// that leaves fewer than two, for one pair has nothing to be told from. The
// corpus stage holds POI descriptions out by the same hash: the first ids are
// those that stage 1 did not see either.
std::unordered_set<std::string> HeldOutIds(
    const std::vector<CorpusEntity>& entities, int64_t count, uint64_t seed);

}  // namespace larr::stage
