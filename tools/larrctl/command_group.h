// SPDX-License-Identifier: Apache-2.0
//
// A group of subcommands (`run create`, `run list`, ...) whose options fill one
// struct. It may go once the commands are added: what they need stays.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tools/larrctl/commands.h"

namespace larr::ctl {

template <typename Arguments>
class CommandGroup {
 public:
  using Work = std::function<absl::Status(const Session&, const Arguments&)>;

  // The session must outlive the app.
  CommandGroup(CLI::App& app, Session& session, const std::string& name,
               const std::string& help)
      : session_(session),
        group_(*app.add_subcommand(name, help)->require_subcommand(1)),
        arguments_(std::make_shared<Arguments>()) {}

  // What the options write to.
  Arguments& arguments() { return *arguments_; }

  // Adds a subcommand. `work` is done if it is the one that was chosen.
  CLI::App* Add(const std::string& name, const std::string& help, Work work) {
    CLI::App* command = group_.add_subcommand(name, help);
    command->callback(
        [&session = session_, arguments = arguments_, work = std::move(work)] {
          session.action = [&session, arguments, work] {
            return work(session, *arguments);
          };
        });
    return command;
  }

 private:
  Session& session_;
  CLI::App& group_;
  const std::shared_ptr<Arguments> arguments_;  // Shared with the callbacks.
};

}  // namespace larr::ctl
