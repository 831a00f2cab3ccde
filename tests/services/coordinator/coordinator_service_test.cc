// SPDX-License-Identifier: Apache-2.0
//
// What the gRPC skin adds to the core: checks, codes, pages and streams. The
// rest is tested through the real program in tests/integration.
#include "services/coordinator/coordinator_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "services/coordinator/training_plan.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using coordinator::v1::CoordinatorService;
using coordinator::v1::ListTrainingRunsRequest;
using coordinator::v1::ListTrainingRunsResponse;
using coordinator::v1::StreamStageLogRequest;
using coordinator::v1::StreamStageLogResponse;
using coordinator::v1::TrainingRun;
using coordinator::v1::WatchTrainingRunRequest;

// Stages that never end.
class IdleExecutor : public Executor {
 public:
  absl::Status Start(const StageLaunch&) override { return absl::OkStatus(); }
  void Stop(const StageKey&) override {}
  std::vector<StageExit> Poll() override { return {}; }
  void Acknowledge(const StageKey&) override {}
};

class ServiceTest {
 public:
  ServiceTest() {
    std::ofstream(dir_.path() / "dataset.textproto")
        << R"(name: "city" tabular_features { name: "id" }
              scene_features: "sky" poi_embedding_features: "id")";
    config::v1::TrainingSpec spec;
    spec.set_dataset(dir_.path() / "dataset.textproto");
    spec.set_base_model(dir_.path());
    spec.mutable_contrast()->set_max_tokens(64);
    auto& align = *spec.add_align();
    align.set_name("larr");
    align.mutable_architecture()->set_kind(config::v1::CtrArchitecture::LARR);
    REQUIRE(coordinator_->CreateRun("a", spec).ok());
    REQUIRE(coordinator_->CreateRun("b", spec).ok());
    grpc::ServerBuilder builder;
    builder.RegisterService(&runs_service_);
    server_ = builder.BuildAndStart();
    runs_ = CoordinatorService::NewStub(server_->InProcessChannel({}));
  }

 protected:
  // The log of a's corpus stage from `offset` on.
  std::string Log(int64_t offset, const std::string& stage,
                  grpc::StatusCode* code) {
    StreamStageLogRequest request;
    request.set_name("trainingRuns/a");
    request.set_stage_id(stage);
    request.set_offset(offset);
    grpc::ClientContext context;
    const auto reader = runs_->StreamStageLog(&context, request);
    StreamStageLogResponse chunk;
    std::string text;
    while (reader->Read(&chunk)) text += chunk.content();
    *code = reader->Finish().error_code();
    return text;
  }

  testing::TempDir dir_;
  std::unique_ptr<RunStore> store_ = *RunStore::Open(dir_.path() / "db");
  Registry registry_{*store_, dir_.path()};
  prometheus::Registry prometheus_;
  CoordinatorMetrics metrics_{prometheus_};
  IdleExecutor executor_;
  std::unique_ptr<Coordinator> coordinator_ =
      *Coordinator::Open({.artifact_root = dir_.path()},
                         {*store_, registry_, executor_, metrics_});
  CoordinatorServiceImpl runs_service_{*coordinator_, metrics_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CoordinatorService::Stub> runs_;
};

TEST_CASE_METHOD(ServiceTest, "Lists come in pages", "[service]") {
  ListTrainingRunsRequest request;
  request.set_page_size(1);
  ListTrainingRunsResponse page;
  {
    grpc::ClientContext context;
    REQUIRE(runs_->ListTrainingRuns(&context, request, &page).ok());
  }
  REQUIRE(page.training_runs_size() == 1);
  CHECK(page.training_runs(0).name() == "trainingRuns/b");
  request.set_page_token(page.next_page_token());
  {
    grpc::ClientContext context;
    page.Clear();
    REQUIRE(runs_->ListTrainingRuns(&context, request, &page).ok());
  }
  REQUIRE(page.training_runs_size() == 1);
  CHECK(page.training_runs(0).name() == "trainingRuns/a");
  CHECK(page.next_page_token().empty());
  request.set_page_size(-1);
  grpc::ClientContext context;
  CHECK(runs_->ListTrainingRuns(&context, request, &page).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_CASE_METHOD(ServiceTest, "A log is streamed in chunks from an offset",
                 "[service]") {
  grpc::StatusCode code;
  CHECK(Log(0, "corpus", &code).empty());
  CHECK(code == grpc::StatusCode::OK);
  const auto work = StageWorkFolder(dir_.path(), "trainingRuns/a", "corpus");
  std::filesystem::create_directories(work);
  std::string text;
  for (int i = 0; text.size() < 150'000; ++i) text += std::to_string(i) + "\n";
  std::ofstream(work / "stage.log") << text;
  CHECK(Log(0, "corpus", &code) == text);
  CHECK(Log(100'000, "corpus", &code) == text.substr(100'000));
  CHECK(Log(1'000'000, "corpus", &code).empty());
  CHECK(code == grpc::StatusCode::OK);
  Log(-1, "corpus", &code);
  CHECK(code == grpc::StatusCode::INVALID_ARGUMENT);
  Log(0, "../corpus", &code);
  CHECK(code == grpc::StatusCode::NOT_FOUND);
}

TEST_CASE_METHOD(ServiceTest, "A stream ends with its client or its server",
                 "[service]") {
  WatchTrainingRunRequest request;
  request.set_name("trainingRuns/a");
  TrainingRun run;
  {
    grpc::ClientContext context;
    const auto reader = runs_->WatchTrainingRun(&context, request);
    REQUIRE(reader->Read(&run));
    context.TryCancel();
    CHECK(reader->Finish().error_code() == grpc::StatusCode::CANCELLED);
  }
  grpc::ClientContext context;
  const auto reader = runs_->WatchTrainingRun(&context, request);
  REQUIRE(reader->Read(&run));
  CHECK(run.name() == "trainingRuns/a");
  runs_service_.EndStreams();
  while (reader->Read(&run)) {
  }
  CHECK(reader->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace larr
