// SPDX-License-Identifier: Apache-2.0
//
// Scores the validation and test rows by every model of the run. Writes
//
//   metrics.json    {"dataset", "bootstrap_samples", "pois",
//                    "models": {name: {"validation", "test", "missing",
//                                      "attention"}},
//                    "bayes": {"validation", "test"}}
//   replicates.json  {"draws", "unit": "group", "seed",
//                    "models": {name: {"all", "slices"}},
//                    "bayes": {"all", "slices"}}
//   scores.parquet  one row for each test impression, in the dataset's order:
//                   date, request_id, user_id, poi_id, click, order, position
//                   (0, 1, ... within its request), and <name>_ctr and
//                   <name>_ctcvr of each model
//
// `validation` and `test` are PartMetrics::metrics. Their slices are, by the
// POI's training impressions, `cold` (none), `frequent` (the most shown POIs,
// which had half of them together) and `rare` (the others); then those of the
// dataset; then, with `sample_fraction`, `sample`. `missing` says how AUC on
// validation rows falls when the user or the POI is in no table, or when every
// text is replaced by its trained default; a P5, which is slow and has none, is
// not asked. `attention` says what LARR's agg looks at in test rows
// (attention_json.h). `bayes` is the hidden truth scored as a model is, where
// the dataset knows it.
//
// replicates.json holds the metrics of test rows in each draw of the bootstrap,
// PartMetrics::replicates. Evaluations of equal seeds and test rows took the
// same draws, also where one of them scored its sample alone.
//
// Work folder: `scores/` keeps what models said, batch by batch. A stage that
//              was killed reads the rows again, scores the batches that are
//              not there, and ends with the same bytes.
// Errors:      kInvalidArgument  an input is not named, or a model does not fit
//                                the dataset;  kFailedPrecondition  the
//                                snapshot is of another embedder;  otherwise
//                                those of dataset, snapshot and disk.
#pragma once

#include <absl/status/status.h>

#include "services/stage/stage.h"

namespace larr::stage {

absl::Status RunEvaluate(StageContext& context);

}  // namespace larr::stage
