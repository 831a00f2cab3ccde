// SPDX-License-Identifier: Apache-2.0
//
// What a finished shard leaves behind: one JSON, small enough to be committed,
// from which alone reports are made.
//
//   {"format": 1, "arm", "seed", "size", "digest", "texts", "dataset",
//    "base_model", "spec", "code_version": of the program that ran the last
//    stage, "machine": {"cpu", "cores"}, "date",
//    "seconds": of the stages that it ran itself,
//    "stages": [{"id", "seconds", "code_version", "throughput", "unit",
//                "shared_from"}],
//    "metrics": {"validation", "test", "missing", "attention"},
//    "bayes": {"validation", "test"},
//    "replicates": {"draws", "all": {metric: [..]}, "slices": {name: {..}}},
//    "curves": {stage: [[step, loss], ..]},
//    "pretrain": held-out measures, "contrast": held-out recall,
//    "recall": of the case study (recall.h) what pages show, with a "map"
//              (poi_map.h), which is added by who runs shards}
//
// `metrics`, `bayes` and `replicates` are those of the evaluate stage
// (services/stage/evaluate.h), of this model alone. What a run has not is left
// out. Its `arm` is the one that it was first run for: another experiment's arm
// of equal settings is the same shard.
//
// Units:    seconds; dates in UTC
// Threads:  pure functions
// Errors:   kDataLoss  an artifact is not what a finished run has;  otherwise
//           those of files.h
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "larr/coordinator/v1/coordinator_service.pb.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/shard_digest.h"

namespace larr::experiment {

using Json = nlohmann::ordered_json;

// Reads the artifacts of a run that succeeded; they must be readable here.
absl::StatusOr<Json> MakeShardResult(const Shard& shard,
                                     const ShardDigest& digest,
                                     const std::string& size,
                                     const coordinator::v1::TrainingRun& run);

// Each key of the object on a line of its own: what is committed shows in a
// difference what changed.
std::string ResultText(const Json& result);

// At most `most` points of a curve [[step, loss], ..], the last one included,
// rounded to 6 digits. Each is the mean of the points that it stands for.
Json ThinCurve(const Json& points, size_t most);

}  // namespace larr::experiment
