// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/embedding_service.h"

#include <grpcpp/create_channel.h>

#include <catch2/catch.hpp>

#include "common/rpc/grpc_server.h"
#include "tests/testing/fake_encoder.h"
#include "tests/testing/gate.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using embedding::v1::RefreshJob;
using testing::FakeEncoder;
namespace v1 = embedding::v1;

// The service on a real port.
struct Server {
  testing::TempDir dir;
  testing::SmallDataset data{dir.path() / "data"};
  FakeEncoder encoder;
  std::shared_ptr<prometheus::Registry> metrics =
      std::make_shared<prometheus::Registry>();
  std::unique_ptr<JobRunner> runner;
  std::unique_ptr<EmbeddingService> service;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<v1::EmbeddingService::Stub> stub;

  // `threads`: that gRPC may use; 0: its default.
  explicit Server(int threads = 0) {
    config::v1::EmbeddingConfig config;
    config.mutable_server()->mutable_limits()->set_max_threads(threads);
    config.set_state_dir((dir.path() / "state").string());
    config.set_snapshot_dir((dir.path() / "snapshots").string());
    config.set_dataset(data.spec().string());
    config.mutable_server()->set_listen("127.0.0.1:0");
    auto started = JobRunner::Start(config, encoder, RefreshMetrics(*metrics));
    REQUIRE(started.ok());
    runner = *std::move(started);
    service = std::make_unique<EmbeddingService>(*runner, encoder, *metrics);
    GrpcServerOptions options;
    options.services = {service.get()};
    options.on_drain = [this] { runner->Stop(); };
    auto serving = GrpcServer::Start(config.server(), std::move(options));
    REQUIRE(serving.ok());
    server = *std::move(serving);
    stub = v1::EmbeddingService::NewStub(grpc::CreateChannel(
        server->address(), grpc::InsecureChannelCredentials()));
  }

  // Calls a method; returns its code.
  template <typename Request, typename Response>
  grpc::StatusCode Call(grpc::Status (v1::EmbeddingService::Stub::*method)(
                            grpc::ClientContext*, const Request&, Response*),
                        const Request& request, Response* response) {
    grpc::ClientContext context;
    return (stub.get()->*method)(&context, request, response).error_code();
  }

  // Creates a job and follows it to its end.
  std::vector<RefreshJob> Refresh(const std::string& id) {
    v1::CreateRefreshJobRequest create;
    create.set_refresh_job_id(id);
    RefreshJob job;
    REQUIRE(Call(&v1::EmbeddingService::Stub::CreateRefreshJob, create, &job) ==
            grpc::OK);
    v1::WatchRefreshJobRequest watch;
    watch.set_name(job.name());
    grpc::ClientContext context;
    const auto stream = stub->WatchRefreshJob(&context, watch);
    std::vector<RefreshJob> seen;
    while (stream->Read(&job)) seen.push_back(job);
    REQUIRE(stream->Finish().ok());
    return seen;
  }
};

using Stub = v1::EmbeddingService::Stub;

