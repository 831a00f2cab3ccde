// SPDX-License-Identifier: Apache-2.0
//
// The batches of stage 3: of all epochs in order, beginning at any step. A
// batch holds rows of one epoch; the last of an epoch may be smaller.
//
// Threads: one at a time.
// Errors:  those of the rows and of CtrBatcher.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "common/dataset/impression_stream.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/ctr_batcher.h"

namespace larr::stage {

// The training rows of an epoch, which counts from 0, in the order that follows
// from `seed`, the first `skip` left out.
absl::StatusOr<ImpressionStream> OpenTrainingRows(
    const Dataset& dataset, const config::v1::AlignConfig& config,
    uint64_t seed, int64_t epoch, int64_t skip);

class EpochBatches {
 public:
  // The rows of an epoch, which counts from 0, the first `skip` left out.
  using OpenRows = std::function<absl::StatusOr<ImpressionStream>(
      int64_t epoch, int64_t skip)>;

  // From the batch of `step` on, which counts from 0 over all epochs.
  // REQUIRES: `batcher`, which is empty, outlives the object
  EpochBatches(OpenRows open, CtrBatcher& batcher, int64_t batch_size,
               int64_t steps_per_epoch, int64_t step);

  absl::StatusOr<CtrBatch> Next();

 private:
  const OpenRows open_;
  CtrBatcher& batcher_;
  const int64_t batch_size_;
  int64_t epoch_;
  int64_t skip_;  // Rows of the epoch that were trained on.
  std::optional<ImpressionStream> stream_;
  Impression row_;
};

}  // namespace larr::stage
