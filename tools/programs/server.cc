// SPDX-License-Identifier: Apache-2.0
#include "tools/programs/server.h"

#include <fmt/format.h>
#include <sys/types.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "tools/programs/interrupts.h"

namespace larr::programs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr auto kStartTime = std::chrono::seconds(180);
constexpr auto kEarlierTime = std::chrono::seconds(30);

// A process whose command ends in `--config settings`; 0 if there is none.
pid_t FindServer(const std::filesystem::path& settings) {
  const std::string end =
      fmt::format("--config{0}{1}{0}", '\0', settings.string());
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto command = ReadFile(entry.path() / "cmdline");
    if (command.ok() && command->ends_with(end)) return std::stoi(name);
  }
  return 0;
}

absl::Status AwaitEarlier(const std::filesystem::path& settings) {
  const auto deadline = Clock::now() + kEarlierTime;
  bool told = false;
  while (const pid_t earlier = FindServer(settings)) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    if (Clock::now() > deadline) {
      return absl::FailedPreconditionError(fmt::format(
          "another call's server (process {}) runs on {}: end it, or choose "
          "another folder with --out",
          earlier, settings.string()));
    }
    if (!told) fmt::print("waiting for the server of an earlier call to end\n");
    told = true;
    std::this_thread::sleep_for(kPoll);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Server> Server::StartOn(const std::string& program,
                                       const std::filesystem::path& settings,
                                       const std::filesystem::path& log) {
  LARR_RETURN_IF_ERROR(AwaitEarlier(settings));
  fmt::print("starting {}\n", program);
  const std::filesystem::path port_file = PortFile(settings);
  std::error_code ignored;
  std::filesystem::remove(port_file, ignored);
  LARR_ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Start({.words = {ProgramBeside(program).string(),
                                     "--config", settings.string()},
                           .log = log}));
  Server server(std::move(process));
  const auto deadline = Clock::now() + kStartTime;
  while (server.process_.IsRunning()) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    LARR_ASSIGN_OR_RETURN(const bool ready, server.ReadPortFile(port_file));
    if (ready) return server;
    if (Clock::now() > deadline) {
      return absl::UnavailableError(
          fmt::format("{} was not ready after {} s (log: {}){}", program,
                      kStartTime.count(), log.string(), LogTail(log)));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return server.Check();
}

absl::StatusOr<bool> Server::ReadPortFile(const std::filesystem::path& path) {
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return false;
  if (!text.ok()) return text.status();
  std::istringstream lines(*text);
  lines >> address_ >> admin_address_;
  return !address_.empty();
}

absl::Status Server::Check() {
  if (process_.IsRunning()) return absl::OkStatus();
  const absl::Status ending = process_.Ending();
  return ending.ok() ? absl::AbortedError("a server ended by itself") : ending;
}

}  // namespace larr::programs
