// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/job_watches.h"

#include <grpcpp/create_channel.h>

#include <catch2/catch.hpp>
#include <vector>

#include "common/rpc/grpc_server.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "tests/testing/fake_encoder.h"
#include "tests/testing/gate.h"
#include "tests/testing/program.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using embedding::v1::RefreshJob;
using testing::Eventually;
namespace v1 = embedding::v1;

// How the streams of a server ended.
class Ends {
 public:
  void Add(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    codes_.push_back(status.code());
  }
  std::vector<absl::StatusCode> codes() const {
    const absl::MutexLock lock(&mutex_);
    return codes_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<absl::StatusCode> codes_;
};

class Service : public v1::EmbeddingService::WithCallbackMethod_WatchRefreshJob<
                    v1::EmbeddingService::Service> {
 public:
  explicit Service(JobWatches& watches) : watches_(watches) {}
  grpc::ServerWriteReactor<RefreshJob>* WatchRefreshJob(
      grpc::CallbackServerContext*,
      const v1::WatchRefreshJobRequest* request) override {
    return watches_.Watch(request->name());
  }

 private:
  JobWatches& watches_;
};

struct Server {
  testing::TempDir dir;
  testing::SmallDataset data{dir.path() / "data"};
  testing::FakeEncoder encoder;
  Ends ends;
  std::unique_ptr<JobRunner> runner;
  std::unique_ptr<JobWatches> watches;
  std::unique_ptr<Service> service;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<v1::EmbeddingService::Stub> stub;
  testing::Gate gate;

  Server() {
    encoder.before_encode = gate.waiter();
    config::v1::EmbeddingConfig config;
    config.set_state_dir((dir.path() / "state").string());
    config.set_snapshot_dir((dir.path() / "snapshots").string());
    config.set_dataset(data.spec().string());
    auto started = JobRunner::Start(config, encoder, {});
    REQUIRE(started.ok());
    runner = *std::move(started);
    watches = std::make_unique<JobWatches>(
        *runner,
        [this](const absl::Status& status, double) { ends.Add(status); });
    service = std::make_unique<Service>(*watches);
    config.mutable_server()->set_listen("127.0.0.1:0");
    config.mutable_server()->set_drain_seconds(1);
    GrpcServerOptions options;
    options.services = {service.get()};
    options.on_drain = [this] { runner->Stop(); };
    auto serving = GrpcServer::Start(config.server(), std::move(options));
    REQUIRE(serving.ok());
    server = *std::move(serving);
    // Its windows stay as they are, 64 KiB.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub = v1::EmbeddingService::NewStub(grpc::CreateCustomChannel(
        server->address(), grpc::InsecureChannelCredentials(), arguments));
  }
  std::unique_ptr<grpc::ClientReader<RefreshJob>> Watch(
      grpc::ClientContext& context, const std::string& name) const {
    v1::WatchRefreshJobRequest request;
    request.set_name(name);
    return stub->WatchRefreshJob(&context, request);
  }
};

TEST_CASE("A stream tells each who asked of the last state", "[embedding]") {
  Server s;
  const auto job = s.runner->Create("a", "");
  REQUIRE(job.ok());
  grpc::ClientContext first, second, late;
  const auto one = s.Watch(first, job->name());
  const auto two = s.Watch(second, job->name());
  RefreshJob state;
  REQUIRE(one->Read(&state));
  CHECK(state.name() == job->name());
  CHECK_FALSE(IsFinished(state.state()));
  s.gate.Open();
  for (const auto& stream : {one.get(), two.get()}) {
    while (stream->Read(&state)) {
    }
    CHECK(state.state() == RefreshJob::SUCCEEDED);
    CHECK(stream->Finish().ok());
  }
  // A job that is finished has one state.
  const auto three = s.Watch(late, job->name());
  REQUIRE(three->Read(&state));
  CHECK(state.state() == RefreshJob::SUCCEEDED);
  CHECK_FALSE(three->Read(&state));
  CHECK(three->Finish().ok());
  CHECK(Eventually([&] {
    return s.ends.codes() ==
           std::vector<absl::StatusCode>(3, absl::StatusCode::kOk);
  }));
}

TEST_CASE("A stream of no job, and one whose client leaves", "[embedding]") {
  Server s;
  const auto job = s.runner->Create("a", "");
  REQUIRE(job.ok());
  RefreshJob state;
  grpc::ClientContext none, leaving;
  const auto missing = s.Watch(none, "refreshJobs/none");
  CHECK_FALSE(missing->Read(&state));
  CHECK(missing->Finish().error_code() == grpc::NOT_FOUND);
  CHECK(Eventually([&] { return s.ends.codes().size() == 1; }));
  const auto left = s.Watch(leaving, job->name());
  REQUIRE(left->Read(&state));
  leaving.TryCancel();
  CHECK(Eventually([&] {
    return s.ends.codes() ==
           std::vector<absl::StatusCode>{absl::StatusCode::kNotFound,
                                         absl::StatusCode::kCancelled};
  }));
}

TEST_CASE("A drain ends streams, those that begin meanwhile, too",
          "[embedding]") {
  Server s;
  const auto job = s.runner->Create("a", "");
  REQUIRE(job.ok());
  RefreshJob state;
  grpc::ClientContext before, after;
  const auto one = s.Watch(before, job->name());
  REQUIRE(one->Read(&state));
  s.runner->Stop();
  while (one->Read(&state)) {
  }
  CHECK(one->Finish().error_code() == grpc::UNAVAILABLE);
  const auto two = s.Watch(after, job->name());
  CHECK(two->Read(&state));
  CHECK_FALSE(two->Read(&state));
  CHECK(two->Finish().error_code() == grpc::UNAVAILABLE);
  s.gate.Open();
  s.server->Drain();
}

TEST_CASE("Clients that never read hold little, and stop no drain",
          "[embedding][.long]") {
  Server s;
  // More changes than gRPC buffers: each text is a chunk of its own.
  const int users = 6000;
  testing::Cells rows;
  for (int u = 0; u < users; ++u) {
    const std::string id = std::to_string(u);
    rows.push_back({"u" + id, int64_t{u}, std::string(16 << 10, 'x') + id});
  }
  using enum ColumnType;
  for (const std::string& day : s.data.Days()) {
    testing::WriteParquet(
        testing::TinyFile(s.data.folder, "users", day),
        {{"id", kString}, {"age", kInteger}, {"likes", kString}}, rows);
  }
  s.gate.Open();
  const auto job = s.runner->Create("a", "");
  REQUIRE(job.ok());
  grpc::ClientContext slow, never;
  const auto reads_late = s.Watch(slow, job->name());
  const auto reads_never = s.Watch(never, job->name());
  int64_t changes = 0;
  while (!IsFinished(s.runner->Get(job->name())->state()))
    changes = s.runner->WaitForChange(changes, absl::Seconds(10));
  CHECK(changes > users);
  int states = 0;
  RefreshJob state;
  while (reads_late->Read(&state)) ++states;
  CHECK(reads_late->Finish().ok());
  CHECK(state.state() == RefreshJob::SUCCEEDED);
  CHECK(state.texts_encoded() > users);
  INFO(states << " of " << changes << " states");
  CHECK(states < changes / 2);  // It skipped some.
  s.server->Drain();
  CHECK(s.ends.codes().size() == 2);
}

}  // namespace
}  // namespace larr
