// SPDX-License-Identifier: Apache-2.0
//
// haproxy itself, with deploy/haproxy/scoring.cfg, in front of larr_scoring
// itself: every client of ours calls through it with certificates and tokens.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/rpc/client_security.h"
#include "larr/config/v1/server.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/certificates.h"
#include "tests/testing/free_port.h"
#include "tests/testing/server_program.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

using testing::Bin;
using testing::Outcome;
using testing::Shell;

std::string Source(const std::string& path) {
  return std::string(std::getenv("LARR_SOURCE_DIR")) + "/" + path;
}

void Write(const fs::path& path, const std::string& text) {
  REQUIRE(WriteFileAtomically(path, text).ok());
}

// One file of a chain and its key, as haproxy reads them.
void WriteBoth(const fs::path& path, const testing::KeyPair& pair) {
  Write(path, *ReadFile(pair.certificate) + *ReadFile(pair.key));
}

// The commented server of the file in place of the other.
std::string WithTlsBehind(const std::string& text) {
  const std::string plain = "\n  server scoring ",
                    tls = "\n  # server scoring ";
  std::string changed = text;
  const size_t at = changed.find(plain);
  REQUIRE(at != std::string::npos);
  changed.replace(at, plain.size(), "\n  # plain: ");
  const size_t commented = changed.find(tls);
  REQUIRE(commented != std::string::npos);
  return changed.replace(commented, tls.size(), plain);
}

// Certificates, tokens, a scoring server and haproxy in front of it.
class Deployment {
 public:
  explicit Deployment(bool tls_behind) {
    WriteBoth(dir_.path() / "server.pem", ca_.Issue("front", "IP:127.0.0.1"));
    fs::copy_file(ca_.certificate(), dir_.path() / "client_cas.pem");
    Write(dir_.path() / "token", "token-of-the-backend\n");
    Write(dir_.path() / "other_token", "token-of-nobody-known\n");
    StartScoring(tls_behind);
    StartProxy(tls_behind);
  }

  std::string address() const { return front_; }
  std::string token() const { return dir_.path() / "token"; }
  std::string other_token() const { return dir_.path() / "other_token"; }

  // The variables of a client with a certificate, and this token.
  std::string Environment(const std::string& token) const {
    return "LARR_SCORING=" + front_ + " LARR_TLS_CA=" + ca_.certificate() +
           " LARR_TLS_CERT=" + client_.certificate +
           " LARR_TLS_KEY=" + client_.key + " LARR_TOKEN_FILE=" + token + " ";
  }
  std::string WithoutCertificate() const {
    return "LARR_SCORING=" + front_ + " LARR_TLS_CA=" + ca_.certificate() +
           " LARR_TOKEN_FILE=" + token() + " ";
  }
  // A call with this in its metadata.
  grpc::StatusCode ScoreAs(const std::string& key,
                           const std::string& value) const {
    const auto channel = Dial(front_, {.ca_file = ca_.certificate(),
                                       .certificate_file = client_.certificate,
                                       .key_file = client_.key,
                                       .token_file = token()});
    REQUIRE(channel.ok());
    grpc::ClientContext context;
    context.AddMetadata(key, value);
    scoring::v1::ScoreRequest request;
    request.set_user_id("u1");
    request.add_candidates()->set_poi_id("p1");
    scoring::v1::ScoreResponse response;
    return scoring::v1::ScoringService::NewStub(*channel)
        ->Score(&context, request, &response)
        .error_code();
  }
  std::string ProxyLog() const { return *ReadFile(dir_.path() / "proxy.log"); }

 private:
  void StartScoring(bool tls) {
    const testing::Artifacts& shared = testing::SharedArtifacts();
    config::v1::ScoringConfig config;
    config.set_model_path(shared.model);
    config.set_snapshot_path(shared.snapshot);
    auto& server = *config.mutable_server();
    server.mutable_access()->mutable_score()->add_token_files(token());
    if (tls) {
      const auto pair = ca_.Issue("scoring", "DNS:scoring");
      WriteBoth(dir_.path() / "haproxy.pem", ca_.Issue("proxy", "DNS:proxy"));
      fs::copy_file(ca_.certificate(), dir_.path() / "server_cas.pem");
      server.mutable_tls()->set_certificate_chain_file(pair.certificate);
      server.mutable_tls()->set_private_key_file(pair.key);
      server.mutable_tls()->set_client_ca_file(ca_.certificate());
    }
    scoring_ = std::make_unique<testing::ServerProgram>(
        Bin("larr_scoring"), config, dir_.path() / "scoring");
  }
  void StartProxy(bool tls_behind) {
    front_ = "127.0.0.1:" + std::to_string(testing::FreePort());
    std::string text = *ReadFile(Source("deploy/haproxy/scoring.cfg"));
    if (tls_behind) text = WithTlsBehind(text);
    const auto path = dir_.path() / "haproxy.cfg";
    Write(path, text);
    proxy_ = std::make_unique<testing::Program>(
        std::vector<std::string>{"/usr/bin/env", "LARR_FRONT=" + front_,
                                 "LARR_SCORING=" + scoring_->address(),
                                 "LARR_CERTS=" + dir_.path().string(),
                                 "/usr/sbin/haproxy", "-db", "-f", path},
        dir_.path() / "proxy.log");
    const bool answers = testing::Eventually([&] {
      return !proxy_->Lives() ||
             Shell(Environment(token()) + Bin("larr_health") + " " + front_)
                     .code == 0;
    });
    INFO(ProxyLog());
    CHECK(answers);
    REQUIRE(proxy_->Lives());
  }

