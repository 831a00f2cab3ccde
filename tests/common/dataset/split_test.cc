// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/split.h"

#include <catch2/catch.hpp>
#include <map>

#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::Split;

absl::StatusOr<Splitter> Make(const std::string& text) {
  const auto split = ParseTextProto<Split>(text);
  REQUIRE(split.ok());
  return Splitter::Create(*split);
}

TEST_CASE("Days divide a dataset into periods", "[dataset]") {
  const auto splitter = Make(R"pb(dates {
                                    pairs_begin: "2024-01-02"
                                    train_begin: "2024-01-04"
                                    validation_begin: "2024-02-01"
                                    test_begin: "2024-02-03"
                                    end: "2024-02-05"
                                  })pb");
  REQUIRE(splitter.ok());
  CHECK(splitter->OfDate("2024-01-01") == Part::kHistory);
  CHECK(splitter->OfDate("2024-01-02") == Part::kPairs);
  CHECK(splitter->OfDate("2024-01-04") == Part::kTrain);
  CHECK(splitter->OfDate("2024-02-02") == Part::kValidation);
  CHECK(splitter->OfDate("2024-02-04") == Part::kTest);
  CHECK(splitter->OfDate("2024-02-05") == Part::kAfter);
  CHECK_FALSE(splitter->Wanted(Part::kTrain, Part::kPairs));
}

TEST_CASE("A hash puts every group on one side", "[dataset]") {
  const std::string text = R"pb(hash {
                                  column: "person"
                                  validation_fraction: 0.2
                                  test_fraction: 0.3
                                  seed: 7
                                })pb";
  const auto splitter = Make(text);
  REQUIRE(splitter.ok());
  std::map<Part, int> counts;
  for (int i = 0; i < 10'000; ++i) {
    ++counts[splitter->OfValue(std::to_string(i))];
  }
  CHECK(counts[Part::kTest] == Approx(3000).margin(150));
  CHECK(counts[Part::kValidation] == Approx(2000).margin(150));
  CHECK(counts[Part::kTrain] == Approx(5000).margin(150));
  CHECK(splitter->Wanted(Part::kTrain, Part::kPairs));

  // Pinned: a split must not move between versions or platforms.
  CHECK(splitter->OfValue("ann") == Part::kTrain);
  CHECK(splitter->OfValue("bob") == Part::kValidation);
  CHECK(splitter->OfValue("cat") == Part::kTest);
}

TEST_CASE("A column names the part", "[dataset]") {
  const auto splitter = Make(R"pb(column {
                                    column: "part"
                                    train_value: "a"
                                    validation_value: "b"
                                    test_value: "c"
                                  })pb");
  REQUIRE(splitter.ok());
  CHECK(splitter->OfValue("b") == Part::kValidation);
  CHECK(splitter->OfValue("d") == Part::kAfter);
}

TEST_CASE("Impossible splits are refused", "[dataset]") {
  using Catch::Contains;
  const auto message = [](const std::string& text) {
    return Make(text).status().ToString();
  };
  CHECK_THAT(message(""), Contains("split is missing"));
  CHECK_THAT(message(R"(dates { pairs_begin: "yesterday" })"),
             Contains("split.dates.pairs_begin: `yesterday`"));
  CHECK_THAT(message(R"(dates { pairs_begin: "2024-01-02" train_begin:
               "2024-01-02" validation_begin: "2024-01-03" test_begin:
               "2024-01-04" })"),
             Contains("train_begin: 2024-01-02 is not after"));
  CHECK_THAT(message(R"(hash { column: "x" validation_fraction: 0.5
               test_fraction: 0.5 })"),
             Contains("leave a part for training"));
  CHECK_THAT(message(R"(column { column: "x" train_value: "a"
               validation_value: "a" test_value: "b" })"),
             Contains("must differ"));
}

}  // namespace
}  // namespace larr
