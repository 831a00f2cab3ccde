// SPDX-License-Identifier: Apache-2.0
//
// Where everything stands in a recommender's input, derived from the model's
// description alone. The first layer of PLE reads
//
//   [USER | CONTEXT | POI | CROSS | e_s]
//
// and each of the four blocks is the embeddings of its categorical features
// and then its dense numbers, both in the order of the spec. The order makes
// the layer separable: USER and CONTEXT are the same for a whole request, POI
// for a model, and only CROSS and e_s belong to one candidate.
//
// Threads: a value; const access is safe.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "larr/config/v1/model.pb.h"

namespace larr {

// One block: its columns of `ids` [B, F], of `dense` [B, D] and of x.
struct CtrBlock {
  int64_t first_id = 0;
  int64_t id_count = 0;
  int64_t first_dense = 0;
  int64_t dense_count = 0;
  int64_t first_column = 0;
  int64_t column_count = 0;
};

struct CtrLayout {
  // USER, CONTEXT, POI, CROSS: `kBlockOrder` of common/features.
  std::array<CtrBlock, 4> blocks;
  // Rows of each categorical feature's table, its default row 0 included: [F].
  std::vector<int64_t> table_rows;
  std::vector<std::string> table_names;  // Their features': [F].
  int64_t dense_count = 0;               // D
  // W: columns of an id's embedding; 0 for a linear model.
  int64_t embedding_width = 0;
  // Columns of a row of the tables: W; for models of a single task, by task, W
  // and the id's first-order weight.
  int64_t table_width = 0;
  int64_t tabular_columns = 0;  // Width of the four blocks.
  // The columns of `ids` whose embeddings are e_t: user's, then POI's (eq. 24).
  std::vector<int64_t> target_ids;
  // Sides of the r scene features, in their order. Empty without texts.
  std::vector<config::v1::Side> slots;
  int64_t text_dim = 0;  // Width of a text's vector; 0 without texts.
  int64_t tasks = 1;     // 2 with CTCVR.

  int64_t id_count() const { return static_cast<int64_t>(table_rows.size()); }
  int64_t slot_count() const { return static_cast<int64_t>(slots.size()); }
  // Width of e_t, and so of e_s; 0 without texts.
  int64_t target_width() const;
  // Width of what PLE reads.
  int64_t input_width() const { return tabular_columns + target_width(); }
  // The scene features of a side, in their order.
  std::vector<int64_t> SlotsOf(config::v1::Side side) const;
};

// Whether a recommender of this kind has one task. With two tasks it is two
// models side by side, with no tensor in common.
bool IsSingleTask(config::v1::CtrArchitecture::Kind kind);

// Errors: kInvalidArgument  names the feature or field, and the fix
absl::StatusOr<CtrLayout> MakeCtrLayout(
    const config::v1::CtrModelDescription& description);

}  // namespace larr
