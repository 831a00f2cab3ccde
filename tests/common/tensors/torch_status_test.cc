// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/torch_status.h"

#include <absl/status/statusor.h>

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE("GuardTorch turns LibTorch's exceptions into statuses") {
  const auto result =
      GuardTorch("adding", []() -> absl::StatusOr<torch::Tensor> {
        return torch::ones({2}) + torch::ones({3});
      });
  CHECK(result.status().code() == absl::StatusCode::kInternal);
  CHECK(result.status().ToString().find("adding: The size of tensor a") !=
        std::string::npos);

  const auto memory = GuardTorch("reserving", []() -> absl::Status {
    torch::empty({int64_t{1} << 56});
    return absl::OkStatus();
  });
  CHECK(memory.code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("GuardTorch passes results through") {
  CHECK(GuardTorch("x", [] { return absl::OkStatus(); }).ok());
  CHECK(*GuardTorch("x", []() -> absl::StatusOr<int> { return 7; }) == 7);
}

}  // namespace
}  // namespace larr
