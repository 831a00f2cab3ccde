// SPDX-License-Identifier: Apache-2.0
#include "services/stage/p5_text.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "common/dataset/impression_stream.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::stage {
namespace {

// The first training rows in the dataset's order; row i as TinyImpressions has
// it, on the third day.
std::vector<std::string> TextsOf(const Dataset& dataset, const P5Text& text,
                                 int count) {
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTrain}).value();
  Impression row;
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    REQUIRE(stream.Next(row).value());
    texts.push_back(text.Of(row.rows()));
  }
  return texts;
}

class TinyData {
 public:
  TinyData() {
    testing::WriteTinyTables(folder_.path());
    dataset_ = OpenDataset(testing::TinySpec(), folder_.path()).value();
  }
  const Dataset& dataset() const { return *dataset_; }

 private:
  testing::TempDir folder_;
  std::optional<Dataset> dataset_;
};

TEST_CASE("A row is told column by column, then text by text") {
  const TinyData data;
  const auto text = P5Text::Create(data.dataset(), data.dataset().spec).value();
  const auto texts = TextsOf(data.dataset(), text, 4);
  CHECK(texts[0] ==
        "user_id: 1 orders: 3 poi_id: p0 hour: 8 distance: 0 "
        "users.city: city1 pois.city: city0 "
        "history: ordered 3 times sky: dry intro: We cook p0.");
  // Nothing is known of user 4, and p3 has no introduction.
  CHECK(texts[3] ==
        "poi_id: p3 hour: 8 distance: 1.5 pois.city: city1 sky: rain");
}

TEST_CASE("What a model does not read is not told") {
  const TinyData data;
  auto spec = data.dataset().spec;
  spec.clear_scene_features();
  spec.mutable_tabular_features()->DeleteSubrange(0, 5);
  const auto text = P5Text::Create(data.dataset(), spec).value();
  CHECK(TextsOf(data.dataset(), text, 1)[0] ==
        "users.city: city1 pois.city: city0");
}

TEST_CASE("Numbers have three digits, integers all of theirs") {
  const TinyData data;
  auto spec = data.dataset().spec;
  spec.clear_scene_features();
  spec.mutable_tabular_features()->DeleteSubrange(0, 4);
  spec.mutable_tabular_features()->DeleteSubrange(1, 1);
  const auto text = P5Text::Create(data.dataset(), spec).value();
  const struct {
    Value value;
    const char* text;
  } cases[] = {{0.031249, "distance: 0.0312"},
               {2.0, "distance: 2"},
               {12345.6, "distance: 12346"},
               {999.7, "distance: 1000"},
               {-4.5678, "distance: -4.57"},
               {int64_t{1234567}, "distance: 1234567"},
               {std::string("two words"), "distance: two words"},
               {std::string(), ""},
               {Value(), ""},
               {std::nan(""), ""}};
  for (const auto& c : cases) {
    Row row(data.dataset().schemas().impressions.size());
    row[data.dataset().schemas().impressions.Find("distance")] = c.value;
    CHECK(text.Of({.impression = &row}) == c.text);
  }
}

TEST_CASE("A dataset that lacks what the model reads is refused") {
  const TinyData data;
  auto spec = data.dataset().spec;
  std::string what;
  SECTION("a column") {
    spec.mutable_tabular_features(0)->mutable_vocabulary()->set_column("age2");
    what = "column `age2`";
  }
  SECTION("a text") {
    spec.add_scene_features("place");
    what = "scene feature `place`";
  }
  const auto text = P5Text::Create(data.dataset(), spec);
  CHECK(absl::IsInvalidArgument(text.status()));
  CHECK_THAT(std::string(text.status().message()), Catch::Contains(what));
}

}  // namespace
}  // namespace larr::stage
