// SPDX-License-Identifier: Apache-2.0
//
// The program larr_scoring itself: started, asked by larrctl, stopped; and
// what it is linked from.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <thread>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "larr/config/v1/server.pb.h"
#include "larr/config/v1/training.pb.h"
#include "services/scoring/call_files.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/server_program.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Bin;
using testing::Outcome;
using testing::Shell;

// A running larr_scoring with ports of its own.
class Scoring {
 public:
  Scoring(const std::filesystem::path& dir, config::v1::ScoringConfig config)
      : server_(Bin("larr_scoring"), WithAdmin(std::move(config)),
                dir / "scoring") {}
  Outcome Larrctl(const std::string& arguments) const {
    return Shell("LARR_SCORING=" + server_.address() +
                 " LARR_SCORING_ADMIN=" + server_.admin_address() + " " +
                 Bin("larrctl") + " " + arguments);
  }
  // What containers ask: is `name` healthy?
  bool IsHealthy(const std::string& name) const {
    return Shell(Bin("larr_health") + " " + server_.address() + " " + name)
               .code == 0;
  }
  testing::Program& program() { return server_.program(); }

 private:
  static config::v1::ScoringConfig WithAdmin(config::v1::ScoringConfig config) {
    config.set_admin_listen("127.0.0.1:0");
    return config;
  }

  testing::ServerProgram server_;
};

// Settings of a server of a model and a snapshot that it makes in `folder`.
config::v1::ScoringConfig MakeConfig(const testing::ScoringWorld& world,
                                     const std::filesystem::path& folder) {
  config::v1::ScoringConfig config;
  config.set_model_path(testing::MakeModel(world, folder, "model"));
  config.set_snapshot_path(world.MakeSnapshot(folder, "snapshot"));
  return config;
}

