// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/poi_map.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status_macros.h"
#include "tools/experiment/places.h"

namespace larr::experiment {
namespace {

using Json = nlohmann::ordered_json;
using torch::Tensor;

// The POIs whose vector is there, and those vectors.
struct Pois {
  std::vector<std::string> ids;
  Tensor vectors;  // float64 [ids, dim]
};

absl::StatusOr<Pois> ReadPois(const Snapshot& snapshot) {
  std::map<std::string, std::string> texts;
  LARR_RETURN_IF_ERROR(snapshot.ForEachPoiDescription(
      [&](std::string_view id, std::string_view text_id, std::string_view) {
        texts.emplace(id, text_id);
        return absl::OkStatus();
      }));
  std::vector<std::string_view> keys;
  for (const auto& [id, text] : texts) keys.push_back(text);
  const auto count = static_cast<int64_t>(keys.size());
  std::vector<float> vectors(keys.size() * snapshot.dim());
  std::vector<uint8_t> present(keys.size());
  LARR_RETURN_IF_ERROR(snapshot.ReadVectors(keys, vectors, present).status());
  Pois pois;
  std::vector<int64_t> rows;
  int64_t row = 0;
  for (const auto& [id, text] : texts) {
    if (present[row]) {
      pois.ids.push_back(id);
      rows.push_back(row);
    }
    ++row;
  }
  pois.vectors = torch::tensor(vectors, torch::kFloat64)
                     .view({count, -1})
                     .index_select(0, torch::tensor(rows, torch::kInt64));
  return pois;
}

// Position of a name, which is added where it is new.
size_t NumberOf(const std::string& name, Json& names) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  names.push_back(name);
  return names.size() - 1;
}

}  // namespace

absl::StatusOr<Json> MapPois(const Snapshot& snapshot, const city::World& world,
                             size_t most) {
  LARR_ASSIGN_OR_RETURN(const auto places, ReadPlaces(snapshot, world));
  LARR_ASSIGN_OR_RETURN(const Pois pois, ReadPois(snapshot));
  Json map = {{"cities", Json::array()},
              {"categories", Json::array()},
              {"explained", 0.0},
              {"points", Json::array()}};
  if (pois.ids.size() < 3) return map;
  const Tensor units =
      pois.vectors / pois.vectors.norm(2, 1, true).clamp_min(1e-12);
  const Tensor centred = units - units.mean(0);
  const auto [variance, axes] = torch::linalg_eigh(centred.t().mm(centred));
  const int64_t last = variance.size(0) - 2;
  map["explained"] =
      (variance.narrow(0, last, 2).sum() / variance.sum()).item<double>();
  const Tensor plane = centred.mm(axes.narrow(1, last, 2)).contiguous();
  const auto* at = plane.const_data_ptr<double>();
  const size_t step = (pois.ids.size() + most - 1) / most;
  for (size_t i = 0; i < pois.ids.size(); i += step) {
    const auto place = places.find(pois.ids[i]);
    if (place == places.end()) continue;
    map["points"].push_back(
        {at[2 * i + 1], at[2 * i], NumberOf(place->second.city, map["cities"]),
         NumberOf(place->second.category, map["categories"])});
  }
  return map;
}

}  // namespace larr::experiment
