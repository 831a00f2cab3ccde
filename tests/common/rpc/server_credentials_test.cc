// SPDX-License-Identifier: Apache-2.0
//
// TLS and roles over real sockets, with methods of every kind that services of
// ours have.
#include "common/rpc/server_credentials.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/base/files.h"
#include "common/rpc/client_security.h"
#include "common/rpc/grpc_server.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/health_client.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/testing/certificates.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::ServerConfig;
using scoring::v1::ScoringAdminService;
using scoring::v1::ScoringService;

// A raw callback method and a synchronous one.
class SomeScoring : public ScoringService::WithRawCallbackMethod_Score<
                        ScoringService::Service> {
 public:
  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer*,
                                  grpc::ByteBuffer* response) override {
    ++calls;
    const grpc::Slice nothing;
    *response = grpc::ByteBuffer(&nothing, 1);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::Status GetServingState(grpc::ServerContext*,
                               const scoring::v1::GetServingStateRequest*,
                               scoring::v1::ServingState*) override {
    ++calls;
    return grpc::Status::OK;
  }
  std::atomic<int> calls = 0;
};

// A callback method.
class SomeAdmin : public ScoringAdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetArms(grpc::CallbackServerContext* context,
                                    const scoring::v1::GetArmsRequest*,
                                    scoring::v1::Arms*) override {
    ++calls;
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::atomic<int> calls = 0;
};

grpc::ChannelArguments OwnConnection() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

std::shared_ptr<grpc::Channel> MustDial(const std::string& address,
                                        const ClientSecurity& security) {
  const auto channel = Dial(address, security, OwnConnection());
  REQUIRE(channel.ok());
  return *channel;
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
}

absl::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  SetDeadline(context);
  scoring::v1::ScoreResponse response;
  return FromGrpc(
      ScoringService::NewStub(channel)->Score(&context, {}, &response));
}

absl::Status CallSync(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  SetDeadline(context);
  scoring::v1::ServingState state;
  return FromGrpc(
      ScoringService::NewStub(channel)->GetServingState(&context, {}, &state));
}

absl::Status CallAdmin(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  SetDeadline(context);
  scoring::v1::Arms arms;
  return FromGrpc(
      ScoringAdminService::NewStub(channel)->GetArms(&context, {}, &arms));
}

constexpr const char* kHere = "DNS:localhost,IP:127.0.0.1";

// A server's folder of certificates and tokens, and the server.
struct World {
  testing::TempDir dir;
  testing::CertificateAuthority ca{dir.path(), "ca"};
  testing::KeyPair pair = ca.Issue("server", kHere);
  SomeScoring scoring;
  SomeAdmin admin;
  ServerConfig config;
  std::shared_ptr<prometheus::Registry> registry =
      std::make_shared<prometheus::Registry>();
  std::unique_ptr<GrpcServer> server;

  void UseTls(bool ask_clients) {
    config.mutable_tls()->set_certificate_chain_file(pair.certificate);
    config.mutable_tls()->set_private_key_file(pair.key);
    if (ask_clients) config.mutable_tls()->set_client_ca_file(ca.certificate());
  }
  std::string WriteToken(const std::string& role) const {
    const std::string path = dir.path() / ("token_" + role);
    REQUIRE(WriteFileAtomically(path, "token-of-role-" + role + "\n").ok());
    return path;
  }
  void Start() {
    config.set_listen("127.0.0.1:0");
    GrpcServerOptions options;
    options.services = {&scoring};
    options.admin_services = {&admin};
    options.admin_listen = "127.0.0.1:0";
    options.score_methods = {"/larr.scoring.v1.ScoringService/"};
    options.metrics = registry;
    auto started = GrpcServer::Start(config, std::move(options));
    INFO(started.status().ToString());
    REQUIRE(started.ok());
    server = *std::move(started);
  }
  std::string Metrics() const { return testing::MetricsText(*registry); }
  // Days until the certificate of new connections ends, rounded.
  int64_t CertificateDays() const {
    const std::string text = Metrics();
    const std::string name = "\nlarr_rpc_certificate_end_timestamp_seconds ";
    const size_t at = text.find(name);
    REQUIRE(at != std::string::npos);
    const absl::Time end =
        absl::FromUnixSeconds(std::stoll(text.substr(at + name.size())));
    return (end - absl::Now() + absl::Hours(12)) / absl::Hours(24);
  }
  absl::Status Call(const ClientSecurity& security) const {
    return CallSync(MustDial(server->address(), security));
  }
};

void Copy(const std::string& from, const std::string& to) {
  REQUIRE(WriteFileAtomically(to, *ReadFile(from)).ok());
}

