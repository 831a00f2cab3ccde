// SPDX-License-Identifier: Apache-2.0
//
// What watches the servers asks for figures that they export: the alert rules,
// their tests and the dashboard. promtool tests what the rules say.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "common/base/files.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

fs::path Root() { return std::getenv("LARR_SOURCE_DIR"); }

std::string Read(const fs::path& path) {
  auto text = ReadFile(Root() / path);
  INFO(path.string());
  REQUIRE(text.ok());
  return *std::move(text);
}

Names Find(const std::string& text, const std::regex& pattern) {
  Names names;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end;
       it != end; ++it) {
    names.insert((*it)[1]);
  }
  return names;
}

// The metrics that an expression, or a text with expressions, names; of a
// histogram its own name.
Names MetricsIn(const std::string& text) {
  // Not what a recording rule makes: `instance:larr_...`.
  static const std::regex metric(
      R"((?:^|[^:\w])((?:larr|process)_[a-z0-9_]+)(?![a-z0-9_:]))");
  Names names;
  for (std::string name : Find(text, metric)) {
    for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
      if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    names.insert(name);
  }
  return names;
}

// What the servers' sources register or collect.
const Names& Exported() {
  static const Names names = [] {
    static const std::regex literal(R"re("((?:larr|process)_[a-z0-9_]+)")re");
    Names found;
    for (const char* folder : {"services", "common"}) {
      for (const auto& entry :
           fs::recursive_directory_iterator(Root() / folder)) {
        if (entry.path().extension() != ".cc") continue;
        found.merge(Find(*ReadFile(entry.path()), literal));
      }
    }
    return found;
  }();
  return names;
}

void CheckExported(const Names& names) {
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(Exported().count(name) == 1);
  }
}

TEST_CASE("Metrics are found in expressions", "[deploy]") {
  CHECK(MetricsIn("rate(larr_a_total{b=\"larr\"}[5m]) / larr_c_seconds_sum + "
                  "instance:larr_d:rate5m > process_e_bytes") ==
        Names{"larr_a_total", "larr_c_seconds", "process_e_bytes"});
  CHECK(Exported().size() > 40);
  CHECK(Exported().count("larr_scoring_arm_info") == 1);
}

TEST_CASE("The alert rules ask for what is exported", "[deploy]") {
  std::string rules = Read("deploy/alerts.yml");
  // Names of groups are not metrics.
  rules = std::regex_replace(rules, std::regex("- name: .*"), "");
  const Names names = MetricsIn(rules);
  CHECK(names.size() > 30);
  CheckExported(names);
  CheckExported(MetricsIn(Read("tests/deploy/alerts_test.yml")));
}

TEST_CASE("Every alert is tested, and says what to do", "[deploy]") {
  const std::string rules = Read("deploy/alerts.yml");
  const Names alerts = Find(rules, std::regex(R"(- alert: (\w+))"));
  CHECK(alerts.size() > 20);
  CHECK(Find(Read("tests/deploy/alerts_test.yml"),
             std::regex(R"re(alertname="(\w+)")re")) == alerts);
  for (const char* part : {"summary: \"", "description: \"", "severity: "}) {
    size_t count = 0;
    for (size_t at = 0; (at = rules.find(part, at)) != std::string::npos; ++at)
      ++count;
    CAPTURE(part);
    CHECK(count == alerts.size());
  }
}

TEST_CASE("Every panel of the dashboard asks for what is exported",
          "[deploy]") {
  const auto dashboard =
      nlohmann::json::parse(Read("deploy/grafana/scoring.json"));
  std::set<int> ids;
  Names all;
  for (const auto& panel : dashboard.at("panels")) {
    CAPTURE(panel.at("title").get<std::string>());
    CHECK(ids.insert(panel.at("id").get<int>()).second);
    CHECK_FALSE(panel.at("targets").empty());
    for (const auto& target : panel.at("targets")) {
      const Names names = MetricsIn(target.at("expr").get<std::string>());
      CHECK_FALSE(names.empty());
      CheckExported(names);
      all.insert(names.begin(), names.end());
    }
  }
  CHECK(ids.size() > 10);
  for (const auto& variable : dashboard.at("templating").at("list")) {
    CheckExported(MetricsIn(variable.at("query").get<std::string>()));
  }
  CHECK(all.count("larr_scoring_request_duration_seconds") == 1);
}

TEST_CASE("Prometheus finds the rules where the container has them",
          "[deploy]") {
  CHECK_THAT(Read("deploy/prometheus.yml"),
             Catch::Contains("rule_files: [alerts.yml]"));
  CHECK_THAT(Read("deploy/docker-compose.yml"),
             Catch::Contains("./alerts.yml:/etc/prometheus/alerts.yml:ro"));
}

}  // namespace
}  // namespace larr
