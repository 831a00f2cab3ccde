// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_log.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/services/scoring/sample_request.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::RequestLogConfig;
using scoring::v1::LoggedCall;
using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;

struct Fixture {
  Fixture() {
    config.set_folder(dir.path() / "log");
    for (int i = 0; i < 3; ++i) response.add_scores()->set_ctr(0.1F * i);
    response.set_model_version("models/small/versions/1");
    response.set_snapshot("digest");
    response.set_arm("control");
  }
  std::unique_ptr<RequestLog> Open() {
    auto log = RequestLog::Create(config, registry);
    INFO(log.status().ToString());
    REQUIRE(log.ok());
    return *std::move(log);
  }
  void Score(RequestLog& log, const std::string& request_id) const {
    log.OnScored({request, response, request_id, arrival});
  }
  std::vector<LoggedCall> Calls() const {
    std::vector<LoggedCall> calls;
    const auto files = ListCallFiles(config.folder());
    REQUIRE(files.ok());
    for (const auto& path : *files) {
      auto reader = CallFileReader::Open(path);
      while (true) {
        auto call = reader->Next();
        REQUIRE(call.ok());
        if (!call->has_value()) break;
        calls.push_back(**std::move(call));
      }
    }
    return calls;
  }
  int Count(const std::string& result) const {
    return static_cast<int>(testing::MetricValue(
        registry,
        "larr_scoring_logged_calls_total{result=\"" + result + "\"}"));
  }

  const testing::TempDir dir;
  prometheus::Registry registry;
  RequestLogConfig config;
  ScoreRequest request = testing::SampleRequest(3);
  ScoreResponse response;
  std::chrono::system_clock::time_point arrival{
      std::chrono::milliseconds(1'700'000'000'123)};
};

TEST_CASE("A call is logged as it came and was answered", "[scoring]") {
  Fixture f;
  {
    const auto log = f.Open();
    f.Score(*log, "r1");
  }
  const auto calls = f.Calls();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].request_id() == "r1");
  CHECK(calls[0].time().seconds() == 1'700'000'000);
  CHECK(calls[0].time().nanos() == 123'000'000);
  CHECK(calls[0].request().user_id() == "u1");
  CHECK(calls[0].request().candidates_size() == 3);
  CHECK(calls[0].request().context().at("rain").string_value() == "dry");
  REQUIRE(calls[0].scores_size() == 3);
  CHECK(calls[0].scores(2).ctr() == f.response.scores(2).ctr());
  CHECK(calls[0].arm() == "control");
  CHECK(calls[0].model_version() == "models/small/versions/1");
  CHECK(calls[0].snapshot() == "digest");
  CHECK(f.Count("written") == 1);
}

TEST_CASE("An id of any bytes leaves a log that can be read", "[scoring]") {
  Fixture f;
  {
    const auto log = f.Open();
    f.Score(*log, "r\xe9");
    f.Score(*log, "after");
  }
  const auto calls = f.Calls();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].request_id() == "r\xef\xbf\xbd");
  CHECK(calls[1].request_id() == "after");
}

TEST_CASE("The log takes its sample", "[scoring]") {
  Fixture f;
  f.config.set_sample(1000);
  {
    const auto log = f.Open();
    for (int i = 0; i < 5000; ++i) f.Score(*log, "r" + std::to_string(i));
  }
  const int written = f.Count("written") + f.Count("dropped");
  CHECK(written > 400);
  CHECK(written < 600);
}

TEST_CASE("A killed process loses what waited, and no more", "[scoring]") {
  const Fixture f;
  const pid_t child = fork();
  if (child == 0) {
    prometheus::Registry registry;
    const auto log = RequestLog::Create(f.config, registry);
    for (int i = 0;; ++i) {
      f.Score(**log, std::to_string(i));
      usleep(100);
    }
  }
  const auto whole = [&] {
    const auto files = ListCallFiles(f.config.folder());
    return files.ok() && !files->empty() &&
           std::filesystem::file_size(files->front()) > 20'000;
  };
  CHECK(testing::Eventually(whole));
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  const auto calls = f.Calls();
  CHECK(calls.size() > 50);
  for (size_t i = 0; i < calls.size(); ++i) {
    CHECK(calls[i].request_id() == std::to_string(i));  // no gap
  }
}

TEST_CASE("A disk that refuses costs calls, not the server", "[scoring]") {
  Fixture f;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  {
    const auto log = f.Open();
    f.Score(*log, "before");
    CHECK(testing::Eventually([&] { return f.Count("written") == 1; }));
    // The next record would be cut in its middle.
    const auto size =
        std::filesystem::file_size(ListCallFiles(f.config.folder())->front());
    rlimit full = before;
    full.rlim_cur = size + 20;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &full) == 0);
    for (int i = 0; i < 3; ++i) f.Score(*log, "lost");
    CHECK(testing::Eventually([&] { return f.Count("failed") == 3; }));
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    f.Score(*log, "after");
  }
  const auto calls = f.Calls();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].request_id() == "before");
  CHECK(calls[1].request_id() == "after");
}

TEST_CASE("What does not fit the queue is dropped and counted", "[scoring]") {
  Fixture f;
  f.request.set_user_id(std::string(33 << 20, 'u'));
  {
    const auto log = f.Open();
    f.Score(*log, "large");
  }
  CHECK(f.Count("dropped") == 1);
  CHECK(f.Count("written") == 0);
}

TEST_CASE("A log that is set wrongly is refused", "[scoring]") {
  const std::function<void(RequestLogConfig&)> changes[] = {
      [](RequestLogConfig& c) { c.clear_folder(); },
      [](RequestLogConfig& c) { c.set_sample(-1); },
      [](RequestLogConfig& c) { c.set_sample(10'001); },
      [](RequestLogConfig& c) { c.set_max_file_bytes(1000); },
      [](RequestLogConfig& c) { c.set_max_files(-1); }};
  const char* const names[] = {"folder", "sample", "sample", "max_file_bytes",
                               "max_files"};
  for (size_t i = 0; i < std::size(changes); ++i) {
    Fixture f;
    changes[i](f.config);
    const auto log = RequestLog::Create(f.config, f.registry);
    CHECK(absl::IsInvalidArgument(log.status()));
    CHECK_THAT(std::string(log.status().message()),
               Catch::Contains(std::string("request_log.") + names[i]));
  }
}

}  // namespace
}  // namespace larr
