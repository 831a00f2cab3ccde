// SPDX-License-Identifier: Apache-2.0
//
// What is refused before a call; that calls pass: server_credentials_test.cc.
#include "common/rpc/client_security.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("Files of a client that do not go together are refused", "[rpc]") {
  const testing::TempDir dir;
  const std::string file = dir.path() / "file";
  REQUIRE(WriteFileAtomically(file, "a-token-that-is-long").ok());
  const auto dial = [](const std::string& address,
                       const ClientSecurity& security) {
    return std::string(Dial(address, security).status().message());
  };
  const std::string here = "127.0.0.1:1", away = "10.0.0.1:1";
  CHECK(dial(away, {}).empty());
  CHECK(dial(here, {.token_file = file}).empty());
  CHECK_THAT(dial(here, {.ca_file = file, .key_file = file}),
             Catch::Contains("LARR_TLS_CERT and LARR_TLS_KEY"));
  CHECK_THAT(dial(here, {.certificate_file = file, .key_file = file}),
             Catch::Contains("LARR_TLS_CA"));
  CHECK_THAT(dial(here, {.server_name = "name"}),
             Catch::Contains("LARR_TLS_CA"));
  CHECK_THAT(dial(here, {.ca_file = "/nowhere"}), Catch::Contains("/nowhere"));
  CHECK_THAT(dial(here, {.token_file = "/nowhere"}),
             Catch::Contains("/nowhere"));
  const std::string windows = dir.path() / "windows";
  REQUIRE(WriteFileAtomically(windows, "a-token-that-is-long\r\n").ok());
  CHECK_THAT(
      dial(here, {.token_file = windows}),
      Catch::Contains("plain line end") && !Catch::Contains("a-token-that"));
  CHECK_THAT(dial(away, {.token_file = file}),
             Catch::Contains("plain text would show the token") &&
                 !Catch::Contains("a-token-that"));
}

TEST_CASE("The environment tells a client's files", "[rpc]") {
  const char* const names[] = {"LARR_TLS_CA", "LARR_TLS_CERT", "LARR_TLS_KEY",
                               "LARR_TLS_NAME", "LARR_TOKEN_FILE"};
  for (const char* name : names) setenv(name, name, 1);
  const ClientSecurity set = ClientSecurity::FromEnvironment();
  CHECK(set.ca_file == "LARR_TLS_CA");
  CHECK(set.certificate_file == "LARR_TLS_CERT");
  CHECK(set.key_file == "LARR_TLS_KEY");
  CHECK(set.server_name == "LARR_TLS_NAME");
  CHECK(set.token_file == "LARR_TOKEN_FILE");
  for (const char* name : names) unsetenv(name);
  CHECK(ClientSecurity::FromEnvironment().ca_file.empty());
}

}  // namespace
}  // namespace larr
