// SPDX-License-Identifier: Apache-2.0
#include "common/telemetry/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <prometheus/counter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/testing/free_port.h"

namespace larr {
namespace {

std::string Get(int port, const std::string& headers = "") {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
          0);
  const std::string request = "GET /metrics HTTP/1.0\r\n" + headers + "\r\n";
  REQUIRE(write(fd, request.data(), request.size()) ==
          static_cast<ssize_t>(request.size()));
  std::string page(1 << 16, '\0');
  size_t size = 0;
  for (ssize_t n; (n = read(fd, page.data() + size, page.size() - size)) > 0;)
    size += static_cast<size_t>(n);
  close(fd);
  page.resize(size);
  return page;
}

}  // namespace

TEST_CASE("A counter and the process's own figures are exposed",
          "[telemetry]") {
  auto registry = std::make_shared<prometheus::Registry>();
  auto& family = prometheus::BuildCounter()
                     .Name("larr_scoring_requests_total")
                     .Help("Requests.")
                     .Register(*registry);
  family.Add({}).Increment(3);
  const int port = testing::FreePort();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const auto exposer = MetricsExposer::Start(address, registry);
  REQUIRE(exposer.ok());
  const std::string page = Get(port);
  CHECK(page.find("larr_scoring_requests_total 3") != std::string::npos);
  for (const char* name :
       {"resident_memory_bytes", "memory_limit_bytes", "cpu_seconds_total",
        "start_time_seconds", "open_fds", "max_fds", "threads"}) {
    CAPTURE(name);
    const std::string line = std::string("\nprocess_") + name + " ";
    const size_t at = page.find(line);
    REQUIRE(at != std::string::npos);
    CHECK(std::stod(page.substr(at + line.size())) > 0);
  }

  const auto taken = MetricsExposer::Start(address, registry).status();
  CHECK(absl::IsUnavailable(taken));
  CHECK(std::string(taken.message()).find(address) != std::string::npos);
}

TEST_CASE("A page with a check is for those who send a token", "[telemetry]") {
  const int port = testing::FreePort();
  const auto exposer = MetricsExposer::Start(
      "127.0.0.1:" + std::to_string(port),
      std::make_shared<prometheus::Registry>(),
      [](const std::string& token) { return token == "right"; });
  REQUIRE(exposer.ok());
  const auto get = [port](const std::string& base64) {
    return Get(port, "Authorization: Basic " + base64 + "\r\n");
  };
  CHECK(Get(port).find(" 401 ") != std::string::npos);
  CHECK(get("YW55OndyaXRl").find(" 401 ") != std::string::npos);  // any:write
  CHECK(get("YW55OnJpZ2h0").find("process_resident_memory_bytes") !=
        std::string::npos);  // any:right
}

TEST_CASE("Duration buckets ascend", "[telemetry]") {
  const auto& buckets = DurationBuckets();
  CHECK(std::is_sorted(buckets.begin(), buckets.end()));
}

}  // namespace larr
