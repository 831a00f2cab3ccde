// SPDX-License-Identifier: Apache-2.0
//
// The corpus stage: dataset in, the texts of stages 1 and 2 out.
//
// Nothing of the artifact knows a day from the training cut-off
// (`split.dates.train_begin`) on. Without dates only entities of training rows
// are in it. Equal inputs give equal bytes.
//
// Files (a text has its special tokens; lists are in the order of the side's
// keywords in the spec, with "" where a row has no such text):
//   descriptions.parquet  poi_id, date, x, y, held_out, y_kinds: one for each
//                         POI, from its newest partition (eq. 1, 5, 6).
//                         held_out is 0 or 1, by a hash of the POI: it never
//                         trains. Of one that is held out, y_kinds says what
//                         each byte of y is (common/features/text_renderer.h).
//   users.parquet         id, date, texts: unique by (id, date). For each pair
//                         the user as of the pair's day, so that U_a lacks
//                         that order; and every user as of the newest
//                         partition.
//   pois.parquet          id, date, texts, same_value: likewise; same_value is
//                         the POI's `contrast.same_value_column`, "" without.
//   pairs.parquet         user_id, poi_id, date, context: one for each order of
//                         the pairs' period, or click where there is no order
//                         label; look (id, date) up in the two files above.
//   known_orders.parquet  user_id, poi_id: every order before the cut-off,
//                         once: no negative of each other.
//   dataset.textproto     the spec, with absolute paths.
//   corpus.json           counts.
//
// Work folder: `steps/` keeps the files of finished steps. A stage that was
//              killed goes on at the next one and ends with the same bytes;
//              where settings or data changed meanwhile, it begins anew.
#pragma once

#include "absl/status/status.h"
#include "services/stage/stage.h"

namespace larr::stage {

// Errors: those of common/dataset: a wrong spec or file is refused before work.
absl::Status RunCorpus(StageContext& context);

}  // namespace larr::stage
