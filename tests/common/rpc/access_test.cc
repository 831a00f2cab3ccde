// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/access.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::ServerConfig;

constexpr const char* kScore = "/some.v1.Scoring/Score";
constexpr const char* kSwitch = "/some.v1.Admin/Switch";
constexpr const char* kHealth = "/grpc.health.v1.Health/Check";
constexpr const char* kReflection =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

// The role `NAME` has the token `token-of-role-NAME` and the certificate
// `NAME.example`.
struct Roles {
  testing::TempDir dir;
  ServerConfig config;

  Roles() {
    config.mutable_tls()->set_client_ca_file("ca.pem");
    auto& access = *config.mutable_access();
    Fill("score", *access.mutable_score());
    Fill("admin", *access.mutable_admin());
    Fill("metrics", *access.mutable_metrics());
  }
  void Fill(const std::string& name, config::v1::RoleConfig& role) const {
    const auto path = dir.path() / name;
    REQUIRE(WriteFileAtomically(path, "token-of-role-" + name).ok());
    role.add_token_files(path);
    role.add_certificate_names(name + ".example");
  }
  std::unique_ptr<Access> Make() const {
    auto access = Access::Create(config, {"/some.v1.Scoring/"});
    REQUIRE(access.ok());
    return *std::move(access);
  }
};

TEST_CASE("A role opens what is its own, by token and by certificate",
          "[rpc]") {
  const Roles roles;
  const auto access = roles.Make();
  const struct {
    const char* role;
    bool scores, switches, reflects, reads_metrics;
  } cases[] = {{"score", true, false, true, false},
               {"admin", true, true, true, true},
               {"metrics", false, false, true, true}};
  for (const auto& [role, scores, switches, reflects, reads_metrics] : cases) {
    CAPTURE(role);
    const std::string token = std::string("token-of-role-") + role;
    const std::string header = "Bearer " + token;
    const std::string name = std::string(role) + ".example";
    for (const Caller& caller :
         {Caller{{}, header}, Caller{{"else", name}, ""},
          Caller{{name}, "Bearer unknown-token-of-nobody"}}) {
      CHECK(access->Check(kHealth, caller).ok());
      CHECK(access->Check(kScore, caller).ok() == scores);
      CHECK(access->Check(kSwitch, caller).ok() == switches);
      CHECK(access->Check(kReflection, caller).ok() == reflects);
    }
    CHECK(access->MayReadMetrics(token) == reads_metrics);
    const absl::Status denied = access->Check(kSwitch, {{}, header});
    if (!switches) {
      CHECK(absl::IsPermissionDenied(denied));
      CHECK_THAT(std::string(denied.message()),
                 Catch::Contains("asks for the role `admin`") &&
                     Catch::Contains(std::string("has `") + role + "`"));
    }
  }
}

TEST_CASE("Who is not known is told how to become so", "[rpc]") {
  const Roles roles;
  const auto access = roles.Make();
  const std::pair<Caller, const char*> cases[] = {
      {{}, "nothing says who calls"},
      {{{}, "Bearer unknown-token-of-nobody"}, "the token is not known"},
      {{{}, "Basic dG9rZW4tb2Ytcm9sZS1zY29yZQ=="}, "the token is not known"},
      {{{}, "token-of-role-admin"}, "the token is not known"},
      {{{"score.example.net"}, ""}, "names have no role"}};
  for (const auto& [caller, why] : cases) {
    CAPTURE(why);
    CHECK(access->Check(kHealth, caller).ok());
    for (const char* method : {kScore, kSwitch, kReflection, ""}) {
      const absl::Status status = access->Check(method, caller);
      CHECK(absl::IsUnauthenticated(status));
      CHECK_THAT(std::string(status.message()),
                 Catch::Contains(why) && Catch::Contains("server.access.") &&
                     !Catch::Contains("unknown-token"));
    }
  }
  CHECK_FALSE(access->MayReadMetrics(""));
  CHECK_FALSE(access->MayReadMetrics("token-of-role-score"));
}

TEST_CASE("A role may be everybody's, and one that is left out is nobody's",
          "[rpc]") {
  ServerConfig config;
  config.mutable_access()->mutable_score()->set_anyone(true);
  auto access = Access::Create(config, {"/some.v1.Scoring/"});
  REQUIRE(access.ok());
  CHECK((*access)->Check(kScore, {}).ok());
  CHECK_FALSE((*access)->Check(kSwitch, {}).ok());
  CHECK_FALSE((*access)->is_open());
  config.mutable_access()->mutable_admin()->set_anyone(true);
  access = Access::Create(config, {});
  REQUIRE(access.ok());
  CHECK((*access)->Check(kSwitch, {}).ok());
  CHECK((*access)->MayReadMetrics(""));
  CHECK((*access)->is_open());
}

TEST_CASE("Roles that cannot work are refused by name", "[rpc]") {
  Roles roles;
  roles.config.clear_tls();
  auto refused = Access::Create(roles.config, {}).status();
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()),
             Catch::Contains("server.access.score.certificate_names") &&
                 Catch::Contains("server.tls.client_ca_file"));
  ServerConfig config;
  config.mutable_access()->mutable_admin()->add_token_files("/nowhere");
  refused = Access::Create(config, {}).status();
  CHECK(absl::IsNotFound(refused));
  CHECK_THAT(std::string(refused.message()),
             Catch::Contains("server.access.admin.token_files: ") &&
                 Catch::Contains("/nowhere"));
}

}  // namespace
}  // namespace larr