  const testing::TempDir dir_;
  const testing::CertificateAuthority ca_{dir_.path(), "ca"};
  const testing::KeyPair client_ = ca_.Issue("client", "DNS:client.example");
  std::string front_;
  std::unique_ptr<testing::ServerProgram> scoring_;
  std::unique_ptr<testing::Program> proxy_;
};

// Clients that rank: command lines without their address and what follows it.
std::string Python(const testing::TempDir& stubs) {
  const std::string folder = Source("examples/clients/python/");
  const Outcome made = Shell(folder + "make_stubs.sh " + stubs.path().string());
  INFO(made.out);
  REQUIRE(made.code == 0);
  return "PYTHONPATH=" + stubs.path().string() + " /usr/bin/python3 -B " +
         folder + "score_client.py";
}

void CheckDeployment(const Deployment& deployment) {
  const testing::TempDir stubs;
  const std::string known = deployment.Environment(deployment.token());
  const std::string unknown = deployment.Environment(deployment.other_token());
  for (const std::string& client : {Bin("larr_score_client"), Python(stubs)}) {
    const std::string call = client + " " + deployment.address() + " u1 p1 p2";
    CAPTURE(client);
    const Outcome ranked = Shell(known + call);
    CAPTURE(ranked.out);
    CHECK(ranked.code == 0);
    CHECK_THAT(Shell(unknown + call).out, Catch::Contains("code 16: "));
    CHECK(Shell(deployment.WithoutCertificate() + call).code == 3);
  }
  const std::string larrctl = Bin("larrctl") + " ";
  const Outcome scored = Shell(known + larrctl + "score --user u1 --poi p1");
  CAPTURE(scored.out);
  CHECK(scored.code == 0);
  const Outcome refused = Shell(unknown + larrctl + "score --user u1 --poi p1");
  CHECK(refused.code == 1);
  CHECK_THAT(refused.out, Catch::Contains("the token is not known here") &&
                              Catch::Contains("--token-file"));
  CHECK(Shell(deployment.WithoutCertificate() + larrctl +
              "score --user u1 --poi p1")
            .code == 3);
  // Arms are for testers inside: the name of none does no harm.
  CHECK(deployment.ScoreAs("larr-arm", "nobody") == grpc::StatusCode::OK);
  CHECK(deployment.ScoreAs("larr-priority", "wrong") == grpc::StatusCode::OK);
  // Other services than scoring do not even reach the server.
  const Outcome denied =
      Shell(known + "LARR_COORDINATOR=" + deployment.address() + " " + larrctl +
            "run list");
  CHECK(denied.code == 1);
  CHECK_THAT(denied.out, Catch::Contains("403"));
  // Every call of the load generator is answered.
  const std::string load = known + Bin("larr_load") + " --server " +
                           deployment.address() + " --snapshot " +
                           testing::SharedArtifacts().snapshot +
                           " --candidates 2 --rate 50 --seconds 0.5 --json " +
                           (stubs.path() / "load.json").string();
  const Outcome loaded = Shell(load);
  CAPTURE(loaded.out);
  REQUIRE(loaded.code == 0);
  CHECK_THAT(*ReadFile(stubs.path() / "load.json"),
             Catch::Contains("\"OK\"") && !Catch::Contains("UNAUTHENTICATED"));
}

TEST_CASE("Clients score through haproxy, with plain text behind it",
          "[deploy]") {
  CheckDeployment(Deployment(false));
}

TEST_CASE("Clients score through haproxy, with TLS behind it", "[deploy]") {
  CheckDeployment(Deployment(true));
}

}  // namespace
}  // namespace larr
