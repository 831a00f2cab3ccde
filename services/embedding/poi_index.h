// SPDX-License-Identifier: Apache-2.0
//
// Finds the POIs whose comprehensive text (paper eq. 18) is nearest to a
// vector, by comparing with every one of them. In memory: dim x 4 bytes and
// the text for each POI.
//
// Threads:  immutable after construction.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"

namespace larr {

class PoiIndex {
 public:
  struct Hit {
    std::string poi_id;
    float score = 0;  // cosine similarity
    std::string description;
  };

  // Reads the POIs of a snapshot. One whose vector is not stored is left out.
  static absl::StatusOr<PoiIndex> Load(const Snapshot& snapshot);

  size_t size() const { return pois_.size(); }
  // POI i < size(), in the snapshot's order, and its vector, scaled to length 1
  // (zeros stay): [dim]. Valid while the index lives.
  const std::string& id(size_t i) const { return pois_[i].id; }
  std::span<const float> unit(size_t i) const {
    return {units_.data() + i * dim_, dim_};
  }

  // The `top_k` best, best first; ties by id. Fewer if there are not as many.
  // REQUIRES: query.size() == dim of the snapshot
  std::vector<Hit> Search(std::span<const float> query, int top_k) const;

 private:
  struct Poi {
    std::string id;
    std::string description;
  };

  size_t dim_ = 0;
  std::vector<Poi> pois_;
  std::vector<float> units_;  // [pois, dim], of length 1
};

}  // namespace larr
