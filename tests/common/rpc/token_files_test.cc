// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/token_files.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

constexpr std::chrono::milliseconds kAlways(0);
const std::string kFirst = "first-token-of-a-file";
const std::string kSecond = "second-token-of-a-file";

TEST_CASE("Tokens are those of all lines of all files", "[rpc]") {
  const testing::TempDir dir;
  const std::string a = dir.path() / "a", b = dir.path() / "b";
  REQUIRE(WriteFileAtomically(a, kFirst + "\n\n" + kSecond).ok());
  REQUIRE(WriteFileAtomically(b, "a-token-of-another-file\n").ok());
  const auto tokens = TokenFiles::Open({a, b});
  REQUIRE(tokens.ok());
  for (const std::string& good :
       {kFirst, kSecond, std::string("a-token-of-another-file")}) {
    CHECK((*tokens)->Contains(good));
    CHECK_FALSE((*tokens)->Contains(good + "x"));
    CHECK_FALSE((*tokens)->Contains(good.substr(1)));
  }
  CHECK_FALSE((*tokens)->Contains(""));
}

TEST_CASE("Files without good tokens are refused, and no token is repeated",
          "[rpc]") {
  const testing::TempDir dir;
  const std::string path = dir.path() / "tokens";
  CHECK(absl::IsNotFound(TokenFiles::Open({path}).status()));
  for (const std::string content :
       {"", "\n", "short", "a token with some spaces",
        "a-tab\tin-the-middle"}) {
    CAPTURE(content);
    REQUIRE(WriteFileAtomically(path, content).ok());
    const absl::Status status = TokenFiles::Open({path}).status();
    CHECK(absl::IsInvalidArgument(status));
    const std::string message(status.message());
    CHECK_THAT(message,
               Catch::Contains(path) && Catch::Contains("openssl rand"));
    if (content.size() > 1) CHECK_THAT(message, !Catch::Contains(content));
  }
}

TEST_CASE("A replaced file counts; one that is wrong leaves the old tokens",
          "[rpc]") {
  const testing::TempDir dir;
  const std::string path = dir.path() / "tokens";
  REQUIRE(WriteFileAtomically(path, kFirst).ok());
  const auto tokens = TokenFiles::Open({path}, kAlways);
  REQUIRE(tokens.ok());
  REQUIRE(WriteFileAtomically(path, "short").ok());
  CHECK((*tokens)->Contains(kFirst));
  std::filesystem::remove(path);
  CHECK((*tokens)->Contains(kFirst));
  REQUIRE(WriteFileAtomically(path, kSecond).ok());
  CHECK((*tokens)->Contains(kSecond));
  CHECK_FALSE((*tokens)->Contains(kFirst));
}

TEST_CASE("Files are not looked at for each call", "[rpc]") {
  const testing::TempDir dir;
  const std::string path = dir.path() / "tokens";
  REQUIRE(WriteFileAtomically(path, kFirst).ok());
  const auto tokens = TokenFiles::Open({path}, std::chrono::hours(1));
  REQUIRE(tokens.ok());
  REQUIRE(WriteFileAtomically(path, kSecond).ok());
  CHECK((*tokens)->Contains(kFirst));
}

}  // namespace
}  // namespace larr
