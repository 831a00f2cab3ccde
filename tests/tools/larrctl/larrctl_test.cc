// SPDX-License-Identifier: Apache-2.0
//
// The real program against servers of this process, over sockets. The
// services answer from scripts, so that every state of a run can be had.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/rpc/grpc_server.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"

namespace larr::ctl {
namespace {

using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

TrainingRun Run(TrainingRun::State state, int64_t step) {
  TrainingRun run;
  run.set_name("trainingRuns/demo");
  run.set_state(state);
  StageRun* stage = run.add_stages();
  stage->set_id("pretrain");
  stage->set_state(state == TrainingRun::RUNNING ? StageRun::RUNNING
                                                 : StageRun::SUCCEEDED);
  stage->mutable_progress()->set_step(step);
  stage->mutable_progress()->set_total_steps(10);
  if (state == TrainingRun::FAILED) run.set_error_message("disk full");
  return run;
}

class Coordinator final : public coordinator::v1::CoordinatorService::Service {
 public:
  grpc::Status CreateTrainingRun(
      grpc::ServerContext*,
      const coordinator::v1::CreateTrainingRunRequest* request,
      TrainingRun* run) override {
    created = *request;
    *run = Run(TrainingRun::QUEUED, 0);
    return grpc::Status::OK;
  }
  grpc::Status GetTrainingRun(
      grpc::ServerContext*,
      const coordinator::v1::GetTrainingRunRequest* request,
      TrainingRun*) override {
    return {grpc::StatusCode::NOT_FOUND, "no run " + request->name()};
  }
  grpc::Status ListTrainingRuns(
      grpc::ServerContext*,
      const coordinator::v1::ListTrainingRunsRequest* request,
      coordinator::v1::ListTrainingRunsResponse* response) override {
    *response->add_training_runs() = Run(TrainingRun::SUCCEEDED, 10);
    if (request->page_token().empty()) response->set_next_page_token("2");
    return grpc::Status::OK;
  }
  grpc::Status CancelTrainingRun(
      grpc::ServerContext* context,
      const coordinator::v1::CancelTrainingRunRequest*, TrainingRun*) override {
    while (!context->IsCancelled()) usleep(1000);  // never answers
    return grpc::Status::CANCELLED;
  }
  grpc::Status WatchTrainingRun(
      grpc::ServerContext*,
      const coordinator::v1::WatchTrainingRunRequest* request,
      grpc::ServerWriter<TrainingRun>* writer) override {
    if (request->name() == "trainingRuns/restarting" && ++watches == 1) {
      writer->Write(Run(TrainingRun::RUNNING, 1));
      return {grpc::StatusCode::UNAVAILABLE, "going down"};
    }
    writer->Write(Run(TrainingRun::RUNNING, 5));
    const bool fails = request->name() == "trainingRuns/failing";
    writer->Write(
        Run(fails ? TrainingRun::FAILED : TrainingRun::SUCCEEDED, 10));
    return grpc::Status::OK;
  }
  grpc::Status StreamStageLog(
      grpc::ServerContext*,
      const coordinator::v1::StreamStageLogRequest* request,
      grpc::ServerWriter<coordinator::v1::StreamStageLogResponse>* writer)
      override {
    coordinator::v1::StreamStageLogResponse piece;
    piece.set_content(
        std::string("step 1\nstep 2\n").substr(request->offset()));
    writer->Write(piece);
    return grpc::Status::OK;
  }

