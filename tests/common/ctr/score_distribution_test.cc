// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/score_distribution.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "common/config/text_proto.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using Counts = std::vector<int64_t>;
using Histogram = config::v1::ScoreDistribution::Histogram;

Histogram Parse(const std::string& text) {
  return *ParseTextProto<Histogram>(text);
}

TEST_CASE("PSI is what it is by hand", "[ctr]") {
  // Shares of training 0.5, 0.3, 0.2.
  const auto bins =
      ScoreBins::Create(Parse("edges: [0.1, 0.4] rows: [50, 30, 20]"));
  REQUIRE(bins.ok());
  CHECK(bins->size() == 3);
  // 0.2, 0.3, 0.5: -0.3 ln 0.4 + 0 + 0.3 ln 2.5 = 0.549774.
  CHECK(bins->Psi(Counts{2, 3, 5}) == Approx(0.549774).epsilon(1e-5));
  // Equal shares are no drift, whatever the number.
  CHECK(bins->Psi(Counts{500, 300, 200}) == Approx(0).margin(1e-12));
  // An empty bin counts as 1e-4:
  // (1e-4 - 0.5) ln 2e-4 + 0.3 ln 2 + 0.2 ln 2 = 4.604319.
  CHECK(bins->Psi(Counts{0, 6, 4}) == Approx(4.604319).epsilon(1e-5));
}

TEST_CASE("A score falls into the bin that begins at it", "[ctr]") {
  const auto bins =
      ScoreBins::Create(Parse("edges: [0.25, 0.5] rows: [1, 1, 1]"));
  REQUIRE(bins.ok());
  for (const auto& [score, bin] : {std::pair{-1.F, 0},
                                   {0.F, 0},
                                   {0.2499F, 0},
                                   {0.25F, 1},
                                   {0.4F, 1},
                                   {0.5F, 2},
                                   {1.F, 2},
                                   {9.F, 2}}) {
    CAPTURE(score);
    CHECK(bins->BinOf(score) == static_cast<size_t>(bin));
  }
}

TEST_CASE("Bins have about equal mass, and the scores that they say", "[ctr]") {
  std::vector<double> scores;
  for (int i = 0; i < 1000; ++i) scores.push_back(std::pow(i / 1000.0, 3));
  const Histogram histogram = MakeHistogram(scores);
  REQUIRE(histogram.rows_size() == 20);
  for (const int64_t rows : histogram.rows()) CHECK(rows == 50);
  const auto bins = ScoreBins::Create(histogram);
  REQUIRE(bins.ok());
  Counts counts(bins->size());
  for (const double score : scores) ++counts[bins->BinOf(float(score))];
  CHECK(bins->Psi(counts) == Approx(0).margin(1e-3));
}

TEST_CASE("Equal scores share a bin", "[ctr]") {
  const Histogram one = MakeHistogram(std::vector<double>(100, 0.5));
  CHECK(one.edges_size() == 0);
  REQUIRE(one.rows_size() == 1);
  CHECK(one.rows(0) == 100);
  std::vector<double> two(90, 0.1);
  two.resize(100, 0.7);
  const Histogram split = MakeHistogram(two);
  REQUIRE(split.rows_size() == 2);
  CHECK(split.edges(0) == 0.7);
  CHECK(split.rows(0) == 90);
  CHECK(split.rows(1) == 10);
  CHECK(MakeHistogram(std::vector<double>{0.3}).rows_size() == 1);
}

TEST_CASE("A wrong histogram is refused by name", "[ctr]") {
  const std::pair<const char*, const char*> cases[] = {
      {"edges: [0.1] rows: [1]", "1 edges and 1 rows"},
      {"", "0 edges and 0 rows"},
      {"edges: [0.2, 0.1] rows: [1, 1, 1]", "edges[1] is 0.1"},
      {"edges: [nan] rows: [1, 1]", "edges[0] is nan"},
      {"edges: [0.1] rows: [1, -1]", "rows[1] is -1"},
      {"edges: [0.1] rows: [0, 0]", "all of its rows are 0"}};
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    const auto status = ScoreBins::Create(Parse(text)).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(message));
  }
}

TEST_CASE("A model's folder has a distribution, or none", "[ctr]") {
  const testing::TempDir dir;
  const auto none = LoadScoreReference(dir.path());
  REQUIRE(none.ok());
  CHECK_FALSE(none->has_value());
  std::ofstream(dir.path() / kScoresFile) << "ctr { edges: 0.5 rows: [1, 2] }";
  const auto one = LoadScoreReference(dir.path());
  REQUIRE((one.ok() && one->has_value()));
  CHECK((*one)->ctr.has_value());
  CHECK_FALSE((*one)->ctcvr.has_value());
  std::ofstream(dir.path() / kScoresFile) << "ctcvr { edges: 0.5 rows: 1 }";
  CHECK_THAT(std::string(LoadScoreReference(dir.path()).status().message()),
             Catch::Contains("scores.textproto: ctcvr"));
}

}  // namespace
}  // namespace larr
