// SPDX-License-Identifier: Apache-2.0
#include "common/features/tabular_encoder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::CtrModelDescription;
using config::v1::DatasetSpec;
using config::v1::Side;

DatasetSpec Spec() {
  const auto spec = ParseTextProto<DatasetSpec>(R"pb(
    tabular_features {
      name: "poi_id"
      side: POI
      vocabulary { column: "id" }
    }
    tabular_features {
      name: "city_area"
      side: CROSS
      hash { columns: "users.city" columns: "pois.area" buckets: 1000 }
    }
    tabular_features {
      name: "far"
      side: CROSS
      dense { column: "impressions.distance" transform: LOG1P }
    }
    tabular_features {
      name: "age"
      side: USER
      buckets { column: "age" edges: 20 edges: 30 }
    }
    tabular_features {
      name: "ctr"
      side: USER
      dense { column: "ctr" }
    }
    tabular_features {
      name: "hour"
      side: CONTEXT
      vocabulary { column: "hour" }
    })pb");
  REQUIRE(spec.ok());
  return *spec;
}

CtrModelDescription Learned() {
  const auto learned = ParseTextProto<CtrModelDescription>(R"pb(
    features { name: "age" edges: 20 edges: 30 }
    features { name: "ctr" mean: 0.5 deviation: 0.25 }
    features { name: "hour" vocabulary: "8" vocabulary: "12" }
    features { name: "poi_id" vocabulary: "p1" vocabulary: "p2" }
    features { name: "city_area" }
    features { name: "far" mean: 0 deviation: 1 })pb");
  REQUIRE(learned.ok());
  return *learned;
}

// users: city, age, ctr; pois: id, area; impressions: distance, hour.
const Row kUser = {Value("Rome"), Value(int64_t{25}), Value(1.0)};
const Row kPoi = {Value("p2"), Value("north")};
const Row kImpression = {Value(int64_t{0}), Value(12.0)};

TEST_CASE("Columns stand in blocks USER, CONTEXT, POI, CROSS", "[features]") {
  const auto encoder = TabularEncoder::Create(Spec(), Learned().features());
  REQUIRE(encoder.ok());
  std::vector<std::string> names;
  std::vector<int64_t> sizes;
  for (const auto& column : encoder->categorical()) {
    names.push_back(column.name);
    sizes.push_back(column.table_size);
  }
  CHECK(names ==
        std::vector<std::string>{"age", "hour", "poi_id", "city_area"});
  CHECK(sizes == std::vector<int64_t>{4, 3, 3, 1000});
  CHECK(encoder->dense() == std::vector<std::string>{"ctr", "far"});
  CHECK(encoder->block(Side::CROSS).first_id == 3);
  CHECK(encoder->block(Side::CROSS).first_dense == 1);
  CHECK(encoder->FindCategorical("poi_id") == 2);
  CHECK(encoder->FindCategorical("ctr") == -1);
}

