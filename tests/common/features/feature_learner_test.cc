// SPDX-License-Identifier: Apache-2.0
#include "common/features/feature_learner.h"

#include <array>
#include <catch2/catch.hpp>
#include <limits>

#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::DatasetSpec;

DatasetSpec Spec() {
  const auto spec = ParseTextProto<DatasetSpec>(R"pb(
    tabular_features {
      name: "city"
      side: USER
      vocabulary { column: "city" max_size: 2 min_count: 2 }
    }
    tabular_features {
      name: "quarter"
      side: USER
      buckets { column: "x" quantiles: 4 }
    }
    tabular_features {
      name: "fixed"
      side: USER
      buckets { column: "x" edges: 9 }
    }
    tabular_features {
      name: "log"
      side: USER
      dense { column: "x" transform: LOG1P }
    }
    tabular_features {
      name: "same"
      side: USER
      dense { column: "same" }
    })pb");
  REQUIRE(spec.ok());
  return *spec;
}

TEST_CASE("FeatureLearner learns from what it sees", "[features]") {
  auto learner = FeatureLearner::Create(Spec());
  REQUIRE(learner.ok());
  // city, x, same
  for (int i = 0; i < 100; ++i) {
    const char* city = i % 2 ? "Rome" : i % 4 ? "Oslo" : i % 8 ? "Bonn" : "";
    const Row user = {i == 1 ? Value("Once") : Value(std::string(city)),
                      Value(int64_t{i}), Value(int64_t{5})};
    learner->Add({.user = &user});
  }
  learner->Add({});  // A missing user teaches nothing.
  const auto learned = learner->Finish();
  REQUIRE(learned.size() == 5);
  CHECK(std::vector<std::string>(learned[0].vocabulary().begin(),
                                 learned[0].vocabulary().end()) ==
        std::vector<std::string>{"Rome", "Oslo"});
  CHECK(std::vector<double>(learned[1].edges().begin(),
                            learned[1].edges().end()) ==
        std::vector<double>{25, 50, 75});
  CHECK(learned[2].edges(0) == 9);
  CHECK(learned[3].mean() == Approx(3.63739).epsilon(1e-5));
  CHECK(learned[3].deviation() > 0);
  CHECK(learned[4].mean() == 5);
  CHECK(learned[4].deviation() == 1);

  SECTION("and the encoder takes it") {
    const auto encoder = TabularEncoder::Create(Spec(), learned);
    REQUIRE(encoder.ok());
    CHECK(encoder->categorical()[1].table_size == 5);
  }
}

TEST_CASE("What stands for an unknown number is not learned from",
          "[features]") {
  const auto spec = ParseTextProto<DatasetSpec>(R"pb(
    tabular_features {
      name: "x"
      side: USER
      dense { column: "x" }
    })pb");
  REQUIRE(spec.ok());
  auto learner = FeatureLearner::Create(*spec);
  REQUIRE(learner.ok());
  const double largest = std::numeric_limits<float>::max();
  for (const double x : {1.0, 3.0, largest, -largest, 1e308}) {
    const Row user = {Value(x)};
    learner->Add({.user = &user});
  }
  const auto learned = learner->Finish();
  CHECK(learned[0].mean() == 2);
  CHECK(learned[0].deviation() == Approx(1));
  const auto encoder = TabularEncoder::Create(*spec, learned);
  REQUIRE(encoder.ok());
  for (const auto& [x, expected] :
       {std::pair{3.0, 1.0F}, {largest, 0.0F}, {-1e308, 0.0F}}) {
    const Row user = {Value(x)};
    std::array<float, 1> dense{};
    encoder->Encode({.user = &user}, {}, dense);
    CHECK(dense[0] == Approx(expected));
  }
}

TEST_CASE("Quantiles of a long stream come from a fair sample", "[features]") {
  const auto spec = ParseTextProto<DatasetSpec>(R"pb(
    tabular_features {
      name: "q"
      side: USER
      buckets { column: "x" quantiles: 2 }
    })pb");
  REQUIRE(spec.ok());
  auto learner = FeatureLearner::Create(*spec);
  REQUIRE(learner.ok());
  for (int64_t i = 0; i < 300'000; ++i) {
    const Row user = {Value(i)};
    learner->Add({.user = &user});
  }
  CHECK(learner->Finish()[0].edges(0) == Approx(150'000).margin(3'000));
}

}  // namespace
}  // namespace larr
