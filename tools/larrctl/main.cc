// SPDX-License-Identifier: Apache-2.0
//
// larrctl: training runs, models, embeddings, scores and serving from a shell.
#include <fmt/format.h>

#include <cstdio>

#include "tools/larrctl/commands.h"

int main(int argc, char** argv) {
  CLI::App app("Controls the LARR services.", "larrctl");
  larr::ctl::Session session;
  larr::ctl::AddCommands(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // --help comes this way, too
    return app.exit(error) == 0 ? larr::ctl::kExitOk : larr::ctl::kExitUsage;
  }
  const absl::Status status = session.action();
  if (!status.ok()) {
    fmt::print(stderr, "larrctl: {}\n", std::string(status.message()));
  }
  return larr::ctl::ToExitCode(status);
}
