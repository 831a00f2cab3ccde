// SPDX-License-Identifier: Apache-2.0
//
// The rows of a stream as batches of a recommender.
//
// Threads: one.
// Errors:  those of the stream, of the batcher and of `use`
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "common/dataset/impression_stream.h"
#include "services/stage/ctr_batcher.h"

namespace larr::stage {

inline constexpr int64_t kRowsOfABatch = 4096;

// Calls `see` with each row, and `use` with all of them in batches.
template <typename See, typename Use>  // void(const Impression&),
absl::Status ForBatches(ImpressionStream& stream, CtrBatcher& batcher,
                        const See& see,
                        const Use& use) {  // absl::Status(const CtrBatch&)
  Impression row;
  for (bool more = true; more;) {
    LARR_ASSIGN_OR_RETURN(more, stream.Next(row));
    if (more) {
      batcher.Add(row);
      see(row);
    }
    const int64_t rows = batcher.rows();
    if (rows == 0 || (more && rows < kRowsOfABatch)) continue;
    LARR_ASSIGN_OR_RETURN(const CtrBatch batch, batcher.Take());
    LARR_RETURN_IF_ERROR(use(batch));
  }
  return absl::OkStatus();
}

}  // namespace larr::stage
