// SPDX-License-Identifier: Apache-2.0
//
// A request to the tiny model of golden.h: three candidates; blocks USER (1
// id), CONTEXT (1 id, 1 number), POI (1 id, 1 number), CROSS (1 id, 1 number).
#pragma once

#include <vector>

#include "common/ctr/scorer_input.h"

namespace larr::testing {

struct TinyRequest {
  std::vector<float> user = std::vector<float>(8, 0.5F);
  std::vector<float> menu = std::vector<float>(8, -1.0F);
  RequestColumns columns{.candidates = 3,
                         .user_ids = {2},
                         .context_ids = {1},
                         .user_dense = {},
                         .context_dense = {0.5F},
                         .user_vectors = {user.data()},
                         .context_vectors = {nullptr},
                         .cross_ids = {2, 1, 0},
                         .cross_dense = {0.1F, 0.2F, 0.3F}};
  PoiColumns pois{.count = 3,
                  .ids = {1, 0, 4},
                  .dense = {-1, 0, 1},
                  .vectors = {menu.data(), nullptr, menu.data()}};
};

}  // namespace larr::testing
