// SPDX-License-Identifier: Apache-2.0
//
// The gRPC skin of the embedding service: checks the request, calls the core,
// converts the answer, counts. See the .proto for what each call promises.
//
// Ownership:  borrows the runner and the encoder; outlives its server.
// Threads:    gRPC's; all methods may run concurrently.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <string>

#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "services/embedding/job_runner.h"
#include "services/embedding/job_watches.h"
#include "services/embedding/text_encoder.h"

namespace larr {

// Counts of refreshes, for `JobRunner::Start`.
JobRunner::Observer RefreshMetrics(prometheus::Registry& registry);

class EmbeddingService final
    : public embedding::v1::EmbeddingService::
          WithCallbackMethod_WatchRefreshJob<
              embedding::v1::EmbeddingService::Service> {
 public:
  EmbeddingService(JobRunner& runner, TextEncoder& encoder,
                   prometheus::Registry& registry);

  grpc::Status CreateRefreshJob(grpc::ServerContext*,
                                const embedding::v1::CreateRefreshJobRequest*,
                                embedding::v1::RefreshJob*) override;
  grpc::Status GetRefreshJob(grpc::ServerContext*,
                             const embedding::v1::GetRefreshJobRequest*,
                             embedding::v1::RefreshJob*) override;
  grpc::Status ListRefreshJobs(
      grpc::ServerContext*, const embedding::v1::ListRefreshJobsRequest*,
      embedding::v1::ListRefreshJobsResponse*) override;
  grpc::Status CancelRefreshJob(grpc::ServerContext*,
                                const embedding::v1::CancelRefreshJobRequest*,
                                embedding::v1::RefreshJob*) override;
  grpc::ServerWriteReactor<embedding::v1::RefreshJob>* WatchRefreshJob(
      grpc::CallbackServerContext*,
      const embedding::v1::WatchRefreshJobRequest*) override;
  grpc::Status EmbedTexts(grpc::ServerContext*,
                          const embedding::v1::EmbedTextsRequest*,
                          embedding::v1::EmbedTextsResponse*) override;
  grpc::Status BatchGetEmbeddings(
      grpc::ServerContext*, const embedding::v1::BatchGetEmbeddingsRequest*,
      embedding::v1::BatchGetEmbeddingsResponse*) override;
  grpc::Status SearchPois(grpc::ServerContext*,
                          const embedding::v1::SearchPoisRequest*,
                          embedding::v1::SearchPoisResponse*) override;

 private:
  // Runs a call, converts its status and counts it.
  grpc::Status Measured(const char* method,
                        const std::function<absl::Status()>& call);
  void Count(const char* method, const absl::Status& status, double seconds);
  absl::StatusOr<std::shared_ptr<const ServedSnapshot>> Served() const;

  JobRunner& runner_;
  TextEncoder& encoder_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  JobWatches watches_;  // last: counts by the rest
};

}  // namespace larr
