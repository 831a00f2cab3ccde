// SPDX-License-Identifier: Apache-2.0
//
// The rounds of larr_bench_llm, on what llm_material.h has prepared.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>

#include "bench/rounds.h"
#include "larr/config/v1/training.pb.h"

namespace larr::bench {

// Takes the units of a round and the round; returns when the task is over.
using Serve = std::function<absl::Status(int64_t units, const Round& round)>;

// Units are tokens of the model; the results are vectors.
absl::Status EmbedTexts(const Arguments& arguments,
                        config::v1::Precision precision, int texts,
                        const Serve& serve);
// From the checkpoint's folder to the vector of the first text. Unit: one.
absl::Status LoadEmbedder(const Arguments& arguments, const Serve& serve);
// Units are tokens; the results are their ids.
absl::Status TokenizeTexts(const Arguments& arguments, const Serve& serve);
// The texts of a dataset to vectors in RocksDB, as the EMBED stage does it.
// Units and results are those of EmbedTexts.
absl::Status RefreshSnapshot(const Arguments& arguments, const Serve& serve);
// One step of stage 1 on all parameters, in bfloat16 with float32 masters.
// Units are tokens; the result is the loss.
absl::Status TrainStep(const Arguments& arguments, const Serve& serve);

// What the matrix units allow: the multiplications of every layer over a batch
// of tokens and nothing else, weights prepacked. Units are tokens, and there
// are no results. For a step, the head's too, and of each multiplication the
// two of its backward pass.
absl::Status MultiplyForward(const Arguments& arguments,
                             config::v1::Precision precision,
                             const Serve& serve);
absl::Status MultiplyStep(const Arguments& arguments, const Serve& serve);

}  // namespace larr::bench
