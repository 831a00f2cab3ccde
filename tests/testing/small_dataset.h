// SPDX-License-Identifier: Apache-2.0
//
// A dataset of four days with as many texts as a test wants:
//   2026-01-01 pairs, 01-02 train, 01-03 validation, 01-04 test.
// Users u0.. and POIs p0.. have a partition on every day. Every fifth user's
// text changes from day to day.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/tiny_dataset.h"

namespace larr::testing {

inline constexpr char kSmallDatasetSpec[] = R"(
name: "small"
impressions { path: "impressions" user_key: "user_id" poi_key: "poi_id"
              click_column: "click" }
users { path: "users" key: "id" }
pois { path: "pois" key: "id" }
split { dates { pairs_begin: "2026-01-01" train_begin: "2026-01-02"
                validation_begin: "2026-01-03" test_begin: "2026-01-04" } }
gauc_group_column: "user_id"
keywords { name: "taste" side: USER group: USER_PROFILE template: "{likes}" }
keywords { name: "name" side: POI group: POI_BUSINESS template: "{name}" }
keywords { name: "type" side: POI group: POI_BASIC template: "{type}" }
keywords { name: "dish" side: POI group: POI_BUSINESS template: "{dish}" }
keywords { name: "weather" side: CONTEXT group: USER_ACTION
           template: "{weather}"
           domains { column: "weather" values: "hot" values: "cold" } }
scene_features: "taste" scene_features: "dish" scene_features: "weather"
scene_features: "name"
tabular_features { name: "age" side: USER dense { column: "age" } }
tabular_features { name: "type" side: POI vocabulary { column: "type" } }
)";

struct SmallDataset {
  explicit SmallDataset(std::filesystem::path where, int user_count = 20)
      : folder(std::move(where)), users(user_count) {
    Write();
  }

  const std::filesystem::path folder;
  const int users;
  const int pois = 12;
  // Dish of a POI on a day.
  std::function<std::string(int poi, const std::string& day)> dish =
      [](int poi, const std::string&) { return "dish" + std::to_string(poi); };

  static std::vector<std::string> Days() {
    return {"2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"};
  }
  static std::string Likes(int user, const std::string& day) {
    const std::string likes = "tea" + std::to_string(user);
    return user % 5 == 0 ? likes + " on " + day : likes;
  }
  static std::string Type(int poi) {
    return poi % 2 == 0 ? "noodles" : "salad";
  }

  // The distinct texts that a refresh as of the last day needs, if dishes do
  // not depend on the day: three days of users; name, dish and comprehensive
  // text of each POI; two of the context.
  int ExpectedTexts() const {
    const int changing = (users + 4) / 5;
    return users - changing + 3 * changing + 3 * pois + 2;
  }

  std::filesystem::path spec() const { return folder / "dataset.textproto"; }

  // Writes the files anew, as after a change of `dish`.
  void Write() const {
    std::filesystem::create_directories(folder);
    std::ofstream(spec()) << kSmallDatasetSpec;
    for (const std::string& day : Days()) WriteDay(day);
  }

 private:
  void WriteDay(const std::string& day) const {
    using enum ColumnType;
    Cells user_rows, poi_rows, shown;
    for (int u = 0; u < users; ++u) {
      user_rows.push_back(
          {"u" + std::to_string(u), int64_t{20 + u}, Likes(u, day)});
    }
    for (int p = 0; p < pois; ++p) {
      poi_rows.push_back({"p" + std::to_string(p), "Place" + std::to_string(p),
                          Type(p), dish(p, day)});
    }
    for (int i = 0; i < 6; ++i) {
      shown.push_back({"u" + std::to_string(i % users),
                       "p" + std::to_string(i % pois), int64_t{i % 2},
                       std::string(i % 3 == 0 ? "hot" : "cold")});
    }
    WriteParquet(TinyFile(folder, "users", day),
                 {{"id", kString}, {"age", kInteger}, {"likes", kString}},
                 user_rows);
    WriteParquet(TinyFile(folder, "pois", day),
                 {{"id", kString},
                  {"name", kString},
                  {"type", kString},
                  {"dish", kString}},
                 poi_rows);
    WriteParquet(TinyFile(folder, "impressions", day),
                 {{"user_id", kString},
                  {"poi_id", kString},
                  {"click", kInteger},
                  {"weather", kString}},
                 shown);
  }
};

}  // namespace larr::testing
