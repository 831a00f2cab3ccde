// SPDX-License-Identifier: Apache-2.0
//
// A refresh turns a dataset's texts into a new snapshot: it renders them,
// drops those that the base has, encodes the rest and publishes. Written once,
// for the embedding service and for the EMBED stage.
//
// Which texts and entities those are: common/dataset/dataset_texts.h.
//
// Encoded texts are durable chunk by chunk: a refresh that was killed or
// cancelled goes on from the same work folder and encodes nothing twice. They
// stay there until the caller, who takes the new snapshot, calls DropPending. A
// database that is damaged, or cannot be opened, as after an upgrade, is put
// aside by the next refresh, which encodes its texts again.
//
// Memory:  16 bytes for each distinct text, and the texts to encode.
// Threads: one refresh per work folder; `progress` is called on the caller's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "larr/config/v1/model.pb.h"
#include "services/embedding/text_encoder.h"

namespace larr {

struct RefreshOptions {
  // The `DatasetSpec`.
  std::filesystem::path dataset;
  // The day that entities are stored as of; empty: the newest.
  std::string as_of_date;
  // What to start from; null: nothing. Borrowed.
  const Snapshot* base = nullptr;
  // Keeps what is not published yet.
  std::filesystem::path work;
  // The new snapshot.
  std::filesystem::path output;
  // `config` and `parents` of the new snapshot; the base is added.
  config::v1::ArtifactManifest manifest;
};

struct RefreshCounts {
  int64_t texts_total = 0;      // distinct texts of the dataset
  int64_t texts_to_encode = 0;  // those that the base lacks, unknown ones apart
  int64_t texts_unknown = 0;    // those that the encoder has no vector for
  int64_t texts_encoded = 0;    // of these, stored so far, restarts included
  int64_t tokens_encoded = 0;   // that they cost, restarts included
  int64_t texts_now = 0, tokens_now = 0;  // of these, those of this call
};

// Called before the first text, while texts are read, after each chunk, and so
// also once when all is encoded and nothing published. An error ends the
// refresh and is returned.
using RefreshProgress = std::function<absl::Status(const RefreshCounts&)>;

// Errors:  kInvalidArgument     the dataset is wrong, or has no such day
//          kFailedPrecondition  the base is of another embedder
//          kAlreadyExists       `output` is taken
//          and those of the store, the encoder and `progress`
absl::StatusOr<RefreshCounts> Refresh(const RefreshOptions& options,
                                      TextEncoder& encoder,
                                      const RefreshProgress& progress);

}  // namespace larr
