// SPDX-License-Identifier: Apache-2.0
#include "examples/city/texts.h"

#include <catch2/catch.hpp>
#include <set>

#include "common/config/text_proto.h"
#include "examples/city/embedded.h"

namespace larr::city {
namespace {

TEST_CASE("New dishes and new words are seen only in new POIs", "[city]") {
  const auto world = ParseWorld(kDishesCsv, kCitiesCsv);
  const auto spec =
      ParseTextProto<config::v1::DatasetSpec>(std::string(kDatasetTextProto));
  const auto calendar = MakeCalendar(spec->split().dates());
  std::set<std::string> new_words;
  for (const Dish& dish : world->dishes) {
    for (const SurfaceForm& form : dish.forms) {
      if (dish.is_new || form.is_new) new_words.insert(form.text);
    }
  }
  const auto pois = MakePois(3, 1500, *world, *calendar);
  int old_pois = 0, seen_in_new = 0;
  for (int i = 0; i < std::ssize(pois); ++i) {
    const PoiTexts texts = MakePoiTexts(3, i, *world, pois[i]);
    CHECK_FALSE(texts.name.empty());
    CHECK(texts.introduction.find('{') == std::string::npos);
    bool seen = false;
    for (const MenuItem& item : pois[i].menu) {
      const Dish& dish = world->dishes[item.dish];
      seen |= dish.is_new || dish.forms[item.form].is_new;
    }
    if (pois[i].opens == 0) {
      ++old_pois;
      CHECK_FALSE(seen);
    } else {
      CHECK(pois[i].opens >= calendar->first[kTest]);
      seen_in_new += seen;
    }
  }
  CHECK(old_pois == Approx(1500 * 0.92).epsilon(0.02));
  CHECK(seen_in_new > (1500 - old_pois) / 2);
}

TEST_CASE("Levels are coarse and grow with the count", "[city]") {
  CHECK(PoiOrdersLevel(0) == "no orders yet");
  CHECK(PoiOrdersLevel(29) == PoiOrdersLevel(10));
  CHECK(UserOrdersLevel(100) == "40+ orders");
  CHECK(ClicksLevel(9) == "seldom here");
  CHECK(PriceText(5) == "about 8 yuan");
  CHECK(PriceText(170) == "about 130 yuan");
}

TEST_CASE("A user without history has no history text", "[city]") {
  const auto world = ParseWorld(kDishesCsv, kCitiesCsv);
  UserHistory user;
  CHECK_FALSE(HistoryText(*world, user).has_value());
  user.recently_viewed.push_back({0, 0});
  CHECK(*HistoryText(*world, user) == "looked at mapo tofu");
  user.recently_ordered.push_back({0, 1});
  CHECK_THAT(*HistoryText(*world, user),
             Catch::StartsWith("ordered spicy bean"));
}

}  // namespace
}  // namespace larr::city
