// SPDX-License-Identifier: Apache-2.0
//
// One of our servers as a child process, on a port that it finds free.
//
// Threads:    as child_process.h.
// Errors:     kUnavailable        it did not start up in time
//             kAborted            it ended; the message has the end of its log
//             kFailedPrecondition that of another call does not end
//             kCancelled          SIGINT or SIGTERM came
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "tools/programs/child_process.h"

namespace larr::programs {

class Server {
 public:
  // Writes `config`, whose address it fills in, to the file `settings`, starts
  // `program` on it, a name as ProgramBeside() takes it, and waits for its port
  // file, which lies beside the settings. A server that an earlier call of ours
  // started on the same file is waited for first: it may be about to end.
  template <typename Config>
  static absl::StatusOr<Server> Start(const std::string& program, Config config,
                                      const std::filesystem::path& settings,
                                      const std::filesystem::path& log) {
    config.mutable_server()->set_listen("127.0.0.1:0");
    config.mutable_server()->set_port_file(PortFile(settings).string());
    LARR_RETURN_IF_ERROR(WriteFileAtomically(settings, ToTextProto(config)));
    return StartOn(program, settings, log);
  }

  const std::string& address() const { return address_; }
  // Empty if it has none: its settings name the address to listen on.
  const std::string& admin_address() const { return admin_address_; }
  // Why it is gone, or OK.
  absl::Status Check();

 private:
  explicit Server(ChildProcess process) : process_(std::move(process)) {}
  static std::filesystem::path PortFile(std::filesystem::path settings) {
    return settings.replace_extension(".port");
  }
  static absl::StatusOr<Server> StartOn(const std::string& program,
                                        const std::filesystem::path& settings,
                                        const std::filesystem::path& log);
  absl::StatusOr<bool> ReadPortFile(const std::filesystem::path& path);

  ChildProcess process_;
  std::string address_;
  std::string admin_address_;
};

}  // namespace larr::programs