TEST_CASE("A refresh over gRPC: create, watch, list, get", "[embedding]") {
  Server server;
  const auto metrics = [&] { return testing::MetricsText(*server.metrics); };
  CHECK_THAT(metrics(), !Catch::Contains("last_success_timestamp_seconds"));
  const auto seen = server.Refresh("a");
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back().state() == RefreshJob::SUCCEEDED);
  for (size_t i = 1; i < seen.size(); ++i) {
    CHECK(seen[i].state() >= seen[i - 1].state());
    CHECK(seen[i].texts_encoded() >= seen[i - 1].texts_encoded());
  }
  server.Refresh("b");
  server.Refresh("c");

  v1::ListRefreshJobsRequest list;
  list.set_page_size(2);
  v1::ListRefreshJobsResponse page;
  REQUIRE(server.Call(&Stub::ListRefreshJobs, list, &page) == grpc::OK);
  REQUIRE(page.refresh_jobs_size() == 2);
  CHECK(page.refresh_jobs(0).name() == "refreshJobs/c");
  list.set_page_token(page.next_page_token());
  REQUIRE(server.Call(&Stub::ListRefreshJobs, list, &page) == grpc::OK);
  REQUIRE(page.refresh_jobs_size() == 1);
  CHECK(page.refresh_jobs(0).name() == "refreshJobs/a");
  CHECK(page.next_page_token().empty());
  list.set_page_size(5000);  // As 1000.
  list.clear_page_token();
  REQUIRE(server.Call(&Stub::ListRefreshJobs, list, &page) == grpc::OK);
  CHECK(page.refresh_jobs_size() == 3);
  list.set_page_size(-1);
  CHECK(server.Call(&Stub::ListRefreshJobs, list, &page) ==
        grpc::INVALID_ARGUMENT);

  v1::GetRefreshJobRequest get;
  get.set_name("refreshJobs/none");
  RefreshJob job;
  CHECK(server.Call(&Stub::GetRefreshJob, get, &job) == grpc::NOT_FOUND);

  const std::string text = metrics();
  CHECK(text.find("last_success_timestamp_seconds 1") != std::string::npos);
  CHECK(text.find("larr_embedding_refresh_jobs_total{state=\"SUCCEEDED\"} 3") !=
        std::string::npos);
  CHECK(text.find("larr_embedding_texts_encoded_total " +
                  std::to_string(server.data.ExpectedTexts())) !=
        std::string::npos);
  CHECK(text.find("method=\"GetRefreshJob\"") != std::string::npos);
  CHECK(text.find("code=\"NOT_FOUND\"") != std::string::npos);
}

TEST_CASE("EmbedTexts gives the encoder's vectors", "[embedding]") {
  Server server;
  v1::EmbedTextsRequest request;
  request.add_texts("one");
  request.add_texts("two");
  v1::EmbedTextsResponse response;
  REQUIRE(server.Call(&Stub::EmbedTexts, request, &response) == grpc::OK);
  CHECK(response.embedder_fingerprint() == "fake");
  REQUIRE(response.embeddings_size() == 2);
  const auto& values = response.embeddings(1).values();
  CHECK(std::vector<float>(values.begin(), values.end()) ==
        server.encoder.VectorOf("two"));

  request.clear_texts();
  CHECK(server.Call(&Stub::EmbedTexts, request, &response) ==
        grpc::INVALID_ARGUMENT);
  for (int i = 0; i < 20; ++i) request.add_texts("x");
  request.set_texts(18, "");
  grpc::ClientContext context;
  const auto empty = server.stub->EmbedTexts(&context, request, &response);
  CHECK(empty.error_code() == grpc::INVALID_ARGUMENT);
  CHECK_THAT(empty.error_message(), Catch::Contains("texts[18] is empty"));
  request.clear_texts();
  for (int i = 0; i < 257; ++i) request.add_texts("x");
  CHECK(server.Call(&Stub::EmbedTexts, request, &response) ==
        grpc::INVALID_ARGUMENT);
}

TEST_CASE("Stored embeddings are read after the first refresh", "[embedding]") {
  Server server;
  v1::BatchGetEmbeddingsRequest request;
  request.add_texts("<dish>dish1</dish>");
  request.add_texts("<dish>none</dish>");
  v1::BatchGetEmbeddingsResponse response;
  CHECK(server.Call(&Stub::BatchGetEmbeddings, request, &response) ==
        grpc::FAILED_PRECONDITION);
  server.Refresh("a");
  REQUIRE(server.Call(&Stub::BatchGetEmbeddings, request, &response) ==
          grpc::OK);
  REQUIRE(response.embeddings_size() == 2);
  const auto& values = response.embeddings(0).values();
  CHECK(std::vector<float>(values.begin(), values.end()) ==
        server.encoder.VectorOf("<dish>dish1</dish>"));
  CHECK(response.embeddings(1).values().empty());
  CHECK(response.snapshot().size() == 64);
}

