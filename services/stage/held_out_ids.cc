// SPDX-License-Identifier: Apache-2.0
#include "services/stage/held_out_ids.h"

#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace larr::stage {

uint64_t HeldOutHash(const std::string& id, uint64_t seed) {
  return XXH3_64bits_withSeed(id.data(), id.size(), seed);
}

std::unordered_set<std::string> HeldOutIds(
    const std::vector<CorpusEntity>& entities, int64_t count, uint64_t seed) {
  std::set<std::pair<uint64_t, std::string>> ids;
  for (const CorpusEntity& entity : entities)
    ids.emplace(HeldOutHash(entity.id, seed), entity.id);
  const int64_t kept = std::min(count, static_cast<int64_t>(ids.size()) / 10);
  std::unordered_set<std::string> out;
  if (kept < 2) return out;
  for (auto id = ids.begin(); id != std::next(ids.begin(), kept); ++id)
    out.insert(id->second);
  return out;
}

}  // namespace larr::stage
