// SPDX-License-Identifier: Apache-2.0
//
// The real coordinator in a folder of its own, for test classes to derive from.
#pragma once

#include <grpcpp/create_channel.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "larr/config/v1/server.pb.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr::testing {

class CoordinatorFixture {
 public:
  // Starts `program`. `config` says what matters to the test; its address and
  // its folders are filled in.
  CoordinatorFixture(const std::string& program,
                     config::v1::CoordinatorConfig config)
      : coordinator_(program) {
    config.mutable_server()->set_listen("127.0.0.1:0");
    config.mutable_server()->set_port_file(path("port"));
    config.set_state_dir(path("state"));
    config.set_artifact_root(path("artifacts"));
    REQUIRE(WriteFileAtomically(path("config"), ToTextProto(config)).ok());
    StartCoordinator();
  }
  // Stages outlive the coordinator; they must not outlive the test.
  ~CoordinatorFixture() {
    program_.reset();
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(path("state"))) {
      if (const int pid = PidIn(entry.path()); pid > 0) kill(-pid, SIGKILL);
    }
  }

 protected:
  std::string path(const std::string& name) const { return dir_.path() / name; }

  // Kills the present one, if any.
  void StartCoordinator() {
    program_.reset();
    std::filesystem::remove(path("port"));
    program_ = std::make_unique<Program>(
        std::vector<std::string>{coordinator_, "--config", path("config")},
        path("coordinator.log"));
    address_ = WaitForAddress(*program_, path("port"));
    INFO(*ReadFile(path("coordinator.log")));
    REQUIRE_FALSE(address_.empty());
    const auto channel =
        grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    runs_ = coordinator::v1::CoordinatorService::NewStub(channel);
    models_ = coordinator::v1::ModelRegistryService::NewStub(channel);
  }

  // The process that a process file names; 0 for another file.
  static int PidIn(const std::filesystem::path& file) {
    int attempt = 0, pid = 0;
    if (file.string().find("/processes/") == std::string::npos) return 0;
    return std::ifstream(file) >> attempt >> pid ? pid : 0;
  }

  const TempDir dir_;
  const std::string coordinator_;
  std::unique_ptr<Program> program_;
  std::string address_;
  std::unique_ptr<coordinator::v1::CoordinatorService::Stub> runs_;
  std::unique_ptr<coordinator::v1::ModelRegistryService::Stub> models_;
};

}  // namespace larr::testing
