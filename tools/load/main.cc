// SPDX-License-Identifier: Apache-2.0
//
// larr_load: an open-loop load generator for the scoring server.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "tools/load/load.h"
#include "tools/load/options.h"

int main(int argc, char** argv) {
  constexpr int kExitUsage = 2;
  larr::load::LoadOptions options;
  CLI::App app(
      "Sends calls to a scoring server as users would, and says how they were "
      "answered.",
      "larr_load");
  larr::load::AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // --help comes this way, too
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // lines, into a pipe, too
  const absl::Status status = larr::load::RunLoad(options);
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_load: {}\n", std::string(status.message()));
  return absl::IsInvalidArgument(status) ? kExitUsage : EXIT_FAILURE;
}
