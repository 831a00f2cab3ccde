// SPDX-License-Identifier: Apache-2.0
//
// A command of the shell, and what came of it.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace larr::testing {

struct Outcome {
  int code = -1;
  std::string out;  // and what was said on stderr
};

// The exit code of a status of wait, system or pclose, or -signal.
inline int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

inline Outcome Shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) {
    outcome.out.append(buffer, n);
  }
  outcome.code = ExitCode(pclose(pipe));
  return outcome;
}

// The path of one of our programs.
inline std::string Bin(const std::string& program) {
  return std::string(std::getenv("LARR_BIN_DIR")) + "/" + program;
}

}  // namespace larr::testing
