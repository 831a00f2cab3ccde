// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tools/larrctl/commands.h"

namespace larr::ctl {
namespace {

// One `case` branch for each command: the words that may follow it.
void AddBranches(const CLI::App& app, const std::string& path,
                 std::string& script) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    if (!sub->get_name().empty()) words += sub->get_name() + ' ';
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      words += "--" + name + ' ';
    }
  }
  script += fmt::format("    '{}') words='{}' ;;\n", path, words);
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    if (!sub->get_name().empty()) {
      AddBranches(*sub, path + ' ' + sub->get_name(), script);
    }
  }
}

absl::Status PrintBashCompletion(const CLI::App& app) {
  std::string branches;
  AddBranches(app, app.get_name(), branches);
  fmt::print(
      "_larrctl() {{\n"
      "  local path=larrctl word words=''\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    case $word in -*) ;; *) path+=\" $word\" ;; esac\n"
      "  done\n"
      "  case $path in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$2\"))\n"
      "}}\n"
      "complete -o default -F _larrctl larrctl\n",
      branches);
  return absl::OkStatus();
}

}  // namespace

void AddCompletionCommand(CLI::App& app, Session& session) {
  app.add_subcommand("completion",
                     "Print completion for bash: source <(larrctl completion)")
      ->callback([&app, &session] {
        session.action = [&app] { return PrintBashCompletion(app); };
      });
}

}  // namespace larr::ctl
