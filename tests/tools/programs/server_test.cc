// SPDX-License-Identifier: Apache-2.0
#include "tools/programs/server.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "larr/config/v1/server.pb.h"
#include "tests/testing/temp_dir.h"
#include "tests/tools/programs/script.h"

namespace larr::programs {
namespace {

namespace fs = std::filesystem;
using testing::Script;

TEST_CASE("A server is ready when its port file is there", "[programs]") {
  const testing::TempDir dir;
  const fs::path port = dir.path() / "config.port";
  const fs::path program = Script(dir.path() / "server",
                                  "test $1 = --config && grep -q 127.0.0.1:0 "
                                  "$2 || exit 2\nsleep 0.2\nprintf "
                                  "'127.0.0.1:5\\n127.0.0.1:6\\n' > $2.tmp\nmv "
                                  "$2.tmp " +
                                      port.string() + "\nexec sleep 100\n");
  REQUIRE(WriteFileAtomically(port, "127.0.0.1:9\n").ok());  // of an old one
  auto server = Server::Start(program, config::v1::ScoringConfig(),
                              dir.path() / "config", dir.path() / "log");
  INFO(server.status().ToString());
  REQUIRE(server.ok());
  CHECK(server->address() == "127.0.0.1:5");
  CHECK(server->admin_address() == "127.0.0.1:6");
  CHECK(server->Check().ok());
}

TEST_CASE("A server that ends while it starts says why, at once",
          "[programs]") {
  const testing::TempDir dir;
  const fs::path program =
      Script(dir.path() / "server", "echo no such setting >&2\nexit 1\n");
  const auto begin = std::chrono::steady_clock::now();
  const auto server = Server::Start(program, config::v1::ScoringConfig(),
                                    dir.path() / "config", dir.path() / "log");
  CHECK(absl::IsAborted(server.status()));
  CHECK_THAT(server.status().ToString(), Catch::Contains("no such setting"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("A server of an earlier call is waited for", "[programs]") {
  const testing::TempDir dir;
  const fs::path lock = dir.path() / "lock", log = dir.path() / "log";
  const fs::path settings = dir.path() / "config.textproto";
  const config::v1::CoordinatorConfig config;
  // Only one at a time; it takes a while to end.
  const fs::path program = Script(
      dir.path() / "server",
      "mkdir " + lock.string() +
          " || exit 1\ntrap 'kill $!; sleep 0.5; rmdir " + lock.string() +
          "; exit 0' TERM\necho 127.0.0.1:5 > " +
          (dir.path() / "config.port").string() + "\nsleep 100 & wait\n");
  auto earlier = Server::Start(program, config, settings, log);
  REQUIRE(earlier.ok());
  std::jthread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const Server gone = *std::move(earlier);
  });
  const auto server = Server::Start(program, config, settings, log);
  INFO(server.status().ToString());
  CHECK(server.ok());
}

}  // namespace
}  // namespace larr::programs
