// SPDX-License-Identifier: Apache-2.0
#include "tools/load/options.h"

#include <catch2/catch.hpp>
#include <string>

namespace larr::load {
namespace {

// What is wrong with a command line; empty: nothing.
std::string Check(const std::string& arguments) {
  LoadOptions options;
  CLI::App app;
  AddOptions(app, options);
  app.parse(arguments);
  const absl::Status status = CheckOptions(options);
  CHECK((status.ok() || absl::IsInvalidArgument(status)));
  return std::string(status.message());
}

TEST_CASE("Each mode is accepted with what it needs", "[load]") {
  CHECK(Check("--rate 100 --requests r") == "");
  CHECK(Check("--find-rate --p99 50 --snapshot s --context c") == "");
  CHECK(Check("--steps 0.7,2,5,0.7 --capacity 300 --snapshot s") == "");
  CHECK(Check("--steps 0.7,2 --p99 50 --snapshot s") == "");
  CHECK(Check("--write-requests w --snapshot s") == "");
}

TEST_CASE("Steps are split at commas", "[load]") {
  LoadOptions options;
  CLI::App app;
  AddOptions(app, options);
  app.parse("--steps 0.7,2,5,0.7");
  CHECK(options.steps == std::vector<double>{0.7, 2, 5, 0.7});
}

TEST_CASE("What is wrong is named with its value and what to do", "[load]") {
  using Catch::Contains;
  CHECK_THAT(Check("--requests r"), Contains("none of --rate"));
  CHECK_THAT(Check("--rate 1 --find-rate --p99 5 --requests r"),
             Contains("more than one of --rate"));
  CHECK_THAT(Check("--find-rate --requests r"),
             Contains("--find-rate") && Contains("add --p99"));
  CHECK_THAT(Check("--steps 1 --requests r"), Contains("--capacity R"));
  CHECK_THAT(Check("--rate 1 --capacity 7 --requests r"),
             Contains("--capacity 7"));
  CHECK_THAT(Check("--rate 1 --p99 50 --deadline 20 --requests r"),
             Contains("--p99 50") && Contains("--deadline 20"));
  CHECK_THAT(Check("--rate 1"), Contains("none of --requests"));
  CHECK_THAT(Check("--rate 1 --requests r --snapshot s"),
             Contains("both of --requests"));
  CHECK_THAT(Check("--rate 1 --requests r --context c"),
             Contains("--context c"));
  CHECK_THAT(Check("--rate=-3 --requests r"),
             Contains("--rate -3: not in [0, 1000000]"));
  CHECK_THAT(Check("--steps 1,0 --capacity 9 --requests r"),
             Contains("--steps 0"));
  CHECK_THAT(Check("--rate 1 --seconds 0 --requests r"),
             Contains("--seconds 0"));
  CHECK_THAT(Check("--rate 1 --max-in-flight 0 --requests r"),
             Contains("--max-in-flight 0"));
  CHECK_THAT(Check("--rate 1 --candidates 0 --snapshot s"),
             Contains("--candidates 0"));
}

}  // namespace
}  // namespace larr::load
