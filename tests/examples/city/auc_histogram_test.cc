// SPDX-License-Identifier: Apache-2.0
#include "examples/city/auc_histogram.h"

#include <catch2/catch.hpp>

namespace larr::city {
namespace {

TEST_CASE("AucHistogram counts ordered pairs, ties half", "[city]") {
  AucHistogram auc(10);
  CHECK(auc.Auc() == 0.5);
  auc.Add(3, true);
  CHECK(auc.Auc() == 0.5);  // no negative yet
  auc.Add(3, false);
  auc.Add(1, false);
  auc.Add(10, true);
  auc.Add(0, true);
  // Pairs won: (3, 1), (10, 3), (10, 1); tied: (3, 3); of 6.
  CHECK(auc.Auc() == Approx(3.5 / 6));
  CHECK(auc.count() == 5);
  CHECK(auc.positive_count() == 3);
}

}  // namespace
}  // namespace larr::city
