// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/stage_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "common/base/child_signals.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

// "<attempt> <pid> <log offset>\n", each of a fixed width: one write replaces
// a record wholly.
constexpr char kRecordFormat[] = "{:010d} {:010d} {:019d}\n";
constexpr size_t kRecordSize = 42;
constexpr size_t kPidBegin = 11;
constexpr size_t kPidDigits = 10;
constexpr int kLockFdOfChild = 3;

// Opens above the numbers that a child's own descriptors take.
absl::StatusOr<int> OpenHigh(const std::filesystem::path& path, int flags) {
  const int low = open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (low < 0) return ErrnoStatus("cannot open", path);
  const int high = fcntl(low, F_DUPFD_CLOEXEC, kLockFdOfChild + 1);
  const absl::Status status = ErrnoStatus("cannot open", path);
  close(low);
  if (high < 0) return status;
  return high;
}

std::vector<std::string> MergedEnvironment(
    const std::vector<std::string>& added) {
  std::vector<std::string> merged = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    if (std::none_of(added.begin(), added.end(),
                     [&](const auto& a) { return a.starts_with(name); })) {
      merged.emplace_back(text);
    }
  }
  return merged;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the child needs, made ready before the fork: between fork and exec only
// async-signal-safe calls are allowed, since other threads may hold any lock.
struct ChildPlan {
  char* const* arguments;
  char* const* environment;
  int lock_fd;
  int log_fd;
  int null_fd;
  char* record;  // kRecordSize characters
  const char* error_line;
};

// A stage goes on from its checkpoint, a server next to it does not: where
// memory is short, the kernel shall take the stage.
void OfferMemory() {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = write(fd, "500", 3);
  close(fd);
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  setpgid(0, 0);
  OfferMemory();
  pid_t pid = getpid();
  for (size_t i = kPidBegin + kPidDigits; i > kPidBegin; --i) {
    plan.record[i - 1] = static_cast<char>('0' + pid % 10);
    pid /= 10;
  }
  if (pwrite(plan.lock_fd, plan.record, kRecordSize, 0) != kRecordSize) {
    _exit(127);
  }
  TakeSignals();
  dup2(plan.null_fd, STDIN_FILENO);
  dup2(plan.log_fd, STDOUT_FILENO);
  dup2(plan.log_fd, STDERR_FILENO);
  dup2(plan.lock_fd, kLockFdOfChild);
  closefrom(kLockFdOfChild + 1);
  execve(plan.arguments[0], plan.arguments, plan.environment);
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, plan.error_line, strlen(plan.error_line));
  _exit(127);
}

}  // namespace

absl::StatusOr<ProcessLock> ProcessLock::Open(
    const std::filesystem::path& path) {
  LARR_ASSIGN_OR_RETURN(const int fd, OpenHigh(path, O_RDWR | O_CREAT));
  return ProcessLock(fd, path);
}

ProcessLock::ProcessLock(ProcessLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

ProcessLock::~ProcessLock() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<bool> ProcessLock::TryLock() const {
  if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return ErrnoStatus("the file system of state_dir cannot lock", path_);
}

ProcessRecord ProcessLock::Read() const {
  char text[kRecordSize + 1] = {};
  if (pread(fd_, text, kRecordSize, 0) != kRecordSize) return {};
  ProcessRecord record;
  long long offset = 0;
  if (sscanf(text, "%d %d %lld", &record.attempt, &record.pid, &offset) != 3) {
    return {};
  }
  record.log_offset = offset;
  return record;
}

absl::StatusOr<ProcessRecord> ProcessLock::Spawn(
    const ChildOptions& options) const {
  LARR_ASSIGN_OR_RETURN(const int log_fd,
                        OpenHigh(options.log, O_WRONLY | O_CREAT | O_APPEND));
  const auto null_fd = OpenHigh("/dev/null", O_RDONLY);
  if (!null_fd.ok()) {
    close(log_fd);
    return null_fd.status();
  }
  ProcessRecord started{.attempt = options.attempt};
  started.log_offset = lseek(log_fd, 0, SEEK_END);
  std::string record =
      fmt::format(kRecordFormat, started.attempt, 0, started.log_offset);
  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = MergedEnvironment(options.environment);
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const std::string error_line = fmt::format(
      "error: cannot run {}; is `stage_program` the path of a program?\n",
      arguments[0]);
  const ChildPlan plan{argument_pointers.data(),
                       environment_pointers.data(),
                       fd_,
                       log_fd,
                       *null_fd,
                       record.data(),
                       error_line.c_str()};
  {
    const HeldSignals held;
    started.pid = fork();
    if (started.pid == 0) RunChild(plan);
  }
  const absl::Status status = ErrnoStatus("cannot start", arguments[0]);
  close(log_fd);
  close(*null_fd);
  if (started.pid < 0) return status;
  setpgid(started.pid, started.pid);  // Whoever comes first, parent or child.
  return started;
}

std::optional<ChildExit> ReapChild(pid_t pid) {
  siginfo_t info = {};
  // The zombie stays, so that its number still means its group.
  if (waitid(P_PID, static_cast<id_t>(pid), &info,
             WEXITED | WNOHANG | WNOWAIT) != 0) {
    return ChildExit{.signal = SIGKILL};  // Not our child: nothing is known.
  }
  if (info.si_pid == 0) return std::nullopt;
  kill(-pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  if (info.si_code == CLD_EXITED) return ChildExit{.status = info.si_status};
  return ChildExit{.signal = info.si_status};
}

std::string LastLogLine(const std::filesystem::path& log, int64_t offset) {
  constexpr int64_t kTail = 64 << 10;  // A message may name all columns.
  std::ifstream in(log, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const auto size = static_cast<int64_t>(in.tellg());
  const int64_t begin = std::max(offset, size - kTail);
  if (begin >= size) return "";
  std::string tail(static_cast<size_t>(size - begin), '\0');
  in.seekg(begin);
  in.read(tail.data(), size - begin);
  const size_t end = tail.find_last_not_of("\r\n\t ");
  if (end == std::string::npos) return "";
  const size_t newline = tail.rfind('\n', end);
  const size_t start = newline == std::string::npos ? 0 : newline + 1;
  return tail.substr(start, end + 1 - start);
}

}  // namespace larr
