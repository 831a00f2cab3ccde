// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/base/child_signals.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr auto kPoll = milliseconds(50);
constexpr auto kStopGrace = seconds(20);
constexpr auto kStartTime = seconds(180);
constexpr auto kEarlierTime = seconds(30);

volatile sig_atomic_t interrupted = 0;

void OnSignal(int) { interrupted = 1; }

// The last lines of a text file, for messages.
std::string Tail(const std::filesystem::path& path) {
  constexpr size_t kLines = 3;
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
    if (lines.size() > kLines) lines.erase(lines.begin());
  }
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

// A process whose command ends in `--config config`; 0 if there is none.
pid_t FindServer(const std::filesystem::path& config) {
  const std::string end =
      fmt::format("--config{0}{1}{0}", '\0', config.string());
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

absl::Status AwaitEarlier(const std::filesystem::path& config) {
  const auto deadline = Clock::now() + kEarlierTime;
  bool told = false;
  while (const pid_t earlier = FindServer(config)) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    if (Clock::now() > deadline) {
      return absl::FailedPreconditionError(fmt::format(
          "another demo's server (process {}) runs on {}: end it, or choose "
          "another folder with --out",
          earlier, config.string()));
    }
    if (!told) fmt::print("waiting for the server of an earlier demo to end\n");
    told = true;
    std::this_thread::sleep_for(kPoll);
  }
  return absl::OkStatus();
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Exec(char* const* argv, const char* log, const char* output) {
  setpgid(0, 0);  // Ctrl-C is for the demo, which then stops us in order.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  TakeSignals();
  const int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int out_fd = output[0] == '\0'
                         ? log_fd
                         : open(output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int in_fd = open("/dev/null", O_RDONLY);
  if (log_fd < 0 || out_fd < 0 || in_fd < 0 || dup2(in_fd, 0) < 0 ||
      dup2(out_fd, 1) < 0 || dup2(log_fd, 2) < 0) {
    _exit(126);
  }
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

void ForgetInterrupt() { interrupted = 0; }

absl::Status CheckInterrupt() {
  if (!Interrupted()) return absl::OkStatus();
  return absl::CancelledError("interrupted");
}

absl::StatusOr<ChildProcess> ChildProcess::Start(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command.words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const std::string log = command.log.string();
  const std::string output = command.output.string();
  const HeldSignals held;
  const pid_t pid = fork();
  if (pid == 0) Exec(argv.data(), log.c_str(), output.c_str());
  if (pid < 0) return ErrnoStatus("cannot start", command.words[0]);
  return ChildProcess(pid, command);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      command_(std::move(other.command_)),
      wait_status_(other.wait_status_) {}

bool ChildProcess::IsRunning() {
  if (pid_ == 0) return false;
  if (waitpid(pid_, &wait_status_, WNOHANG) == 0) return true;
  pid_ = 0;
  return false;
}

absl::Status ChildProcess::Ending() const {
  if (WIFEXITED(wait_status_) && WEXITSTATUS(wait_status_) == 0) {
    return absl::OkStatus();
  }
  const std::string program =
      std::filesystem::path(command_.words[0]).filename().string();
  const std::string how =
      WIFSIGNALED(wait_status_)
          ? fmt::format("was killed by signal {}", WTERMSIG(wait_status_))
      : WEXITSTATUS(wait_status_) == 127
          ? "is missing: build it with `./larr build`"
          : fmt::format("failed with status {}", WEXITSTATUS(wait_status_));
  return absl::AbortedError(fmt::format("{} {} (log: {}){}", program, how,
                                        command_.log.string(),
                                        Tail(command_.log)));
}

absl::Status ChildProcess::Wait(const std::function<void()>& meanwhile) {
  while (IsRunning()) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    if (meanwhile) meanwhile();
    std::this_thread::sleep_for(kPoll);
  }
  return Ending();
}

void ChildProcess::Stop() {
  if (!IsRunning()) return;
  kill(pid_, SIGTERM);
  const auto deadline = Clock::now() + kStopGrace;
  while (IsRunning()) {
    if (Clock::now() > deadline) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(kPoll);
  }
}

absl::Status RunProgram(const Command& command,
                        const std::function<void()>& meanwhile) {
  LARR_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Start(command));
  const absl::Status status = child.Wait(meanwhile);
  child.Stop();
  return status;
}

absl::StatusOr<Server> Server::Start(const std::filesystem::path& program,
                                     const std::filesystem::path& config,
                                     const std::filesystem::path& port_file,
                                     const std::filesystem::path& log) {
  LARR_RETURN_IF_ERROR(AwaitEarlier(config));
  fmt::print("starting {}\n", program.filename().string());
  std::error_code ignored;
  std::filesystem::remove(port_file, ignored);
  LARR_ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Start(
          {.words = {program.string(), "--config", config.string()},
           .log = log}));
  Server server(std::move(process));
  const auto deadline = Clock::now() + kStartTime;
  while (server.process_.IsRunning()) {
    LARR_RETURN_IF_ERROR(CheckInterrupt());
    LARR_ASSIGN_OR_RETURN(const bool ready, server.ReadPortFile(port_file));
    if (ready) return server;
    if (Clock::now() > deadline) {
      return absl::UnavailableError(fmt::format(
          "{} was not ready after {} s (log: {}){}", program.string(),
          kStartTime.count(), log.string(), Tail(log)));
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

}  // namespace larr::demo
