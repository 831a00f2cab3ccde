// SPDX-License-Identifier: Apache-2.0
#include "services/stage/epoch_batches.h"

#include <utility>

#include "common/base/random_bits.h"
#include "common/base/status_macros.h"

namespace larr::stage {

absl::StatusOr<ImpressionStream> OpenTrainingRows(
    const Dataset& dataset, const config::v1::AlignConfig& config,
    uint64_t seed, int64_t epoch, int64_t skip) {
  // An order of its own for each epoch of each seed. With `max_rows` each epoch
  // must see the same rows, so in the same order.
  if (epoch > 0 && config.max_rows() == 0)
    seed = MixBits(MixBits(seed) + static_cast<uint64_t>(epoch));
  return ImpressionStream::Open(dataset, {.part = Part::kTrain,
                                          .seed = seed,
                                          .shuffle_rows = config.shuffle_rows(),
                                          .skip_rows = skip,
                                          .max_rows = config.max_rows()});
}

EpochBatches::EpochBatches(OpenRows open, CtrBatcher& batcher,
                           int64_t batch_size, int64_t steps_per_epoch,
                           int64_t step)
    : open_(std::move(open)),
      batcher_(batcher),
      batch_size_(batch_size),
      epoch_(step / steps_per_epoch),
      skip_(step % steps_per_epoch * batch_size) {}

absl::StatusOr<CtrBatch> EpochBatches::Next() {
  while (batcher_.rows() < batch_size_) {
    if (!stream_.has_value()) {
      LARR_ASSIGN_OR_RETURN(stream_, open_(epoch_, skip_));
    }
    LARR_ASSIGN_OR_RETURN(const bool more, stream_->Next(row_));
    if (more) {
      batcher_.Add(row_);
      continue;
    }
    stream_.reset();
    ++epoch_;
    skip_ = 0;
    if (batcher_.rows() > 0) break;
  }
  return batcher_.Take();
}

}  // namespace larr::stage