TEST_CASE("A port with TLS answers those who know its CA", "[rpc]") {
  World world;
  const testing::CertificateAuthority other(world.dir.path(), "other_ca");
  world.UseTls(false);
  world.Start();
  CHECK(world.Call({.ca_file = world.ca.certificate()}).ok());
  CHECK(CallAdmin(MustDial(world.server->admin_address(),
                           {.ca_file = world.ca.certificate()}))
            .ok());
  CHECK(
      world
          .Call({.ca_file = world.ca.certificate(), .server_name = "localhost"})
          .ok());
  CHECK(CheckHealth(world.server->address(), std::chrono::seconds(20), "",
                    {.ca_file = world.ca.certificate()})
            .ok());
  CHECK(absl::IsUnavailable(world.Call({})));
  CHECK(absl::IsUnavailable(world.Call({.ca_file = other.certificate()})));
  CHECK(absl::IsUnavailable(world.Call(
      {.ca_file = world.ca.certificate(), .server_name = "elsewhere"})));
}

TEST_CASE("A port that asks for certificates answers those of its CA alone",
          "[rpc]") {
  World world;
  const testing::CertificateAuthority other(world.dir.path(), "other_ca");
  const auto client = world.ca.Issue("client", "DNS:client.example");
  const auto stranger = other.Issue("stranger", "DNS:client.example");
  world.UseTls(true);
  world.Start();
  const std::string& ca = world.ca.certificate();
  CHECK(world
            .Call({.ca_file = ca,
                   .certificate_file = client.certificate,
                   .key_file = client.key})
            .ok());
  CHECK(absl::IsUnavailable(world.Call({.ca_file = ca})));
  CHECK(
      absl::IsUnavailable(world.Call({.ca_file = ca,
                                      .certificate_file = stranger.certificate,
                                      .key_file = stranger.key})));
  CHECK(world.scoring.calls == 1);
}

TEST_CASE("Replaced certificates serve new connections once they are right",
          "[rpc]") {
  World world;
  const testing::CertificateAuthority other(world.dir.path(), "other_ca");
  const auto next = other.Issue("next", kHere, /*days=*/30);
  world.UseTls(false);
  world.Start();
  CHECK(world.CertificateDays() == 2);
  const ClientSecurity knows_old{.ca_file = world.ca.certificate()};
  const ClientSecurity knows_new{.ca_file = other.certificate()};
  const auto open = MustDial(world.server->address(), knows_old);
  REQUIRE(CallSync(open).ok());

  const std::string certificate = *ReadFile(next.certificate);
  SECTION("a file that is cut off") {
    REQUIRE(WriteFileAtomically(world.pair.certificate,
                                certificate.substr(0, certificate.size() / 2))
                .ok());
  }
  SECTION("a certificate of another key") {
    Copy(next.certificate, world.pair.certificate);
  }
  SECTION("a key that is gone") { std::filesystem::remove(world.pair.key); }
  CHECK(world.Call(knows_old).ok());
  CHECK(absl::IsUnavailable(world.Call(knows_new)));
  CHECK(world.CertificateDays() == 2);

  Copy(next.certificate, world.pair.certificate);
  Copy(next.key, world.pair.key);
  CHECK(world.Call(knows_new).ok());
  CHECK(world.CertificateDays() == 30);
  CHECK(absl::IsUnavailable(world.Call(knows_old)));
  CHECK(CallSync(open).ok());  // as it was
  CHECK(CallAdmin(MustDial(world.server->admin_address(), knows_new)).ok());
}

TEST_CASE("Clients of a replaced CA are let in, those of the old one no more",
          "[rpc]") {
  World world;
  const std::string ca_file = world.dir.path() / "trusted.pem";
  Copy(world.ca.certificate(), ca_file);
  const testing::CertificateAuthority other(world.dir.path(), "other_ca");
  const auto old_client = world.ca.Issue("old_client", "DNS:a");
  const auto new_client = other.Issue("new_client", "DNS:a");
  world.UseTls(true);
  world.config.mutable_tls()->set_client_ca_file(ca_file);
  world.Start();
  const auto call = [&](const testing::KeyPair& pair) {
    return world.Call({.ca_file = world.ca.certificate(),
                       .certificate_file = pair.certificate,
                       .key_file = pair.key});
  };
  CHECK(call(old_client).ok());
  CHECK_FALSE(call(new_client).ok());
  Copy(other.certificate(), ca_file);
  CHECK_FALSE(call(old_client).ok());
  CHECK(call(new_client).ok());
}

