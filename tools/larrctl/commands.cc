// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/commands.h"

#include "tools/larrctl/security_options.h"

namespace larr::ctl {

ExitCode ToExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
      return kExitUnreachable;
    case absl::StatusCode::kDeadlineExceeded:
      return kExitDeadline;
    default:
      return kExitFailed;
  }
}

void AddCommands(CLI::App& app, Session& session) {
  app.require_subcommand(1);
  app.fallthrough();  // global options may follow the subcommand
  app.footer(
      "Exit codes:\n"
      "  0  done\n"
      "  1  failed: refused by the server, or the run or job ended badly\n"
      "  2  wrong usage: the command line, a file or a value\n"
      "  3  the server does not answer or is not ready\n"
      "  4  no answer before the deadline");
  app.add_option("--coordinator", session.coordinator,
                 "Address of the coordinator")
      ->envname("LARR_COORDINATOR")
      ->capture_default_str();
  app.add_option("--embedding", session.embedding,
                 "Address of the embedding service")
      ->envname("LARR_EMBEDDING")
      ->capture_default_str();
  app.add_option("--scoring", session.scoring, "Address of the scoring service")
      ->envname("LARR_SCORING")
      ->capture_default_str();
  app.add_option("--scoring-admin", session.scoring_admin,
                 "Address of the scoring service's admin port")
      ->envname("LARR_SCORING_ADMIN")
      ->capture_default_str();
  AddSecurityOptions(app, session.security);
  app.add_option("--deadline", session.deadline_seconds,
                 "Seconds to wait for an answer; default: 30 for a call, "
                 "no limit for watch and logs")
      ->check(CLI::PositiveNumber);
  app.add_option_function<std::string>(
         "--output,-o",
         [&session](const std::string& form) { session.json = form == "json"; },
         "Form of the output")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_str("text");
  AddRunCommands(app, session);
  AddModelCommands(app, session);
  AddEmbedCommands(app, session);
  AddScoreCommand(app, session);
  AddServingCommands(app, session);
  AddLogCommands(app, session);
  AddDatasetCommands(app, session);
  AddExperimentCommands(app, session);
  AddCompletionCommand(app, session);
}

}  // namespace larr::ctl
