// SPDX-License-Identifier: Apache-2.0
//
// larr_health ADDRESS [NAME]: exits 0 if the server takes calls; with the name
// `liveness`, if it is alive. For container health checks, where a bigger
// program would be in the way. Of TLS the environment tells: see
// common/rpc/client_security.h.
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "common/rpc/health_client.h"

namespace {

constexpr char kUsage[] =
    "usage: larr_health HOST:PORT [NAME]\n"
    "Exits 0 if the server takes calls; with NAME `liveness`, if it is alive.\n"
    "TLS and a token: LARR_TLS_CA, LARR_TLS_CERT, LARR_TLS_KEY, "
    "LARR_TLS_NAME,\n"
    "LARR_TOKEN_FILE.\n";

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--help" || first == "-h") {
    fmt::print("{}", kUsage);
    return EXIT_SUCCESS;
  }
  // No address begins with a dash: an option is not dialled.
  if ((argc != 2 && argc != 3) || first.starts_with('-')) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  const absl::Status status = larr::CheckHealth(
      argv[1], std::chrono::seconds(3), argc == 3 ? argv[2] : "",
      larr::ClientSecurity::FromEnvironment());
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_health: {}\n", status.ToString());
  return EXIT_FAILURE;
}
