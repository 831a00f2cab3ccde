// SPDX-License-Identifier: Apache-2.0
//
// The program larr_embedding itself: killed in the middle of a refresh,
// started again, asked, stopped.
#include <grpcpp/create_channel.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot.h"
#include "larr/config/v1/server.pb.h"
#include "larr/embedding/v1/embedding_service.grpc.pb.h"
#include "tests/testing/server_program.h"
#include "tests/testing/shell.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_embedder.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
namespace v1 = embedding::v1;
using testing::Program;
using v1::RefreshJob;

// Settings of a server `name` on a dataset and a checkpoint.
config::v1::EmbeddingConfig Settings(const fs::path& dir,
                                     const std::string& name,
                                     const testing::SmallDataset& data) {
  config::v1::EmbeddingConfig config;
  config.set_state_dir((dir / name / "state").string());
  config.set_snapshot_dir((dir / name / "snapshots").string());
  config.set_checkpoint((dir / "checkpoint").string());
  config.set_dataset(data.spec().string());
  config.mutable_embed()->set_precision(config::v1::FP32);
  config.set_threads(1);
  return config;
}

// A server with a state of its own, and its client.
class Server {
 public:
  Server(const fs::path& dir, const std::string& name,
         const testing::SmallDataset& data)
      : server_(testing::Bin("larr_embedding"), Settings(dir, name, data),
                dir / name) {
    Connect();
  }

  void Restart() {
    server_.Restart();
    Connect();
  }

  Program& program() { return server_.program(); }
  v1::EmbeddingService::Stub& stub() { return *stub_; }
  std::string log() const { return server_.log(); }

  RefreshJob Create(const std::string& id) {
    grpc::ClientContext context;
    v1::CreateRefreshJobRequest request;
    request.set_refresh_job_id(id);
    RefreshJob job;
    REQUIRE(stub_->CreateRefreshJob(&context, request, &job).ok());
    return job;
  }
  // Follows a job until `enough`, its end, or the server's.
  RefreshJob Watch(const std::string& name,
                   const std::function<bool(const RefreshJob&)>& enough) {
    grpc::ClientContext context;
    v1::WatchRefreshJobRequest request;
    request.set_name(name);
    const auto stream = stub_->WatchRefreshJob(&context, request);
    RefreshJob job;
    while (stream->Read(&job)) {
      if (enough(job)) break;
    }
    context.TryCancel();
    return job;
  }
  RefreshJob Refresh(const std::string& id) {
    return Watch(Create(id).name(), [](const RefreshJob&) { return false; });
  }

 private:
  void Connect() {
    stub_ = v1::EmbeddingService::NewStub(grpc::CreateChannel(
        server_.address(), grpc::InsecureChannelCredentials()));
  }

  testing::ServerProgram server_;
  std::unique_ptr<v1::EmbeddingService::Stub> stub_;
};

// The number after the last `key=` of a log.
int64_t LastLogged(const std::string& log, const std::string& key) {
  const size_t at = log.rfind(key + "=");
  REQUIRE(at != std::string::npos);
  return std::stoll(log.substr(at + key.size() + 1));
}

// Vectors of the two snapshots agree, up to rounding, on all dishes.
void CheckSameVectors(const std::string& a, const std::string& b, int pois) {
  const auto one = Snapshot::Open(a), two = Snapshot::Open(b);
  REQUIRE((one.ok() && two.ok()));
  for (int p = 0; p < pois; ++p) {
    const std::string id = TextId("<dish>dish" + std::to_string(p) + "</dish>");
    const std::vector<float> x = testing::ReadVector(**one, id);
    const std::vector<float> y = testing::ReadVector(**two, id);
    REQUIRE((x.size() == 128 && y.size() == 128));
    for (int d = 0; d < 128; ++d) {
      REQUIRE(x[d] == Approx(y[d]).epsilon(0.01).margin(1e-3));
    }
  }
}