  coordinator::v1::CreateTrainingRunRequest created;
  std::atomic<int> watches = 0;
};

class Registry final : public coordinator::v1::ModelRegistryService::Service {
 public:
  grpc::Status GetModel(grpc::ServerContext*,
                        const coordinator::v1::GetModelRequest* request,
                        coordinator::v1::Model* model) override {
    model->set_name(request->name());
    (*model->mutable_aliases())["champion"] = "models/city/versions/2";
    return grpc::Status::OK;
  }
  grpc::Status ListModelVersions(
      grpc::ServerContext*, const coordinator::v1::ListModelVersionsRequest*,
      coordinator::v1::ListModelVersionsResponse* response) override {
    response->add_model_versions()->set_name("models/city/versions/2");
    response->add_model_versions()->set_name("models/city/versions/1");
    return grpc::Status::OK;
  }
  grpc::Status PromoteModelVersion(
      grpc::ServerContext*,
      const coordinator::v1::PromoteModelVersionRequest* request,
      coordinator::v1::Model* model) override {
    (*model->mutable_aliases())[request->alias()] = request->name();
    return grpc::Status::OK;
  }
  grpc::Status RollbackAlias(grpc::ServerContext*,
                             const coordinator::v1::RollbackAliasRequest*,
                             coordinator::v1::Model*) override {
    return {grpc::StatusCode::FAILED_PRECONDITION, "nothing to roll back to"};
  }
};

class Embedding final : public embedding::v1::EmbeddingService::Service {
 public:
  grpc::Status WatchRefreshJob(
      grpc::ServerContext*,
      const embedding::v1::WatchRefreshJobRequest* request,
      grpc::ServerWriter<embedding::v1::RefreshJob>* writer) override {
    embedding::v1::RefreshJob job;
    job.set_name(request->name());
    job.set_state(embedding::v1::RefreshJob::SUCCEEDED);
    job.set_texts_total(100);
    job.set_texts_encoded(20);
    job.set_snapshot_path("/snapshots/2");
    writer->Write(job);
    return grpc::Status::OK;
  }
  grpc::Status SearchPois(
      grpc::ServerContext*, const embedding::v1::SearchPoisRequest* request,
      embedding::v1::SearchPoisResponse* response) override {
    for (int i = 0; i < request->top_k(); ++i) {
      auto* result = response->add_results();
      result->set_poi_id("p" + std::to_string(i));
      result->set_description(request->scene_text());
    }
    return grpc::Status::OK;
  }
};

class Scoring final : public scoring::v1::ScoringService::Service {
 public:
  grpc::Status Score(grpc::ServerContext*,
                     const scoring::v1::ScoreRequest* request,
                     scoring::v1::ScoreResponse* response) override {
    if (request->user_id() == "early") {
      return {grpc::StatusCode::UNAVAILABLE, "no model is loaded yet"};
    }
    const int size =
        request->top_k() > 0 ? request->top_k() : request->candidates_size();
    for (int i = 0; i < size; ++i) {
      auto& score = *response->add_scores();
      score.set_ctr(0.25f);
      // The last is the best.
      score.set_candidate(
          request->top_k() > 0 ? request->candidates_size() - 1 - i : i);
    }
    if (request->has_explain_candidate()) {
      auto& explanation = *response->mutable_explanation();
      explanation.set_candidate(request->explain_candidate());
      auto& text = *explanation.add_texts();
      text.set_feature("POI_name");
      text.set_attention(0.5f);
      auto& contribution = *explanation.add_contributions();
      contribution.set_feature("hour");
      contribution.set_ctr(-0.125f);
    }
    response->mutable_missing()->set_pois(1);
    return grpc::Status::OK;
  }
};

struct Outcome {
  int code = -1;
  std::string out, err;
};

class Servers {
 public:
  Servers() {
    config::v1::ServerConfig config;
    config.set_listen("127.0.0.1:0");
    GrpcServerOptions options;
    options.services = {&coordinator, &registry, &embedding, &scoring};
    options.metrics = std::make_shared<prometheus::Registry>();
    server_ = *GrpcServer::Start(config, std::move(options));
  }

  // Runs `larrctl arguments` against these servers, with `dir` as its folder.
  Outcome Larrctl(const std::string& arguments) const {
    const std::string& at = server_->address();
    return Shell("LARR_COORDINATOR=" + at + " LARR_EMBEDDING=" + at +
                 " LARR_SCORING=" + at + " " + std::getenv("LARR_BIN_DIR") +
                 "/larrctl " + arguments);
  }
  Outcome Shell(const std::string& command) const {
    const std::string folder = dir.path().string();
    const int status = std::system(("cd " + folder + "; (" + command + ") >" +
                                    folder + "/out 2>" + folder + "/err")
                                       .c_str());
    return {testing::ExitCode(status), *ReadFile(dir.path() / "out"),
            *ReadFile(dir.path() / "err")};
  }