TEST_CASE("Rows become ids and numbers", "[features]") {
  const auto encoder = TabularEncoder::Create(Spec(), Learned().features());
  REQUIRE(encoder.ok());
  std::vector<int64_t> ids(4, -1);
  std::vector<float> dense(2, -1);
  encoder->Encode({&kUser, &kPoi, &kImpression}, ids, dense);
  // The last id pins the hash: it must be the same on every platform.
  CHECK(ids == std::vector<int64_t>{2, 2, 2, ids[3]});
  CHECK(ids[3] == 891);
  CHECK(dense == std::vector<float>{2.0f, 0.0f});

  SECTION("an unknown value or entity is the default") {
    encoder->Encode({nullptr, nullptr, &kImpression}, ids, dense);
    CHECK(ids == std::vector<int64_t>{0, 2, 0, 0});
    CHECK(dense[0] == 0.0f);
    const Row poi = {Value("p9"), Value("north")};
    const Row user = {Value("Rome"), Value(), Value()};
    encoder->Encode({&user, &poi, &kImpression}, ids, dense);
    CHECK(ids[0] == 0);
    CHECK(ids[2] == 0);
    CHECK(ids[3] > 0);
    CHECK(dense[0] == 0.0f);
  }
  SECTION("an edge belongs to the bucket that it begins") {
    for (const auto& [age, id] :
         {std::pair{19.9, 1}, {20.0, 2}, {30.0, 3}, {99.0, 3}}) {
      const Row user = {Value("Rome"), Value(age), Value()};
      encoder->EncodeSide(Side::USER, {.user = &user}, std::span(ids).first(1),
                          std::span(dense).first(1));
      CHECK(ids[0] == id);
    }
  }
  SECTION("crosses keep their columns apart") {
    const Row user = {Value("Romen"), Value(), Value()};
    const Row poi = {Value("p1"), Value("orth")};
    const int64_t before = ids[3];
    encoder->Encode({&user, &poi, &kImpression}, ids, dense);
    CHECK(ids[3] != before);
  }
  SECTION("a string where a number is needed is found") {
    CHECK(encoder->CheckTypes(Table::kImpressions, kImpression).ok());
    const auto status =
        encoder->CheckTypes(Table::kImpressions, {Value("near"), Value()});
    CHECK_THAT(status.ToString(),
               Catch::Contains("impressions.distance: `near`"));
  }
  SECTION("a number far from all others is as one that is missing") {
    const auto encode = [&](double ctr) {
      const Row user = {Value("Rome"), Value(), Value(ctr)};
      encoder->EncodeSide(Side::USER, {.user = &user}, std::span(ids).first(1),
                          std::span(dense).first(1));
      return dense[0];
    };
    CHECK(encode(0.5 + 0.25 * 9e5) == Approx(9e5));
    CHECK(encode(0.5 - 0.25 * 9e5) == Approx(-9e5));
    for (const double much :
         {0.25 * 1.1e6, double{std::numeric_limits<float>::max()}, 1e300}) {
      CHECK(encode(much) == 0);
      CHECK(encode(-much) == 0);
    }
    // What a float cannot hold is refused. A logarithm is never too large, nor
    // is what only buckets read.
    const double largest = encoder->LargestNumber(Table::kUsers, 2);
    CHECK(largest > 1e37);
    CHECK(largest < 1e39);
    const double any = std::numeric_limits<double>::max();
    CHECK(encoder->LargestNumber(Table::kImpressions, 0) == any);
    CHECK(encoder->LargestNumber(Table::kUsers, 1) == any);
  }
}

TEST_CASE("Wrong features are refused by name", "[features]") {
  const auto refused = [](auto change) {
    DatasetSpec spec = Spec();
    change(spec);
    const auto encoder = TabularEncoder::Create(spec, Learned().features());
    REQUIRE_FALSE(encoder.ok());
    return std::string(encoder.status().message());
  };
  using Catch::Contains;
  const auto feature = [](auto& s, int i) {
    return s.mutable_tabular_features(i);
  };
  CHECK_THAT(refused([&](auto& s) { feature(s, 0)->set_name("far"); }),
             Contains("far: the name appears twice"));
  CHECK_THAT(refused([&](auto& s) { feature(s, 0)->clear_encoding(); }),
             Contains("poi_id: set one of"));
  CHECK_THAT(refused([&](auto& s) { feature(s, 0)->clear_side(); }),
             Contains("poi_id: side must be"));
  CHECK_THAT(refused([&](auto& s) { feature(s, 0)->set_name("new"); }),
             Contains("new: the model's description has nothing"));
  CHECK_THAT(refused([&](auto& s) {
               feature(s, 1)->mutable_hash()->set_columns(0, "city");
             }),
             Contains("written users.x"));
  CHECK_THAT(
      refused([&](auto& s) { feature(s, 1)->mutable_hash()->set_buckets(1); }),
      Contains("hash.buckets is 1"));
  CHECK_THAT(refused([&](auto& s) {
               feature(s, 3)->mutable_buckets()->set_edges(0, 40);
             }),
             Contains("not ascending"));
  CHECK_THAT(refused([&](auto& s) {
               feature(s, 3)->mutable_buckets()->set_quantiles(4);
             }),
             Contains("either buckets.edges or quantiles"));
  CHECK_THAT(
      refused([&](auto& s) { feature(s, 4)->mutable_dense()->clear_column(); }),
      Contains("ctr: the column is missing"));
}

}  // namespace
}  // namespace larr
