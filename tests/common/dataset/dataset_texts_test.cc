// SPDX-License-Identifier: Apache-2.0
//
// That all texts come, and of which days, is tested through the refresh that
// reads them (tests/services/embedding/refresh_test.cc).
#include "common/dataset/dataset_texts.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "common/features/text_renderer.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

TEST_CASE("Texts come with their ids, and entities after their texts",
          "[dataset]") {
  const testing::TempDir dir;
  const testing::SmallDataset data(dir.path());
  const auto dataset = OpenDataset(data.spec());
  REQUIRE(dataset.ok());
  const auto days = EntityDays(*dataset, "");
  REQUIRE(days.ok());
  CHECK(days->at(config::v1::USER) == "2026-01-04");
  std::set<std::string> ids;
  int entities = 0, descriptions = 0;
  const auto on_text = [&](const std::string& id, const std::string& text) {
    CHECK(id == TextId(text));
    ids.insert(id);
    return absl::OkStatus();
  };
  const auto on_entity = [&](const EntityTexts& entity) {
    ++entities;
    CHECK(entity.date == "2026-01-04");
    for (const std::string& id : entity.text_ids) CHECK(ids.contains(id));
    if (entity.description.empty()) return absl::OkStatus();
    ++descriptions;
    CHECK(ids.contains(TextId(entity.description)));
    return absl::OkStatus();
  };
  REQUIRE(ReadDatasetTexts(*dataset, *days, on_text, on_entity).ok());
  CHECK(static_cast<int>(ids.size()) == data.ExpectedTexts());
  CHECK(entities == data.users + data.pois);
  CHECK(descriptions == data.pois);
}

TEST_CASE("Who impressions bring is as of the last day that it came on",
          "[dataset]") {
  const testing::TempDir dir;
  const auto spec = testing::TinySpecOfImpressions();
  testing::WriteTinyTables(dir.path());
  // The last day has three rows: of p0, p1 and p2.
  testing::WriteParquet(
      testing::TinyFile(dir.path(), "impressions", testing::TinyDays()[5]),
      testing::TinyImpressionColumns(), testing::TinyImpressions(5, 3));
  const auto dataset = OpenDataset(spec, dir.path());
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  const auto dates = [&](const std::string& as_of) {
    std::map<std::string, std::string> dates;
    const auto status = ReadDatasetTexts(
        *dataset, *EntityDays(*dataset, as_of),
        [](const std::string&, const std::string&) { return absl::OkStatus(); },
        [&](const EntityTexts& entity) {
          if (entity.side == config::v1::POI)
            CHECK(dates.emplace(entity.key, entity.date).second);
          return absl::OkStatus();
        });
    INFO(status.ToString());
    REQUIRE(status.ok());
    return dates;
  };
  using Dates = std::map<std::string, std::string>;
  CHECK(dates("") == Dates{{"p0", "2024-01-06"},
                           {"p1", "2024-01-06"},
                           {"p2", "2024-01-06"},
                           {"p3", "2024-01-05"},
                           {"p4", "2024-01-05"}});
  CHECK(dates("2024-01-05").at("p0") == "2024-01-05");
}

TEST_CASE("A callback's error ends the reading", "[dataset]") {
  const testing::TempDir dir;
  const testing::SmallDataset data(dir.path());
  const auto dataset = OpenDataset(data.spec());
  REQUIRE(dataset.ok());
  int calls = 0;
  const auto status = ReadDatasetTexts(
      *dataset, *EntityDays(*dataset, ""),
      [&](const std::string&, const std::string&) {
        return ++calls == 5 ? absl::CancelledError("stop") : absl::OkStatus();
      },
      [](const EntityTexts&) { return absl::OkStatus(); });
  CHECK(absl::IsCancelled(status));
  CHECK(calls == 5);
}

TEST_CASE("A text of one slot is split, a text of several is whole",
          "[dataset]") {
  const auto split = [](const std::string& text) {
    const SlotText parts = SplitSlot(text);
    return std::pair(parts.slot, parts.text);
  };
  using Parts = std::pair<std::string, std::string>;
  CHECK(split("<menu>tea, 3 < 4 > 2</menu>") ==
        Parts("menu", "tea, 3 < 4 > 2"));
  CHECK(split("<menu></menu>") == Parts("menu", ""));
  const std::string two = "<name>a</name><menu>b</menu>";
  CHECK(split(two) == Parts("", two));
  const std::string same = "<name>a</name><name>b</name>";
  CHECK(split(same) == Parts("", same));
  CHECK(split("no token") == Parts("", "no token"));
  CHECK(split("") == Parts("", ""));
}

}  // namespace
}  // namespace larr
