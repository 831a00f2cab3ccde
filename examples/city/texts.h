// SPDX-License-Identifier: Apache-2.0
//
// What is written about POIs and users: names, places, dishes, prices and
// counts, as a listing would say them, and never a hidden attribute.
//
// Threads:    safe; all functions are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "examples/city/entities.h"
#include "examples/city/statistics.h"
#include "examples/city/world.h"

namespace larr::city {

struct PoiTexts {
  std::string name;
  std::string menu;
  std::string introduction;
  std::optional<std::string> tags;  // Not every POI has any.
};
PoiTexts MakePoiTexts(uint64_t seed, int index, const World& world,
                      const Poi& poi);

// The last orders and clicks; none where there are none.
std::optional<std::string> HistoryText(const World& world,
                                       const UserHistory& user);

// Counts and prices in coarse words, so that many entities share a text.
std::string PoiOrdersLevel(int64_t orders);
std::string UserOrdersLevel(int64_t orders);
std::string ClicksLevel(int64_t clicks);
std::string PriceText(double yuan);

}  // namespace larr::city
