// SPDX-License-Identifier: Apache-2.0
//
// Trained tensors cut among ranks (ZeRO stage 1): each rank keeps float32
// masters, gradients and what else an optimizer needs for its share alone,
// though every rank computes with all tensors.
//
// Tensors lie one behind the other, the last first, since gradients come in
// that order, and are cut into buckets of 25 MB of float32, wherever that
// falls. Rank r owns the r-th part of each bucket: some pieces of tensors.
//
//   backward   a bucket that is complete is summed over ranks, in float32,
//              while the backward pass goes on below (reduce-scatter)
//   step       the optimizer moves the masters of its own pieces
//   publish    masters, rounded, go to all ranks' tensors (all-gather)
//
// Units:    at most 4 buckets are under way; a step of several passes keeps
//           their float32 sums of all tensors until the last.
// Threads:  one at a time; hooks run on the thread of the backward pass.
// Errors:   those of ProcessGroup
#pragma once

#include <absl/status/status.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "common/llm/decoder.h"
#include "common/llm/process_group.h"

namespace larr {

class Shards {
 public:
  static constexpr int64_t kBucketElements = 25 * 1024 * 1024 / 4;

  // A run of elements of one tensor, owned by this rank.
  struct Piece {
    size_t tensor = 0;       // of those given
    int64_t begin = 0;       // element of the flattened tensor
    torch::Tensor master;    // [n] float32
    torch::Tensor gradient;  // [n] float32, after Reduce()
  };

  // REQUIRES: all ranks have equal tensors, contiguous, in the same order
  Shards(std::vector<TrainedTensor> tensors, ProcessGroup& group,
         int64_t bucket_elements = kBucketElements);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  const std::vector<Piece>& pieces() const { return pieces_; }

  // The next backward pass is a step's last: what it completes goes out while
  // it runs. Without it, all goes out in Reduce().
  void ExpectLastPass() { last_pass_ = true; }
  // Takes and clears the gradients of a pass.
  void Accumulate();
  // Sums over ranks into the pieces' gradients.
  absl::Status Reduce();
  // Rounds the masters into every rank's tensors.
  absl::Status Publish();

 private:
  struct Hook;
  // Where elements of a tensor lie in a bucket.
  struct Span {
    size_t tensor = 0;
    int64_t begin = 0;   // in the tensor
    int64_t offset = 0;  // in the bucket
    int64_t count = 0;
  };
  struct Bucket {
    torch::ScalarType dtype = torch::kFloat32;  // of its tensors
    int64_t size = 0;                           // a multiple of the ranks
    std::vector<Span> spans;
    torch::Tensor master;    // [size / ranks] this rank's part
    torch::Tensor gradient;  // likewise
    torch::Tensor sum;       // [size] of passes so far; undefined: none
    size_t missing = 0;      // spans that the last pass has not brought
    ProcessGroup::Pending reduction;
  };
  void LayOut(int64_t bucket_elements);
  void Own(Bucket& bucket);
  void Take(size_t tensor);
  void SendNext();
  void Receive(Bucket& bucket);
  void PublishBucket(const Bucket& bucket, const torch::Tensor& all);

  const std::vector<TrainedTensor> tensors_;
  ProcessGroup& group_;
  std::vector<Bucket> buckets_;
  std::vector<std::vector<size_t>> buckets_of_;  // by tensor
  std::vector<Piece> pieces_;
  bool last_pass_ = false;
  size_t sent_ = 0;  // buckets under way or done; always the first ones
  absl::Status status_;
};

}  // namespace larr
