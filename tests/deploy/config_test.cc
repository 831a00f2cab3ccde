// SPDX-License-Identifier: Apache-2.0
//
// The examples in deploy/ are legal settings of the programs, what is commented
// out in them included, and fit together.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "larr/config/v1/server.pb.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::CoordinatorConfig;
using config::v1::EmbeddingConfig;
using config::v1::ScoringConfig;

fs::path Deploy() {
  return fs::path(std::getenv("LARR_SOURCE_DIR")) / "deploy";
}

// `# field: value` as settings of their own.
std::vector<std::string> CommentedOut(const std::string& text) {
  static const std::regex setting("# ([a-z_]+: .*)");
  std::vector<std::string> settings;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, setting)) settings.push_back(match[1]);
  }
  return settings;
}

template <typename Config>
Config Load(const fs::path& path) {
  CAPTURE(path.string());
  const auto config = LoadTextProto<Config>(path);
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  for (const std::string& setting : CommentedOut(*ReadFile(path))) {
    INFO(setting);
    CHECK(ParseTextProto<Config>(setting).ok());
  }
  return *config;
}

TEST_CASE("Every example is of a program that reads it", "[deploy]") {
  int examples = 0;
  for (const char* folder : {"config", "compose"}) {
    for (const auto& entry : fs::directory_iterator(Deploy() / folder)) {
      if (entry.path().extension() != ".textproto") continue;
      const std::string program = entry.path().stem();
      CAPTURE(entry.path().string());
      CHECK((program == "coordinator" || program == "embedding" ||
             program == "scoring"));
      ++examples;
    }
  }
  CHECK(examples == 6);
}

TEST_CASE("The examples can be read, and name each other's folders",
          "[deploy]") {
  for (const char* folder : {"config", "compose"}) {
    CAPTURE(folder);
    const fs::path examples = Deploy() / folder;
    const auto coordinator =
        Load<CoordinatorConfig>(examples / "coordinator.textproto");
    const auto embedding =
        Load<EmbeddingConfig>(examples / "embedding.textproto");
    const auto scoring = Load<ScoringConfig>(examples / "scoring.textproto");
    const std::string& root = coordinator.artifact_root();
    REQUIRE_FALSE(root.empty());
    CHECK(scoring.alias_file().starts_with(root + "/aliases/"));
    CHECK(embedding.checkpoint().starts_with(root + "/runs/"));
    CHECK(embedding.snapshot_dir().starts_with(root + "/"));
    // The data are not those of the source tree, where there is but a spec.
    CHECK_FALSE(embedding.dataset().starts_with("examples/"));
  }
}

TEST_CASE("Each example shows TLS and roles", "[deploy]") {
  static const std::regex guard("  # ((tls|access) \\{.*\\})");
  for (const auto& entry : fs::directory_iterator(Deploy() / "config")) {
    CAPTURE(entry.path().string());
    std::istringstream lines(*ReadFile(entry.path()));
    int found = 0;
    for (std::string line; std::getline(lines, line);) {
      std::smatch match;
      if (!std::regex_match(line, match, guard)) continue;
      ++found;
      INFO(line);
      CHECK(ParseTextProto<config::v1::ServerConfig>(match[1].str()).ok());
    }
    CHECK(found == 2);
  }
}

TEST_CASE("What is commented out is found", "[deploy]") {
  CHECK(CommentedOut("# A word: not.\n# gpus: [0]\nthreads: 1\n#gpus: 2\n") ==
        std::vector<std::string>{"gpus: [0]"});
  CHECK(CommentedOut(*ReadFile(Deploy() / "config/scoring.textproto")).size() ==
        4);
}

}  // namespace
}  // namespace larr
