// SPDX-License-Identifier: Apache-2.0
//
// A server of ours on a free port, for tests that start, stop and kill the real
// thing.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "tests/testing/program.h"

namespace larr::testing {

// Killed and reaped when the object goes.
class ServerProgram {
 public:
  // Starts `program` on `config`, whose address it fills in. The settings are
  // `stem`.textproto; `stem`.port and `stem`.log lie beside.
  template <typename Config>
  ServerProgram(const std::string& program, Config config,
                const std::filesystem::path& stem)
      : command_{program, "--config", stem.string() + ".textproto"},
        port_file_(stem.string() + ".port"),
        log_(stem.string() + ".log") {
    config.mutable_server()->set_listen("127.0.0.1:0");
    config.mutable_server()->set_port_file(port_file_);
    REQUIRE(WriteFileAtomically(command_.back(), ToTextProto(config)).ok());
    Restart();
  }

  // Kills the present process, if it lives.
  void Restart() {
    program_.reset();
    std::filesystem::remove(port_file_);
    program_ = std::make_unique<Program>(command_, log_);
    address_ = WaitForAddress(*program_, port_file_);
    INFO(log());
    REQUIRE_FALSE(address_.empty());
  }

  Program& program() { return *program_; }
  // What started it.
  const std::vector<std::string>& command() const { return command_; }
  const std::string& address() const { return address_; }
  std::string admin_address() const {
    const std::string lines = *ReadFile(port_file_);
    const size_t begin = address_.size() + 1;
    return lines.substr(begin, lines.find('\n', begin) - begin);
  }
  std::string log() const { return ReadFile(log_).value_or(""); }

 private:
  const std::vector<std::string> command_;
  const std::string port_file_, log_;
  std::unique_ptr<Program> program_;
  std::string address_;
};

}  // namespace larr::testing
