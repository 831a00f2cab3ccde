// SPDX-License-Identifier: Apache-2.0
//
// What requests share of POIs, kept by id within a budget of memory; the least
// recently used go first.
//
// Ownership:  shares the POIs with the requests that use them.
// Threads:    safe.
#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/scoring/request_encoder.h"

namespace larr {

// A POI of one bundle, ready to be scored.
struct PreparedPoi {
  EncodedPoi encoded;
  std::vector<std::byte> state;  // Scorer::MakePoiStates

  // Memory, about.
  size_t bytes() const;
};

class PoiCache {
 public:
  // Bytes of all that is kept, keys and the cache's own included; 0 keeps
  // nothing.
  explicit PoiCache(size_t budget_bytes);

  // Null if it is not there. Counts as a use.
  std::shared_ptr<const PreparedPoi> Find(std::string_view id);

  // Keeps a POI, unless it alone is beyond the budget of its part. One that is
  // there already is replaced.
  void Insert(std::string_view id, std::shared_ptr<const PreparedPoi> poi);

  // The ids of all that is kept.
  std::vector<std::string> Ids() const;

  size_t size() const;   // POIs
  size_t bytes() const;  // of the budget

 private:
  struct Entry {
    std::string id;
    std::shared_ptr<const PreparedPoi> poi;
    size_t bytes;
  };
  // Requests seldom meet at a lock.
  struct Part {
    mutable std::mutex mutex;  // guards what follows
    std::list<Entry> by_use;   // last used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_id;
    size_t bytes = 0;
  };
  static constexpr size_t kParts = 64;

  Part& PartOf(std::string_view id);

  const size_t part_budget_;
  std::array<Part, kParts> parts_;
};

}  // namespace larr
