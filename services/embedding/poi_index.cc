// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/poi_index.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "common/base/status_macros.h"

namespace larr {
namespace {

// Read from the snapshot at once: each pins a block of it.
constexpr size_t kPoisAtOnce = 4096;

float Dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0f);
}

// 1 / |v|, and 0 for the zero vector.
float InverseLength(std::span<const float> v) {
  const float length = std::sqrt(Dot(v, v));
  return length > 0 ? 1 / length : 0;
}

}  // namespace

absl::StatusOr<PoiIndex> PoiIndex::Load(const Snapshot& snapshot) {
  std::vector<Poi> pois;
  std::vector<std::string> text_ids;
  LARR_RETURN_IF_ERROR(snapshot.ForEachPoiDescription(
      [&](std::string_view id, std::string_view text_id,
          std::string_view text) {
        pois.push_back({std::string(id), std::string(text)});
        text_ids.emplace_back(text_id);
        return absl::OkStatus();
      }));
  const size_t dim = snapshot.dim();
  PoiIndex index;
  index.dim_ = dim;
  for (size_t begin = 0; begin < pois.size(); begin += kPoisAtOnce) {
    const size_t count = std::min(kPoisAtOnce, pois.size() - begin);
    const std::vector<std::string_view> ids(text_ids.begin() + begin,
                                            text_ids.begin() + begin + count);
    std::vector<float> vectors(count * dim);
    std::vector<uint8_t> present(count);
    LARR_RETURN_IF_ERROR(snapshot.ReadVectors(ids, vectors, present).status());
    for (size_t i = 0; i < count; ++i) {
      if (!present[i]) continue;
      const std::span<const float> vector(vectors.data() + i * dim, dim);
      const float scale = InverseLength(vector);
      for (const float value : vector) index.units_.push_back(value * scale);
      index.pois_.push_back(std::move(pois[begin + i]));
    }
  }
  return index;
}

std::vector<PoiIndex::Hit> PoiIndex::Search(std::span<const float> query,
                                            int top_k) const {
  const float scale = InverseLength(query);
  std::vector<float> scores(pois_.size());
  for (size_t i = 0; i < pois_.size(); ++i) {
    scores[i] = scale * Dot(query, unit(i));
  }
  std::vector<size_t> order(pois_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t count = std::min<size_t>(std::max(top_k, 0), order.size());
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](size_t a, size_t b) {
                      if (scores[a] != scores[b]) return scores[a] > scores[b];
                      return pois_[a].id < pois_[b].id;
                    });
  std::vector<Hit> hits;
  for (size_t i = 0; i < count; ++i) {
    const Poi& poi = pois_[order[i]];
    hits.push_back({poi.id, scores[order[i]], poi.description});
  }
  return hits;
}

}  // namespace larr