TEST_CASE("SearchPois ranks POIs by their comprehensive text", "[embedding]") {
  Server server;
  v1::SearchPoisRequest request;
  request.set_scene_text(
      "<name>Place7</name><type>salad</type><dish>dish7</dish>");
  v1::SearchPoisResponse response;
  CHECK(server.Call(&Stub::SearchPois, request, &response) ==
        grpc::FAILED_PRECONDITION);
  server.Refresh("a");
  REQUIRE(server.Call(&Stub::SearchPois, request, &response) == grpc::OK);
  REQUIRE(response.results_size() == 10);
  CHECK(response.results(0).poi_id() == "p7");
  CHECK(response.results(0).score() == Approx(1));
  CHECK(response.results(0).description() == request.scene_text());

  request.set_top_k(3);
  REQUIRE(server.Call(&Stub::SearchPois, request, &response) == grpc::OK);
  CHECK(response.results_size() == 3);
  request.set_top_k(1001);
  CHECK(server.Call(&Stub::SearchPois, request, &response) ==
        grpc::INVALID_ARGUMENT);
  request.set_top_k(0);
  request.clear_scene_text();
  CHECK(server.Call(&Stub::SearchPois, request, &response) ==
        grpc::INVALID_ARGUMENT);
}

TEST_CASE("Clients that watch and never read leave the threads to others",
          "[embedding]") {
  Server server(3);
  testing::Gate gate;
  server.encoder.before_encode = gate.waiter();
  v1::CreateRefreshJobRequest create;
  create.set_refresh_job_id("a");
  RefreshJob job;
  REQUIRE(server.Call(&Stub::CreateRefreshJob, create, &job) == grpc::OK);
  v1::WatchRefreshJobRequest watch;
  watch.set_name(job.name());
  constexpr int kWatchers = 8;
  std::vector<grpc::ClientContext> contexts(kWatchers);
  std::vector<std::unique_ptr<grpc::ClientReader<RefreshJob>>> streams;
  for (auto& context : contexts) {
    streams.push_back(server.stub->WatchRefreshJob(&context, watch));
    streams.back()->WaitForInitialMetadata();
  }
  v1::GetRefreshJobRequest get;
  get.set_name(job.name());
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    CHECK(server.stub->GetRefreshJob(&context, get, &job).ok());
  }
  gate.Open();
  for (auto& stream : streams) {
    while (stream->Read(&job)) {
    }
    CHECK(stream->Finish().ok());
    CHECK(job.state() == RefreshJob::SUCCEEDED);
  }
}

TEST_CASE("Cancelling over gRPC, and a drain that ends streams",
          "[embedding]") {
  Server server;
  testing::Gate gate;
  server.encoder.before_encode = gate.waiter();
  v1::CreateRefreshJobRequest create;
  create.set_refresh_job_id("a");
  RefreshJob job;
  REQUIRE(server.Call(&Stub::CreateRefreshJob, create, &job) == grpc::OK);

  v1::CancelRefreshJobRequest cancel;
  cancel.set_name(job.name());
  REQUIRE(server.Call(&Stub::CancelRefreshJob, cancel, &job) == grpc::OK);
  CHECK(job.state() == RefreshJob::CANCELLED);

  create.set_refresh_job_id("b");
  REQUIRE(server.Call(&Stub::CreateRefreshJob, create, &job) == grpc::OK);
  v1::WatchRefreshJobRequest watch;
  watch.set_name(job.name());
  grpc::ClientContext context;
  const auto stream = server.stub->WatchRefreshJob(&context, watch);
  REQUIRE(stream->Read(&job));
  gate.Open();
  server.server->Drain();
  while (stream->Read(&job)) {
  }
  const auto code = stream->Finish().error_code();
  CHECK((code == grpc::UNAVAILABLE || code == grpc::OK));
}

}  // namespace
}  // namespace larr
