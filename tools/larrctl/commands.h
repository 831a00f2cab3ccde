// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of larrctl. Each Add function hangs one group under the
// application; a chosen subcommand leaves its work in Session::action, which
// runs after the whole command line is known to be right.
//
// Ownership:  the Session outlives the application.
// Threads:    one.
// Errors:     an action's status is the program's exit code (see ExitCode).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/client_security.h"

namespace larr::ctl {

// What every subcommand needs: the global options, and the chosen work.
struct Session {
  std::string coordinator = "127.0.0.1:7010";
  std::string embedding = "127.0.0.1:7020";
  std::string scoring = "127.0.0.1:7030";
  std::string scoring_admin = "127.0.0.1:7031";
  ClientSecurity security;
  bool json = false;            // --output=json
  double deadline_seconds = 0;  // 0: 30 s for a call, none for a stream
  std::function<absl::Status()> action;
};

// Exit codes that scripts can rely on; listed in --help.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,       // refused, or the run or job ended badly
  kExitUsage = 2,        // the command line, a file or a value is wrong
  kExitUnreachable = 3,  // the server does not answer, or is not ready
  kExitDeadline = 4,     // no answer in time
};
ExitCode ToExitCode(const absl::Status& status);

// Adds the global options and every group below.
void AddCommands(CLI::App& app, Session& session);

void AddRunCommands(CLI::App& app, Session& session);
void AddModelCommands(CLI::App& app, Session& session);
void AddEmbedCommands(CLI::App& app, Session& session);
void AddScoreCommand(CLI::App& app, Session& session);
void AddServingCommands(CLI::App& app, Session& session);
void AddLogCommands(CLI::App& app, Session& session);
void AddDatasetCommands(CLI::App& app, Session& session);
void AddExperimentCommands(CLI::App& app, Session& session);
void AddCompletionCommand(CLI::App& app, Session& session);

}  // namespace larr::ctl