TEST_CASE("Tokens open methods of every kind, with TLS and without", "[rpc]") {
  World world;
  auto& access = *world.config.mutable_access();
  const std::string score = world.WriteToken("score");
  const std::string admin = world.WriteToken("admin");
  const std::string unknown = world.WriteToken("nobody");
  access.mutable_score()->add_token_files(score);
  access.mutable_admin()->add_token_files(admin);
  ClientSecurity security;
  SECTION("plain text") {}
  SECTION("TLS") {
    world.UseTls(false);
    security.ca_file = world.ca.certificate();
  }
  world.Start();
  const auto dial = [&](const std::string& token, bool to_admin) {
    security.token_file = token;
    return MustDial(
        to_admin ? world.server->admin_address() : world.server->address(),
        security);
  };
  for (const std::string& token : {std::string(), unknown}) {
    CAPTURE(token);
    CHECK(absl::IsUnauthenticated(CallRaw(dial(token, false))));
    CHECK(absl::IsUnauthenticated(CallSync(dial(token, false))));
    CHECK(absl::IsUnauthenticated(CallAdmin(dial(token, true))));
  }
  const absl::Status denied = CallAdmin(dial(score, true));
  CHECK(absl::IsPermissionDenied(denied));
  CHECK_THAT(std::string(denied.message()),
             Catch::Contains("asks for the role `admin`"));
  CHECK(world.scoring.calls == 0);
  CHECK(world.admin.calls == 0);
  CHECK_THAT(world.Metrics(),
             Catch::Contains("{code=\"UNAUTHENTICATED\"} 6") &&
                 Catch::Contains("{code=\"PERMISSION_DENIED\"} 1"));
  CHECK(CallRaw(dial(score, false)).ok());
  CHECK(CallSync(dial(score, false)).ok());
  CHECK(CallRaw(dial(admin, false)).ok());
  CHECK(CallAdmin(dial(admin, true)).ok());
  // Health is for everybody.
  security.token_file.clear();
  CHECK(CheckHealth(world.server->address(), std::chrono::seconds(20), "",
                    security)
            .ok());
}

TEST_CASE("Names in certificates give roles", "[rpc]") {
  World world;
  auto& access = *world.config.mutable_access();
  access.mutable_score()->add_certificate_names("backend.example");
  access.mutable_admin()->add_certificate_names("operator");
  world.UseTls(true);
  world.Start();
  const auto dial = [&](const std::string& name, const std::string& alternative,
                        bool to_admin) {
    const auto pair = world.ca.Issue(name, alternative);
    return MustDial(
        to_admin ? world.server->admin_address() : world.server->address(),
        {.ca_file = world.ca.certificate(),
         .certificate_file = pair.certificate,
         .key_file = pair.key});
  };
  CHECK(CallRaw(dial("b1", "DNS:x.example,DNS:backend.example", false)).ok());
  CHECK(absl::IsPermissionDenied(
      CallAdmin(dial("b2", "DNS:backend.example", true))));
  CHECK(CallAdmin(dial("operator", "DNS:x.example", true)).ok());
  CHECK(absl::IsUnauthenticated(
      CallRaw(dial("b3", "DNS:not.backend.example", false))));
}

// Prints what a check of a token costs: `-s "What a token costs"`.
TEST_CASE("What a token costs a call", "[.long]") {
  using Clock = std::chrono::steady_clock;
  World open, guarded;
  guarded.config.mutable_access()->mutable_score()->add_token_files(
      guarded.WriteToken("score"));
  open.Start();
  guarded.Start();
  const std::shared_ptr<grpc::Channel> channels[] = {
      MustDial(open.server->address(), {}),
      MustDial(guarded.server->address(),
               {.token_file = guarded.WriteToken("score")})};
  std::vector<double> microseconds[2];
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 2; ++i) {
      const auto begun = Clock::now();
      for (int call = 0; call < 500; ++call) REQUIRE(CallRaw(channels[i]).ok());
      const std::chrono::duration<double, std::micro> took =
          Clock::now() - begun;
      microseconds[i].push_back(took.count() / 500);
    }
  }
  for (auto& each : microseconds) std::ranges::sort(each);
  WARN("microseconds a call, median of 20 rounds: open "
       << microseconds[0][10] << ", with a token " << microseconds[1][10]);
}

TEST_CASE("A server whose files are wrong does not start", "[rpc]") {
  World world;
  world.UseTls(false);
  world.config.mutable_tls()->set_private_key_file(world.ca.certificate());
  world.config.set_listen("127.0.0.1:0");
  const auto refused =
      GrpcServer::Start(world.config, {.services = {&world.scoring}});
  CHECK(absl::IsInvalidArgument(refused.status()));
  CHECK_THAT(std::string(refused.status().message()),
             Catch::Contains("server.tls.private_key_file"));
  CHECK(CheckServerConfig(world.config, "") == refused.status());
}

}  // namespace
}  // namespace larr
