// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/poi_cache.h"

#include <functional>
#include <utility>

namespace larr {
namespace {

// A list's node, a map's node and its share of the buckets, by malloc.
constexpr size_t kEntryOverhead = 160;

}  // namespace

size_t PreparedPoi::bytes() const {
  size_t bytes = sizeof(PreparedPoi) + state.capacity() +
                 encoded.missing.capacity() +
                 encoded.row.capacity() * sizeof(Value);
  for (const Value& value : encoded.row) {
    if (const auto* text = std::get_if<std::string>(&value))
      bytes += text->capacity();
  }
  return bytes;
}

PoiCache::PoiCache(size_t budget_bytes) : part_budget_(budget_bytes / kParts) {}

PoiCache::Part& PoiCache::PartOf(std::string_view id) {
  // The upper bits: the map within a part takes the lower ones.
  return parts_[std::hash<std::string_view>()(id) >> 58];
}

std::shared_ptr<const PreparedPoi> PoiCache::Find(std::string_view id) {
  Part& part = PartOf(id);
  const std::lock_guard lock(part.mutex);
  const auto found = part.by_id.find(id);
  if (found == part.by_id.end()) return nullptr;
  part.by_use.splice(part.by_use.begin(), part.by_use, found->second);
  return found->second->poi;
}

void PoiCache::Insert(std::string_view id,
                      std::shared_ptr<const PreparedPoi> poi) {
  const size_t bytes = poi->bytes() + id.size() + kEntryOverhead;
  if (bytes > part_budget_) return;
  Part& part = PartOf(id);
  std::list<Entry> dropped;  // freed outside of the lock
  const std::lock_guard lock(part.mutex);
  const auto drop = [&](std::list<Entry>::iterator entry) {
    part.bytes -= entry->bytes;
    part.by_id.erase(entry->id);
    dropped.splice(dropped.begin(), part.by_use, entry);
  };
  const auto found = part.by_id.find(id);
  if (found != part.by_id.end()) drop(found->second);
  while (part.bytes + bytes > part_budget_) drop(std::prev(part.by_use.end()));
  part.by_use.push_front({std::string(id), std::move(poi), bytes});
  part.by_id.emplace(part.by_use.front().id, part.by_use.begin());
  part.bytes += bytes;
}

std::vector<std::string> PoiCache::Ids() const {
  std::vector<std::string> ids;
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    // Last used last: a cache that is filled in this order drops as this one.
    for (auto entry = part.by_use.rbegin(); entry != part.by_use.rend();
         ++entry)
      ids.push_back(entry->id);
  }
  return ids;
}

size_t PoiCache::size() const {
  size_t size = 0;
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    size += part.by_use.size();
  }
  return size;
}

size_t PoiCache::bytes() const {
  size_t bytes = 0;
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    bytes += part.bytes;
  }
  return bytes;
}

}  // namespace larr
