// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/address.h"

#include <catch2/catch.hpp>

namespace larr {

TEST_CASE("Loopback is told from what a network reaches", "[rpc]") {
  for (const char* address : {"127.0.0.1:7031", "127.9.9.9:0", "[::1]:7031",
                              "localhost:7031", "unix:/run/larr.sock"}) {
    CAPTURE(address);
    CHECK(IsLoopback(address));
  }
  for (const char* address :
       {"0.0.0.0:7031", "[::]:7031", "10.0.0.1:7031", "128.0.0.1:7031",
        "127.0.0.1.example:7031", "localhost.example:1", ":7031", ""}) {
    CAPTURE(address);
    CHECK_FALSE(IsLoopback(address));
  }
}

}  // namespace larr
