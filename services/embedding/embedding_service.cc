// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/embedding_service.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>
#include <vector>

#include "absl/time/clock.h"
#include "common/base/invalid_argument.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/features/text_renderer.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/resource_requests.h"
#include "common/telemetry/metrics.h"

namespace larr {

namespace {

using embedding::v1::RefreshJob;

constexpr int kMaxTextsToEmbed = 256, kMaxTextsToRead = 1000;
constexpr size_t kTextsAtOnce = 16;  // A second of the model's work, about.
constexpr int kDefaultTopK = 10, kMaxTopK = 1000;

// A value of a request, its default for 0, refused outside of [0, largest].
absl::StatusOr<int> Bounded(const char* field, int value, int fallback,
                            int largest) {
  if (value == 0) return fallback;
  if (value > 0 && value <= largest) return value;
  return Invalid("{} is {}; it must be between 1 and {}", field, value,
                 largest);
}

// Nothing is computed for a caller who is gone.
absl::Status CheckWaiting(const grpc::ServerContext* context) {
  return context->IsCancelled() ? absl::CancelledError("the client went away")
                                : absl::OkStatus();
}

absl::Status CheckTexts(int count, int largest) {
  if (count >= 1 && count <= largest) return absl::OkStatus();
  return Invalid("texts has {} entries; send between 1 and {}", count, largest);
}

}  // namespace

JobRunner::Observer RefreshMetrics(prometheus::Registry& registry) {
  auto& texts = prometheus::BuildCounter()
                    .Name("larr_embedding_texts_encoded_total")
                    .Help("Texts that refreshes encoded.")
                    .Register(registry)
                    .Add({});
  auto& tokens = prometheus::BuildCounter()
                     .Name("larr_embedding_tokens_encoded_total")
                     .Help("Tokens that refreshes encoded.")
                     .Register(registry)
                     .Add({});
  auto& jobs = prometheus::BuildCounter()
                   .Name("larr_embedding_refresh_jobs_total")
                   .Help("Refresh jobs that ended, by state.")
                   .Register(registry);
  auto& last =
      prometheus::BuildGauge()
          .Name("larr_embedding_refresh_last_success_timestamp_seconds")
          .Help("When a refresh last succeeded, in Unix time.")
          .Register(registry);
  for (const auto state :
       {RefreshJob::SUCCEEDED, RefreshJob::FAILED, RefreshJob::CANCELLED}) {
    jobs.Add({{"state", RefreshJob::State_Name(state)}});
  }
  JobRunner::Observer observer;
  observer.encoded = [&texts, &tokens](int64_t text_count,
                                       int64_t token_count) {
    texts.Increment(static_cast<double>(text_count));
    tokens.Increment(static_cast<double>(token_count));
  };
  // Not exported before the first success: 0 would mean 1970.
  observer.restored = [&last](const RefreshJob& job) {
    // The clock may have been set back since.
    last.Add({}).Set(static_cast<double>(
        std::min(job.end_time().seconds(), absl::ToUnixSeconds(absl::Now()))));
  };
  observer.finished = [&jobs,
                       succeeded = observer.restored](const RefreshJob& job) {
    jobs.Add({{"state", RefreshJob::State_Name(job.state())}}).Increment();
    if (job.state() == RefreshJob::SUCCEEDED) succeeded(job);
  };
  return observer;
}

EmbeddingService::EmbeddingService(JobRunner& runner, TextEncoder& encoder,
                                   prometheus::Registry& registry)
    : runner_(runner),
      encoder_(encoder),
      requests_(prometheus::BuildCounter()
                    .Name("larr_embedding_requests_total")
                    .Help("Calls that ended, by method and code.")
                    .Register(registry)),
      durations_(prometheus::BuildHistogram()
                     .Name("larr_embedding_request_duration_seconds")
                     .Help("Duration of calls, by method; streams included.")
                     .Register(registry)),
      watches_(runner, [this](const absl::Status& status, double seconds) {
        Count("WatchRefreshJob", status, seconds);
      }) {}

void EmbeddingService::Count(const char* method, const absl::Status& status,
                             double seconds) {
  requests_
      .Add({{"method", method},
            {"code", absl::StatusCodeToString(status.code())}})
      .Increment();
  durations_.Add({{"method", method}}, DurationBuckets()).Observe(seconds);
}

grpc::Status EmbeddingService::Measured(
    const char* method, const std::function<absl::Status()>& call) {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = call();
  const double elapsed = SecondsSince(start);
  Count(method, status, elapsed);
  return ToGrpc(status);
}

absl::StatusOr<std::shared_ptr<const ServedSnapshot>> EmbeddingService::Served()
    const {
  if (auto served = runner_.served()) return served;
  return absl::FailedPreconditionError(
      "there is no snapshot yet; create a refresh job and wait for it");
}

grpc::Status EmbeddingService::CreateRefreshJob(
    grpc::ServerContext*, const embedding::v1::CreateRefreshJobRequest* request,
    RefreshJob* response) {
  return Measured("CreateRefreshJob", [&] {
    return Fill(runner_.Create(request->refresh_job_id(),
                               request->refresh_job().as_of_date()),
                response);
  });
}

grpc::Status EmbeddingService::GetRefreshJob(
    grpc::ServerContext*, const embedding::v1::GetRefreshJobRequest* request,
    RefreshJob* response) {
  return Measured("GetRefreshJob",
                  [&] { return Fill(runner_.Get(request->name()), response); });
}

grpc::Status EmbeddingService::ListRefreshJobs(
    grpc::ServerContext*, const embedding::v1::ListRefreshJobsRequest* request,
    embedding::v1::ListRefreshJobsResponse* response) {
  return Measured("ListRefreshJobs", [&]() -> absl::Status {
    LARR_ASSIGN_OR_RETURN(const int size, PageSize(request->page_size()));
    // One more than asked for tells whether there is a next page.
    LARR_ASSIGN_OR_RETURN(auto jobs,
                          runner_.List(size + 1, request->page_token()));
    const bool more = static_cast<int>(jobs.size()) > size;
    if (more) jobs.pop_back();
    if (more) response->set_next_page_token(jobs.back().name());
    for (auto& job : jobs) *response->add_refresh_jobs() = std::move(job);
    return absl::OkStatus();
  });
}

grpc::Status EmbeddingService::CancelRefreshJob(
    grpc::ServerContext*, const embedding::v1::CancelRefreshJobRequest* request,
    RefreshJob* response) {
  return Measured("CancelRefreshJob", [&] {
    return Fill(runner_.Cancel(request->name()), response);
  });
}

grpc::ServerWriteReactor<RefreshJob>* EmbeddingService::WatchRefreshJob(
    grpc::CallbackServerContext*,
    const embedding::v1::WatchRefreshJobRequest* request) {
  return watches_.Watch(request->name());
}

grpc::Status EmbeddingService::EmbedTexts(
    grpc::ServerContext* context,
    const embedding::v1::EmbedTextsRequest* request,
    embedding::v1::EmbedTextsResponse* response) {
  return Measured("EmbedTexts", [&]() -> absl::Status {
    LARR_RETURN_IF_ERROR(CheckTexts(request->texts_size(), kMaxTextsToEmbed));
    const std::vector<std::string> texts(request->texts().begin(),
                                         request->texts().end());
    const auto empty = std::find(texts.begin(), texts.end(), "");
    if (empty != texts.end()) {
      return Invalid("texts[{}] is empty; leave it out", empty - texts.begin());
    }
    const int dim = encoder_.dim();
    // Between slices other calls and the refresh have the encoder.
    for (size_t begin = 0; begin < texts.size(); begin += kTextsAtOnce) {
      LARR_RETURN_IF_ERROR(CheckWaiting(context));
      const auto slice = std::span(texts).subspan(
          begin, std::min(kTextsAtOnce, texts.size() - begin));
      LARR_ASSIGN_OR_RETURN(const auto encoded, encoder_.Encode(slice));
      for (size_t i = 0; i < slice.size(); ++i) {
        const float* vector = encoded.vectors.data() + i * dim;
        response->add_embeddings()->mutable_values()->Add(vector, vector + dim);
      }
    }
    response->set_embedder_fingerprint(encoder_.fingerprint());
    return absl::OkStatus();
  });
}

grpc::Status EmbeddingService::BatchGetEmbeddings(
    grpc::ServerContext*,
    const embedding::v1::BatchGetEmbeddingsRequest* request,
    embedding::v1::BatchGetEmbeddingsResponse* response) {
  return Measured("BatchGetEmbeddings", [&]() -> absl::Status {
    LARR_RETURN_IF_ERROR(CheckTexts(request->texts_size(), kMaxTextsToRead));
    LARR_ASSIGN_OR_RETURN(const auto served, Served());
    const Snapshot& snapshot = *served->snapshot;
    std::vector<std::string> text_ids;
    for (const auto& text : request->texts()) text_ids.push_back(TextId(text));
    const std::vector<std::string_view> ids(text_ids.begin(), text_ids.end());
    std::vector<float> vectors(ids.size() * snapshot.dim());
    std::vector<uint8_t> present(ids.size());
    LARR_RETURN_IF_ERROR(snapshot.ReadVectors(ids, vectors, present).status());
    for (size_t i = 0; i < ids.size(); ++i) {
      auto* embedding = response->add_embeddings();
      const float* vector = vectors.data() + i * snapshot.dim();
      if (!present[i]) continue;
      embedding->mutable_values()->Add(vector, vector + snapshot.dim());
    }
    response->set_snapshot(snapshot.digest());
    return absl::OkStatus();
  });
}

grpc::Status EmbeddingService::SearchPois(
    grpc::ServerContext* context,
    const embedding::v1::SearchPoisRequest* request,
    embedding::v1::SearchPoisResponse* response) {
  return Measured("SearchPois", [&]() -> absl::Status {
    if (request->scene_text().empty()) {
      return absl::InvalidArgumentError(
          "scene_text is empty; describe the user and the moment");
    }
    LARR_ASSIGN_OR_RETURN(const int top_k, Bounded("top_k", request->top_k(),
                                                   kDefaultTopK, kMaxTopK));
    LARR_ASSIGN_OR_RETURN(const auto served, Served());
    LARR_RETURN_IF_ERROR(CheckWaiting(context));
    LARR_ASSIGN_OR_RETURN(const auto encoded,
                          encoder_.Encode({&request->scene_text(), 1}));
    for (auto& hit : served->pois.Search(encoded.vectors, top_k)) {
      auto* result = response->add_results();
      result->set_poi_id(std::move(hit.poi_id));
      result->set_score(hit.score);
      result->set_description(std::move(hit.description));
    }
    return absl::OkStatus();
  });
}

}  // namespace larr
