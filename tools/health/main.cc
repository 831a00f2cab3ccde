// SPDX-License-Identifier: Apache-2.0
//
// larr_health ADDRESS [NAME]: exits 0 if the server takes calls; with the name
// `liveness`, if it is alive. For container health checks, where a bigger
// program would be in the way. Of TLS the environment tells: see
// common/rpc/client_security.h.
#include <fmt/format.h>

#include <cstdlib>

#include "common/rpc/health_client.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    fmt::print(stderr, "usage: larr_health HOST:PORT [NAME]\n");
    return 2;
  }
  const absl::Status status = larr::CheckHealth(
      argv[1], std::chrono::seconds(3), argc == 3 ? argv[2] : "",
      larr::ClientSecurity::FromEnvironment());
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_health: {}\n", status.ToString());
  return EXIT_FAILURE;
}