TEST_CASE("kill -9 in the middle of a refresh costs at most a chunk",
          "[embedding]") {
  const testing::TempDir dir;
  testing::SmallDataset data(dir.path() / "data", 4000);
  testing::WriteTinyEmbedder(dir.path() / "checkpoint",
                             {"taste", "name", "type", "dish", "weather"});

  Server server(dir.path(), "killed", data);
  RefreshJob job = server.Create("first");
  // Killed twice, each time after chunks that it acknowledged.
  int64_t acknowledged = 0;
  for (int kills = 0; kills < 2; ++kills) {
    job = server.Watch(job.name(), [&](const RefreshJob& now) {
      return now.texts_encoded() >= acknowledged + 500;
    });
    server.program().Kill();
    acknowledged = job.texts_encoded();
    INFO(server.log());
    REQUIRE(acknowledged > 0);
    REQUIRE(acknowledged < data.ExpectedTexts());
    server.Restart();
  }
  job = server.Watch(job.name(), [](const RefreshJob&) { return false; });
  INFO(server.log());
  REQUIRE(job.state() == RefreshJob::SUCCEEDED);
  CHECK(job.texts_total() == data.ExpectedTexts());
  CHECK(job.texts_to_encode() == data.ExpectedTexts());
  CHECK(job.texts_encoded() == data.ExpectedTexts());
  CHECK(LastLogged(server.log(), "encoded_before") >= acknowledged);
  CHECK(VerifyArtifact(job.snapshot_path()).ok());

  // The same without a kill: as many tokens, so nothing was encoded twice.
  Server calm(dir.path(), "calm", data);
  const RefreshJob expected = calm.Refresh("first");
  REQUIRE(expected.state() == RefreshJob::SUCCEEDED);
  CHECK(job.tokens_encoded() == expected.tokens_encoded());
  CheckSameVectors(job.snapshot_path(), expected.snapshot_path(), data.pois);

  // A second refresh encodes nothing; one after a change what changed.
  const RefreshJob second = server.Refresh("second");
  REQUIRE(second.state() == RefreshJob::SUCCEEDED);
  CHECK(second.texts_to_encode() == 0);
  data.dish = [](int poi, const std::string&) {
    return (poi < 2 ? "new" : "dish") + std::to_string(poi);
  };
  data.Write();
  const RefreshJob third = server.Refresh("third");
  REQUIRE(third.state() == RefreshJob::SUCCEEDED);
  CHECK(third.texts_to_encode() == 4);
  CHECK(third.texts_encoded() == 4);

  v1::SearchPoisRequest search;
  search.set_scene_text(
      "<name>Place1</name><type>salad</type><dish>new1</dish>");
  v1::SearchPoisResponse found;
  grpc::ClientContext context;
  REQUIRE(server.stub().SearchPois(&context, search, &found).ok());
  REQUIRE(found.results_size() == 10);
  CHECK(found.results(0).poi_id() == "p1");
  CHECK(found.results(0).score() > 0.999);
  CHECK(server.program().Terminate() == 0);
}

TEST_CASE("SIGTERM in the middle of a refresh ends the server cleanly",
          "[embedding]") {
  const testing::TempDir dir;
  const testing::SmallDataset data(dir.path() / "data", 4000);
  testing::WriteTinyEmbedder(dir.path() / "checkpoint", {"taste"});
  Server server(dir.path(), "stopped", data);
  const RefreshJob job = server.Create("a");
  server.Watch(job.name(),
               [](const RefreshJob& now) { return now.texts_encoded() > 0; });
  CHECK(server.program().Terminate() == 0);
  server.Restart();
  const RefreshJob done =
      server.Watch(job.name(), [](const RefreshJob&) { return false; });
  CHECK(done.state() == RefreshJob::SUCCEEDED);
  CHECK(done.texts_encoded() == data.ExpectedTexts());
}

TEST_CASE("SIGTERM during larr_embedding's start stops it in order",
          "[embedding]") {
  const testing::TempDir dir;
  testing::WriteTinyEmbedder(dir.path() / "checkpoint", {"taste"});
  config::v1::EmbeddingConfig config;
  config.mutable_server()->set_listen("127.0.0.1:0");
  config.set_state_dir((dir.path() / "state").string());
  config.set_snapshot_dir((dir.path() / "snapshots").string());
  config.set_checkpoint((dir.path() / "checkpoint").string());
  config.set_dataset((dir.path() / "dataset.textproto").string());
  config.mutable_embed()->set_precision(config::v1::FP32);
  config.set_threads(1);
  CHECK(testing::TerminateAtStart(
            std::string(std::getenv("LARR_BIN_DIR")) + "/larr_embedding",
            ToTextProto(config), dir.path()) == 0);
}

TEST_CASE("larr_embedding says what is wrong with its settings",
          "[embedding]") {
  const testing::TempDir dir;
  const auto config = dir.path() / "c.textproto";
  REQUIRE(WriteFileAtomically(config,
                              "server { listen: '127.0.0.1:0' } "
                              "state_dir: '/s' snapshot_dir: '/n' "
                              "checkpoint: '/none' dataset: '/d'")
              .ok());
  const auto log = dir.path() / "log";
  Program program({std::string(std::getenv("LARR_BIN_DIR")) + "/larr_embedding",
                   "--config", config.string()},
                  log.string());
  CHECK(program.Wait() == 1);
  CHECK(ReadFile(log)->find("/none") != std::string::npos);
}

}  // namespace
}  // namespace larr
