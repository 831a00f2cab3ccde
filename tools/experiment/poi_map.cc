// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/poi_map.h"

#include <torch/types.h>

#include <string>
#include <vector>

namespace larr::experiment {
namespace {

using Json = nlohmann::ordered_json;
using torch::Tensor;

// float64 [POIs, dim], each of length 1.
Tensor Units(const PoiIndex& pois) {
  std::vector<float> units;
  for (size_t i = 0; i < pois.size(); ++i) {
    const auto unit = pois.unit(i);
    units.insert(units.end(), unit.begin(), unit.end());
  }
  return torch::tensor(units, torch::kFloat64)
      .view({static_cast<int64_t>(pois.size()), -1});
}

// Position of a name, which is added where it is new.
size_t NumberOf(const std::string& name, Json& names) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  names.push_back(name);
  return names.size() - 1;
}

}  // namespace

Json MapPois(const PoiIndex& pois, const Places& places, size_t most) {
  Json map = {{"cities", Json::array()},
              {"categories", Json::array()},
              {"explained", 0.0},
              {"points", Json::array()}};
  if (pois.size() < 3) return map;
  const Tensor units = Units(pois);
  const Tensor centred = units - units.mean(0);
  const auto [variance, axes] = torch::linalg_eigh(centred.t().mm(centred));
  const int64_t last = variance.size(0) - 2;
  map["explained"] =
      (variance.narrow(0, last, 2).sum() / variance.sum()).item<double>();
  const Tensor plane = centred.mm(axes.narrow(1, last, 2)).contiguous();
  const auto* at = plane.const_data_ptr<double>();
  const size_t step = (pois.size() + most - 1) / most;
  for (size_t i = 0; i < pois.size(); i += step) {
    const auto place = places.find(pois.id(i));
    if (place == places.end()) continue;
    map["points"].push_back(
        {at[2 * i + 1], at[2 * i], NumberOf(place->second.city, map["cities"]),
         NumberOf(place->second.category, map["categories"])});
  }
  return map;
}

}  // namespace larr::experiment
