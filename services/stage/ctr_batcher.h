// SPDX-License-Identifier: Apache-2.0
//
// Impressions to the batches of a recommender: the one place where rows meet
// tensors, for training and for evaluation.
//
// Memory:  the rows of one batch, the encoded rows of the entities' partitions
//          that were used last, and a bounded table of text vectors.
// Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/ctr/ctr_model.h"
#include "common/dataset/impression_stream.h"
#include "common/features/tabular_encoder.h"
#include "services/stage/scene_texts.h"

namespace larr::stage {

class CtrBatcher {
 public:
  // `snapshot` is null for a model without texts; it outlives the object, and
  // so does `dataset`.
  // A model may read fewer features than the dataset has.
  // Errors: kInvalidArgument    the description does not fit the dataset
  //         kFailedPrecondition the snapshot is of another embedder
  static absl::StatusOr<std::unique_ptr<CtrBatcher>> Create(
      const Dataset& dataset,
      const config::v1::CtrModelDescription& description,
      const Snapshot* snapshot);

  void Add(const Impression& impression);
  int64_t rows() const { return static_cast<int64_t>(pairs_.size()); }

  // The rows that were added, and starts anew.
  absl::StatusOr<CtrBatch> Take();

  // Distinct texts that the snapshot does not have.
  int64_t missing_texts() const { return texts_ ? texts_->missing() : 0; }

 private:
  // Encoded features of one side's entities.
  struct Side {
    config::v1::Side side;
    FeatureBlock block;
    PerEntity<int64_t> ids;
    PerEntity<float> dense;
    Side(config::v1::Side s, const FeatureBlock& b)
        : side(s), block(b), ids(b.id_count), dense(b.dense_count) {}
  };
  CtrBatcher(TabularEncoder encoder, std::unique_ptr<SceneTexts> texts,
             int tasks);
  void AddEntity(Side& side, const Impression& impression,
                 const std::shared_ptr<const EntityPartition>& partition,
                 int64_t index, int64_t* ids, float* dense);
  void AddRow(config::v1::Side side, const Impression& impression, int64_t* ids,
              float* dense);
  SceneBatch TakeScene();

  const TabularEncoder encoder_;
  const int tasks_;
  Side users_, pois_;
  std::unique_ptr<SceneTexts> texts_;  // Null without texts.

  std::vector<int64_t> ids_;    // [rows, F]
  std::vector<float> dense_;    // [rows, D]
  std::vector<int32_t> scene_;  // [rows, r]
  std::vector<float> labels_;   // [rows, tasks]
  std::vector<int64_t> pairs_;  // [rows]
  std::vector<int64_t> place_;  // By text of the table: its row in a batch.
};

}  // namespace larr::stage
