// SPDX-License-Identifier: Apache-2.0
#include "common/base/text_format.h"

#include <catch2/catch.hpp>

#include "larr/config/v1/server.pb.h"

namespace larr {
namespace {

TEST_CASE("Text is read, or its first mistake is named", "[base]") {
  config::v1::ServerConfig config;
  CHECK(ParseTextFormat("listen: 'a:1'", "x", config).empty());
  CHECK(config.listen() == "a:1");
  const std::string error =
      ParseTextFormat("drain_seconds: 1\nlisten 2\nport 3", "x", config);
  CHECK_THAT(error, Catch::StartsWith("x:2:8: ") && !Catch::Contains("x:3"));
  const std::string latin =
      ParseTextFormat("drain_seconds: 1\nlisten: 'gr\xf6\xdf'", "x", config);
  CHECK(latin == "x:2:12: this byte is not UTF-8; save the file as UTF-8");
}

}  // namespace
}  // namespace larr
