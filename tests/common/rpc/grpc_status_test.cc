// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/grpc_status.h"

#include <catch2/catch.hpp>
#include <string>

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

TEST_CASE("An answer fills the response, an error leaves it", "[rpc]") {
  std::string response = "before";
  const absl::StatusOr<std::string> error = absl::NotFoundError("why");
  CHECK(Fill(error, &response) == error.status());
  CHECK(response == "before");
  CHECK(Fill(absl::StatusOr<std::string>("after"), &response).ok());
  CHECK(response == "after");
}

}  // namespace larr