  testing::TempDir dir;
  Coordinator coordinator;
  Registry registry;
  Embedding embedding;
  Scoring scoring;

 private:
  std::unique_ptr<GrpcServer> server_;
};

TEST_CASE("larrctl run watch ends as the run does", "[larrctl]") {
  Servers servers;
  Outcome done = servers.Larrctl("run watch demo");
  CHECK(done.code == 0);
  CHECK_THAT(done.out, Catch::Contains("pretrain: RUNNING  50 %") &&
                           Catch::Contains("trainingRuns/demo SUCCEEDED"));
  CHECK_THAT(done.out, !Catch::Contains("\x1b"));  // not a terminal

  Outcome failed = servers.Larrctl("run watch failing");
  CHECK(failed.code == 1);
  CHECK_THAT(failed.err, Catch::Contains("disk full") &&
                             Catch::Contains("larrctl run resume"));

  Outcome json = servers.Larrctl("run watch demo --output=json");
  CHECK(json.code == 0);
  const std::string last = json.out.substr(json.out.find('\n') + 1);
  CHECK(nlohmann::json::parse(last)["state"] == "SUCCEEDED");
}

TEST_CASE("larrctl run watch outlives a restart of the server", "[larrctl]") {
  Servers servers;
  const Outcome done = servers.Larrctl("run watch restarting");
  CHECK(done.code == 0);
  CHECK(servers.coordinator.watches == 2);
  CHECK_THAT(done.err, Catch::Contains("trying again"));
}

TEST_CASE("larrctl run create sends absolute paths", "[larrctl]") {
  Servers servers;
  REQUIRE(WriteFileAtomically(servers.dir.path() / "spec.textproto",
                              "dataset: 'data/d.textproto' base_model: 'm'")
              .ok());
  const Outcome created =
      servers.Larrctl("run create spec.textproto --id demo");
  CHECK(created.code == 0);
  CHECK_THAT(created.out, Catch::Contains("QUEUED"));
  const auto& request = servers.coordinator.created;
  CHECK(request.training_run_id() == "demo");
  CHECK(request.training_run().spec().dataset() ==
        (servers.dir.path() / "data/d.textproto").string());

  REQUIRE(
      WriteFileAtomically(servers.dir.path() / "bad.textproto", "dataset: 1")
          .ok());
  const Outcome refused = servers.Larrctl("run create bad.textproto");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Catch::Contains("bad.textproto"));
}

TEST_CASE("larrctl lists every page", "[larrctl]") {
  Servers servers;
  const Outcome runs = servers.Larrctl("run list -o json");
  CHECK(nlohmann::json::parse(runs.out)["training_runs"].size() == 2);
  const Outcome versions = servers.Larrctl("model list");
  CHECK_THAT(versions.out, Catch::Contains("models/city/versions/2  champion"));
}

TEST_CASE("larrctl prints logs from an offset on", "[larrctl]") {
  Servers servers;
  CHECK(servers.Larrctl("run logs demo pretrain").out == "step 1\nstep 2\n");
  CHECK(servers.Larrctl("run logs demo pretrain --offset 7").out == "step 2\n");
}

TEST_CASE("larrctl moves aliases", "[larrctl]") {
  Servers servers;
  const Outcome moved = servers.Larrctl("model promote city/3 --alias canary");
  CHECK(moved.code == 0);
  CHECK_THAT(moved.out, Catch::Contains("canary  models/city/versions/3"));
  const Outcome refused = servers.Larrctl("model rollback city");
  CHECK(refused.code == 1);
  CHECK(refused.err == "larrctl: nothing to roll back to\n");
}

TEST_CASE("larrctl embed watches jobs and finds POIs", "[larrctl]") {
  Servers servers;
  const Outcome done = servers.Larrctl("embed watch a");
  CHECK(done.code == 0);
  CHECK_THAT(done.out, Catch::Contains("snapshot   /snapshots/2"));
  const Outcome found =
      servers.Larrctl("embed search 'a rainy evening' -k 2 -o json");
  CHECK(nlohmann::json::parse(found.out)["results"].size() == 2);
  CHECK(servers.Larrctl("embed search x -k 0").code == 2);
}

TEST_CASE("larrctl score takes flags, a file or standard input", "[larrctl]") {
  Servers servers;
  const Outcome flags = servers.Larrctl(
      "score --user u --context hour=12 --context weather=rain "
      "--poi p1,distance=1 --poi p2");
  CHECK(flags.code == 0);
  CHECK_THAT(flags.out, Catch::Contains("p2   0.250000  0.000000") &&
                            Catch::Contains("1 POIs"));
  REQUIRE(WriteFileAtomically(servers.dir.path() / "r.json",
                              R"({"candidates": [{"poi_id": "p1"}]})")
              .ok());
  CHECK(servers.Larrctl("score r.json").code == 0);
  CHECK(servers.Larrctl("score - < r.json").code == 0);
  CHECK(servers.Larrctl("score r.json --user u").code == 2);
  CHECK(servers.Larrctl("score missing.json").code == 1);
}

TEST_CASE("larrctl score asks for the best, and why", "[larrctl]") {
  Servers servers;
  const Outcome best =
      servers.Larrctl("score --poi p1 --poi p2 --top-k 1 --explain 0");
  CHECK(best.code == 0);
  CHECK_THAT(best.out,
             Catch::Contains("p2   0.250000") &&
                 !Catch::Contains("p1   0.250000") &&
                 Catch::Contains("explanation of candidate 0, p1") &&
                 Catch::Matches("(.|\n)*POI_name +default +0\\.500(.|\n)*") &&
                 Catch::Matches("(.|\n)*hour +tabular +-0\\.125000(.|\n)*"));
  CHECK(servers.Larrctl("score --poi p1 --top-k 0").code == 2);
  CHECK(servers.Larrctl("score --poi p1 --explain -1").code == 2);
}

TEST_CASE("larrctl's errors say what to do next", "[larrctl]") {
  Servers servers;
  const Outcome unreachable =
      servers.Larrctl("run list --coordinator 127.0.0.1:1");
  CHECK(unreachable.code == 3);
  CHECK_THAT(unreachable.err, Catch::Contains("127.0.0.1:1") &&
                                  Catch::Contains("larr_coordinator --config"));
  const Outcome not_ready = servers.Larrctl("score --user early --poi p");
  CHECK(not_ready.code == 3);
  CHECK(not_ready.err == "larrctl: no model is loaded yet\n");
  const Outcome unknown = servers.Larrctl("run get nobody");
  CHECK(unknown.code == 1);
  CHECK(unknown.err == "larrctl: no run trainingRuns/nobody\n");
  const Outcome late = servers.Larrctl("run cancel demo --deadline 0.2");
  CHECK(late.code == 4);
  CHECK_THAT(late.err, Catch::Contains("--deadline"));
  const Outcome other = servers.Larrctl("serving status");
  CHECK(other.code == 1);  // this scoring service lacks the method
}

TEST_CASE("larrctl refuses wrong command lines with code 2", "[larrctl]") {
  Servers servers;
  for (const char* arguments :
       {"", "run", "run create", "run create no-such-file", "nonsense",
        "run list --output=xml", "run list --deadline -1", "serving switch",
        "model promote city", "score --context hour --poi p"}) {
    CAPTURE(arguments);
    const Outcome outcome = servers.Larrctl(arguments);
    CHECK(outcome.code == 2);
    CHECK_FALSE(outcome.err.empty());
  }
  CHECK(servers.Larrctl("--help").code == 0);
  CHECK(servers.Larrctl("run --help").code == 0);
}

TEST_CASE("larrctl's completion works in bash", "[larrctl]") {
  Servers servers;
  const Outcome done = servers.Shell(
      std::string("bash -c 'source <(") + std::getenv("LARR_BIN_DIR") +
      "/larrctl completion); COMP_WORDS=(larrctl model ro); COMP_CWORD=2; "
      "_larrctl larrctl ro; echo ${COMPREPLY[@]}'");
  CHECK(done.out == "rollback\n");
}

}  // namespace
}  // namespace larr::ctl
