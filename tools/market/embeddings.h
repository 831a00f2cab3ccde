// SPDX-License-Identifier: Apache-2.0
//
// The nightly refresh: the embedding service over the market's own dataset.
//
// Threads:    one.
// Errors:     those of the service; kAborted if a job failed
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "larr/embedding/v1/embedding_service.pb.h"
#include "tools/market/market.h"
#include "tools/programs/server.h"

namespace larr::market {

class Embeddings {
 public:
  // Starts the service in `folder`, over `folder/dataset`. It starts from the
  // market's snapshot, or goes on from its own last one.
  static absl::StatusOr<Embeddings> Start(const Market& market,
                                          const std::filesystem::path& folder);

  // The finished job of a snapshot as of `date`. One of an earlier market is
  // not done again; one that it was ended in goes on.
  absl::StatusOr<embedding::v1::RefreshJob> Refresh(const std::string& date);

 private:
  explicit Embeddings(programs::Server server);

  programs::Server server_;
  std::unique_ptr<embedding::v1::EmbeddingService::Stub> stub_;
};

}  // namespace larr::market
