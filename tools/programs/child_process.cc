// SPDX-License-Identifier: Apache-2.0
#include "tools/programs/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "common/base/child_signals.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "tools/programs/interrupts.h"

namespace larr::programs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr auto kPoll = milliseconds(50);
constexpr auto kStopGrace = seconds(20);

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Exec(char* const* argv, const char* log, const char* output,
                       pid_t parent) {
  setpgid(0, 0);  // Ctrl-C is for our parent, which stops us in order.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(125);  // It died before we asked.
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

std::filesystem::path ProgramBeside(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

std::string LogTail(const std::filesystem::path& log) {
  constexpr size_t kLines = 3;
  std::ifstream in(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
    if (lines.size() > kLines) lines.erase(lines.begin());
  }
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

absl::StatusOr<ChildProcess> ChildProcess::Start(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command.words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const std::string log = command.log.string();
  const std::string output = command.output.string();
  signal(SIGCHLD, SIG_DFL);  // Ignored, it would hide how a child ended.
  const HeldSignals held;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Exec(argv.data(), log.c_str(), output.c_str(), parent);
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
      : WEXITSTATUS(wait_status_) == 126
          ? "cannot open its log or output"
          : fmt::format("failed with status {}", WEXITSTATUS(wait_status_));
  return absl::AbortedError(fmt::format("{} {} (log: {}){}", program, how,
                                        command_.log.string(),
                                        LogTail(command_.log)));
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

}  // namespace larr::programs