// Threads of a process.
size_t ThreadCount(pid_t pid) {
  const std::filesystem::directory_iterator tasks(
      "/proc/" + std::to_string(pid) + "/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

// Whether a process has the file open.
bool HasOpen(pid_t pid, const std::filesystem::path& file) {
  std::error_code error;
  for (std::filesystem::directory_iterator
           it("/proc/" + std::to_string(pid) + "/fd", error),
       end;
       !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(it->path(), gone) == file) return true;
  }
  return false;
}

TEST_CASE("larr_scoring serves, switches and stops", "[scoring]") {
  const testing::TempDir dir;
  const testing::ScoringWorld world;
  config::v1::ScoringConfig config = MakeConfig(world, dir.path());
  const std::string other =
      testing::MakeModel(world, dir.path(), "other", {.seed = 2}).string();
  Scoring scoring(dir.path(), config);
  CHECK(
      scoring.IsHealthy(""));  // its model was loaded before it began to serve

  const std::string score =
      "score --user u1 --context rain=dry --context temperature=17.5 "
      "--poi p1,distance=1.5 --poi nowhere -o json";
  const Outcome scored = scoring.Larrctl(score);
  CHECK(scored.code == 0);
  CHECK_THAT(scored.out, Catch::Contains("\"pois\":1"));
  // LibTorch computes on the thread that scores, and makes none of its own.
  std::string many = "score";
  for (int i = 0; i < 1000; ++i) many += " --poi p1";
  CHECK(scoring.Larrctl(many).code == 0);
  const size_t threads = ThreadCount(scoring.program().pid());
  CHECK(scoring.Larrctl(many).code == 0);
  CHECK(ThreadCount(scoring.program().pid()) <= threads);
  const Outcome bad = scoring.Larrctl("score --poi p1 --context wind=3");
  CHECK(bad.code == 2);
  CHECK_THAT(bad.out, Catch::Contains("context[\"wind\"]"));

  const Outcome refused =
      scoring.Larrctl("serving switch --model " + config.snapshot_path());
  CHECK(refused.code == 2);
  CHECK_THAT(refused.out, Catch::Contains("is a `snapshot`"));
  CHECK_THAT(scoring.Larrctl("serving status").out,
             Catch::Contains("model path   " + config.model_path()) &&
                 Catch::Contains("refused      "));
  CHECK(scoring.Larrctl("serving switch --model " + other).code == 0);
  const Outcome status = scoring.Larrctl("serving status");
  CHECK_THAT(status.out, Catch::Contains("model path   " + other) &&
                             !Catch::Contains("refused"));
  CHECK(scoring.Larrctl(score).out != scored.out);
  CHECK(scoring.program().Terminate() == 0);
}

TEST_CASE("The log has nothing of what requests hold", "[scoring]") {
  const testing::TempDir dir;
  const testing::ScoringWorld world;
  config::v1::ScoringConfig config = MakeConfig(world, dir.path());
  setenv("SPDLOG_LEVEL", "trace", 1);
  Scoring scoring(dir.path(), config);
  unsetenv("SPDLOG_LEVEL");
  const char* const calls[] = {
      "score --user key-of-a-user --context rain=dry --poi "
      "key-of-a-poi,distance=1",
      "score --user key-of-a-user --poi p1 --context rain=value-of-a-context",
      "score --user key-of-a-user --poi p1 --context key-of-nothing=1",
      "score --user key-of-a-user --poi p1,distance=value-of-a-poi",
      "score --user key-of-a-user --poi p1 --poi ''"};
  for (const char* call : calls) {
    const Outcome outcome = scoring.Larrctl(call);
    CAPTURE(call, outcome.out);
    CHECK((outcome.code == 0 || outcome.code == 2));
  }
  CHECK(scoring.program().Terminate() == 0);
  const std::string log = *ReadFile(dir.path() / "scoring.log");
  CHECK_THAT(log, Catch::Contains(" I scoring serving address="));
  for (const char* word : {"key-of", "value-of"}) {
    CHECK_THAT(log, !Catch::Contains(word));
  }
}

TEST_CASE("larr_scoring waits for its alias", "[scoring]") {
  const testing::TempDir dir;
  const testing::ScoringWorld world;
  config::v1::ServingBundle bundle;
  bundle.set_model_version("models/small/versions/1");
  bundle.set_model_path(testing::MakeModel(world, dir.path(), "model"));
  bundle.set_snapshot_path(world.MakeSnapshot(dir.path(), "snapshot"));
  bundle.set_fencing_token(1);
  const auto alias = dir.path() / "champion.textproto";
  config::v1::ScoringConfig config;
  config.set_alias_file(alias);
  Scoring scoring(dir.path(), config);
  const Outcome early = scoring.Larrctl("score --poi p1");
  CHECK(early.code == 3);
  CHECK_THAT(early.out, Catch::Contains("no model is loaded"));
  CHECK(scoring.IsHealthy("liveness"));
  for (const char* name : {"", "larr.scoring.v1.ScoringService"}) {
    CAPTURE(name);
    CHECK_FALSE(scoring.IsHealthy(name));
  }
  REQUIRE(WriteFileAtomically(alias, ToTextProto(bundle)).ok());
  Outcome scored;
  CHECK(testing::Eventually([&] {
    scored = scoring.Larrctl("score --poi p1");
    return scored.code == 0;
  }));
  CHECK_THAT(scored.out, Catch::Contains("models/small/versions/1"));
  for (const char* name : {"", "larr.scoring.v1.ScoringService", "liveness"}) {
    CAPTURE(name);
    CHECK(testing::Eventually([&] { return scoring.IsHealthy(name); }));
  }
  CHECK(scoring.program().Terminate() == 0);
}

TEST_CASE("larr_scoring divides users by its arms file and logs calls",
          "[scoring]") {
  const testing::TempDir dir;
  const testing::ScoringWorld world;
  config::v1::ScoringConfig config = MakeConfig(world, dir.path());
  const std::string other =
      testing::MakeModel(world, dir.path(), "other", {.seed = 2}).string();
  const std::string arms_file = dir.path() / "arms.textproto";
  config.set_arms_file(arms_file);
  config.mutable_request_log()->set_folder(dir.path() / "log");
  const std::string arms =
      "salt: 's' arms { name: 'control' } arms { name: "
      "'new' weight: 10000 model_path: '" +
      other + "' snapshot_path: '" + config.snapshot_path() + "' }";
  REQUIRE(WriteFileAtomically(arms_file, arms).ok());
  Scoring scoring(dir.path(), config);
  const std::string score = "score --user u1 --poi p1 -o json";
  CHECK_THAT(scoring.Larrctl(score).out, Catch::Contains("\"arm\":\"new\""));
  CHECK_THAT(scoring.Larrctl("serving status").out,
             Catch::Contains("new      100.00 %") &&
                 Catch::Contains("control  0.00 %"));
  CHECK_THAT(scoring.Larrctl("serving arms").out,
             Catch::Contains("name: \"control\""));

  const auto by_hand = dir.path() / "by_hand.textproto";
  REQUIRE(WriteFileAtomically(by_hand, "salt: 's' arms { name: 'a' }").ok());
  const Outcome refused =
      scoring.Larrctl("serving set-arms " + by_hand.string());
  CHECK(refused.code == 2);
  CHECK_THAT(refused.out, Catch::Contains("give 10000 more to arm `a`"));
  REQUIRE(WriteFileAtomically(by_hand, "").ok());
  CHECK(scoring.Larrctl("serving set-arms " + by_hand.string()).code == 0);
  CHECK_THAT(scoring.Larrctl(score).out,
             Catch::Contains("\"arm\":\"default\""));
  CHECK(scoring.program().Terminate() == 0);

  const auto files = ListCallFiles(config.request_log().folder());
  REQUIRE(files.ok());
  REQUIRE(files->size() == 1);
  auto reader = CallFileReader::Open(files->front());
  REQUIRE(reader.ok());
  for (const char* arm : {"new", "default"}) {
    const auto call = reader->Next();
    REQUIRE((call.ok() && call->has_value()));
    CHECK((*call)->arm() == arm);
    CHECK((*call)->request().user_id() == "u1");
    CHECK((*call)->scores_size() == 1);
  }
  CHECK_FALSE(reader->Next()->has_value());
}

TEST_CASE("SIGTERM during larr_scoring's start stops it in order",
          "[scoring]") {
  const testing::TempDir dir;
  config::v1::ScoringConfig config;
  config.mutable_server()->set_listen("127.0.0.1:0");
  config.set_admin_listen("127.0.0.1:0");
  CHECK(testing::TerminateAtStart(Bin("larr_scoring"), ToTextProto(config),
                                  dir.path()) == 0);
}

TEST_CASE("SIGTERM gives up what larr_scoring is loading", "[scoring]") {
  const testing::TempDir dir;
  const testing::ScoringWorld world;
  // A model that takes hours to read, and no space.
  const std::filesystem::path endless = dir.path() / "endless";
  std::filesystem::create_directories(endless);
  std::ofstream(endless / "weights") << "";
  constexpr int64_t kBytes = int64_t{1} << 40;
  std::filesystem::resize_file(endless / "weights", kBytes);
  config::v1::ArtifactManifest manifest;
  auto& file = *manifest.add_files();
  file.set_path("weights");
  file.set_size_bytes(kBytes);
  file.set_sha256(std::string(64, '0'));
  manifest.set_digest(ManifestDigest(manifest));
  REQUIRE(
      WriteFileAtomically(endless / kManifestName, ToTextProto(manifest)).ok());
  const auto loads = [&](testing::Program& program) {
    return testing::Eventually(
        [&] { return HasOpen(program.pid(), endless / "weights"); });
  };
  config::v1::ScoringConfig config = MakeConfig(world, dir.path());
  SECTION("before it serves") {
    config.set_model_path(endless);
    config.mutable_server()->set_listen("127.0.0.1:0");
    const auto path = dir.path() / "scoring.textproto";
    REQUIRE(WriteFileAtomically(path, ToTextProto(config)).ok());
    testing::Program program({Bin("larr_scoring"), "--config", path},
                             dir.path() / "scoring.log");
    REQUIRE(loads(program));
    CHECK(program.Terminate() == 0);
  }
  SECTION("while it serves, and nothing that was logged is lost") {
    config.mutable_request_log()->set_folder(dir.path() / "log");
    Scoring scoring(dir.path(), config);
    CHECK(scoring.Larrctl("score --user u1 --poi p1").code == 0);
    std::future<Outcome> told = std::async(std::launch::async, [&] {
      return scoring.Larrctl("serving switch --model " + endless.string());
    });
    REQUIRE(loads(scoring.program()));
    CHECK(scoring.Larrctl("score --user u2 --poi p1").code == 0);
    CHECK(scoring.program().Terminate() == 0);
    CHECK_THAT(told.get().out, Catch::Contains("going down"));
    const auto files = ListCallFiles(config.request_log().folder());
    REQUIRE((files.ok() && files->size() == 1));
    auto reader = CallFileReader::Open(files->front());
    REQUIRE(reader.ok());
    for (const char* user : {"u1", "u2"}) {
      const auto call = reader->Next();
      REQUIRE((call.ok() && call->has_value()));
      CHECK((*call)->request().user_id() == user);
    }
  }
  CHECK_THAT(*ReadFile(dir.path() / "scoring.log"),
             !Catch::Contains("bundle_refused"));
}

TEST_CASE("larr_health says how it is called, and dials no option",
          "[scoring]") {
  for (const char* option : {"--help", "-h"}) {
    const Outcome help = Shell(Bin("larr_health") + " " + option);
    CHECK(help.code == 0);
    CHECK_THAT(help.out, Catch::Contains("usage: larr_health HOST:PORT"));
  }
  for (const char* wrong : {"", "--version", "a:1 b c"}) {
    const Outcome refused = Shell(Bin("larr_health") + " " + wrong);
    CAPTURE(wrong);
    CHECK(refused.code == 2);
    CHECK_THAT(refused.out, Catch::Contains("usage: larr_health HOST:PORT"));
  }
}

TEST_CASE("larr_scoring refuses a configuration that cannot work",
          "[scoring]") {
  const testing::TempDir dir;
  const auto path = (dir.path() / "c.textproto").string();
  const std::pair<const char*, const char*> cases[] = {
      {"", "nothing to serve"},
      {"alias_file: 'a' model_path: 'b'", "either alias_file"},
      {"alias_file: 'a'", "server.listen is empty"},
      {"model_path: '/nowhere' snapshot_path: '/nowhere' "
       "server { listen: '127.0.0.1:0' }",
       "/nowhere"},
      // Before a model is loaded.
      {"model_path: '/nowhere' snapshot_path: '/nowhere' "
       "server { listen: '127.0.0.1:0' "
       "tls { certificate_chain_file: '/no.pem' private_key_file: '/k' } }",
       "/no.pem"},
      {"modelpath: 'a'", "c.textproto"},
      {"alias_file: 'a' admission { target_wait_ms: 10001 }",
       "admission.target_wait_ms is 10001"},
      {"alias_file: 'a' admission { default_deadline_ms: -1 }",
       "admission.default_deadline_ms is -1"},
      {"alias_file: 'a' max_request_bytes: 4194304",
       "max_request_bytes is 4194304"},
      {"alias_file: 'a' server { listen: '127.0.0.1:0' shutdown_pause_ms: -1 }",
       "server.shutdown_pause_ms is -1"},
      {"alias_file: 'a' server { listen: '127.0.0.1:0' "
       "limits { max_threads: -1 } }",
       "server.limits.max_threads is -1"}};
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    REQUIRE(WriteFileAtomically(path, text).ok());
    const Outcome outcome = Shell(Bin("larr_scoring") + " --config " + path);
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.out, Catch::Contains(message));
  }
}

TEST_CASE("The example of a configuration is right", "[scoring]") {
  const auto config = LoadTextProto<config::v1::ScoringConfig>(
      std::filesystem::path(std::getenv("LARR_SOURCE_DIR")) /
      "deploy/config/scoring.textproto");
  REQUIRE(config.ok());
  CHECK(config->server().listen() == "127.0.0.1:7030");  // larrctl's defaults
  CHECK(config->admin_listen() == "127.0.0.1:7031");
}

TEST_CASE("larr_scoring does not contain the language model", "[scoring]") {
  const Outcome symbols = Shell("nm -C " + Bin("larr_scoring"));
  REQUIRE(symbols.code == 0);
  CHECK_THAT(symbols.out, Catch::Contains("larr::ScoringService::Score"));
  for (const char* name : {"larr::Decoder", "larr::Tokenizer", "larr::Embedder",
                           "larr_tokenizer", "tokenizers::", "parquet::"}) {
    CAPTURE(name);
    CHECK_THAT(symbols.out, !Catch::Contains(name));
  }
}

}  // namespace
}  // namespace larr
