// SPDX-License-Identifier: Apache-2.0
#include "services/stage/held_out_ids.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace larr::stage {
namespace {

std::vector<CorpusEntity> Entities(int count) {
  std::vector<CorpusEntity> entities;
  for (int i = 0; i < count; ++i) {
    for (const char* date : {"1", "2"})
      entities.push_back({"e" + std::to_string(i), date, {}, ""});
  }
  return entities;
}

TEST_CASE("So many ids are held out, of all days, at most a tenth") {
  const auto entities = Entities(100);
  CHECK(HeldOutIds(entities, 4, 1).size() == 4);
  CHECK(HeldOutIds(entities, 500, 1).size() == 10);
  // One pair has nothing to be told from.
  CHECK(HeldOutIds(entities, 1, 1).empty());
  CHECK(HeldOutIds(Entities(19), 500, 1).empty());
  CHECK(HeldOutIds(Entities(20), 500, 1).size() == 2);
}

TEST_CASE("Which ids are held out follows from id and seed") {
  const auto few = HeldOutIds(Entities(100), 4, 1);
  auto reversed = Entities(100);
  std::reverse(reversed.begin(), reversed.end());
  CHECK(HeldOutIds(reversed, 4, 1) == few);
  CHECK(HeldOutIds(Entities(100), 4, 2) != few);
  // More of them are the same ones and others.
  const auto more = HeldOutIds(Entities(100), 8, 1);
  for (const auto& id : few) CHECK(more.contains(id));
}

}  // namespace
}  // namespace larr::stage
