// SPDX-License-Identifier: Apache-2.0
//
// The model of the cases `score`: LARR with a two-level PLE, 20 ids x 16, 16
// numbers, r = 10 texts of 128.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "common/ctr/layout.h"
#include "larr/config/v1/model.pb.h"

namespace larr::bench {

inline constexpr int64_t kTextDim = 128;
inline constexpr int64_t kTableRows = 10'000;  // Of each id.
inline constexpr int kDomain = 5;  // Texts of each feature of the context.

// One block of the model's input: how many ids, numbers and texts it has, and
// how many of its ids' embeddings are part of e_t.
struct Block {
  config::v1::Side side;
  const char* name;
  int ids, dense, texts, targets;
};
inline constexpr Block kBlocks[] = {
    {config::v1::USER, "user", 8, 4, 4, 4},
    {config::v1::CONTEXT, "context", 4, 4, 3, 0},
    {config::v1::POI, "poi", 6, 6, 3, 4},
    {config::v1::CROSS, "cross", 2, 2, 0, 0}};

// Columns are named user_id_0, user_number_0, user_text_0 and so on; the values
// of a context's text are value 0, value 1, ...
config::v1::CtrModelDescription DescribeScoreModel();

// Where the peers' columns [ids' embeddings | dense | e_s] stand in the input
// of the model's first PLE level: int64.
torch::Tensor PeerColumns(const CtrLayout& layout);

}  // namespace larr::bench
