// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/grpc_status.h"

#include <catch2/catch.hpp>

namespace larr {

TEST_CASE("Statuses cross the border unchanged", "[rpc]") {
  for (int code = 0; code <= 16; ++code) {
    INFO(code);
    const absl::Status status(static_cast<absl::StatusCode>(code),
                              code == 0 ? "" : "why");
    CHECK(FromGrpc(ToGrpc(status)) == status);
    CHECK(static_cast<int>(ToGrpc(status).error_code()) == code);
  }
}

}  // namespace larr
