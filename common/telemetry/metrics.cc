// SPDX-License-Identifier: Apache-2.0
#include "common/telemetry/metrics.h"

#include <fmt/format.h>
#include <prometheus/exposer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace larr {
namespace {

// Of the control group, version 2 or 1, if it is below the machine's memory;
// as a container sees them.
double MemoryLimitBytes() {
  auto least = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
               static_cast<double>(sysconf(_SC_PAGESIZE));
  for (const char* path : {"/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    if (double bytes = 0; file >> bytes) least = std::min(least, bytes);
  }
  return least;
}

// The process's own figures, read when Prometheus asks.
class ProcessFigures : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) +
             static_cast<double>(t.tv_usec) * 1e-6;
    };
    return {Gauge("process_resident_memory_bytes", "Resident memory.",
                  ResidentBytes()),
            Gauge("process_cpu_seconds_total", "CPU time, user and system.",
                  seconds(usage.ru_utime) + seconds(usage.ru_stime)),
            Gauge("process_start_time_seconds", "Start, in Unix time.",
                  start_seconds_),
            Gauge("process_memory_limit_bytes",
                  "What the process may have: its control group's limit, or "
                  "the machine's memory.",
                  memory_limit_),
            Gauge("process_open_fds", "Open files and sockets.", OpenFiles()),
            Gauge("process_max_fds", "As many files may be open.", MostFiles()),
            Gauge("process_threads", "Threads.", Count("/proc/self/task"))};
  }

 private:
  static prometheus::MetricFamily Gauge(const char* name, const char* help,
                                        double value) {
    prometheus::MetricFamily family;
    family.name = name;
    family.help = help;
    family.type = prometheus::MetricType::Gauge;
    family.metric.resize(1);
    family.metric[0].gauge.value = value;
    return family;
  }

  static double ResidentBytes() {
    std::ifstream statm("/proc/self/statm");
    double pages_total = 0, pages_resident = 0;
    statm >> pages_total >> pages_resident;
    return pages_resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  }

  // Entries of a folder.
  static double Count(const char* folder) {
    std::error_code error;
    double count = 0;
    for (std::filesystem::directory_iterator it(folder, error), end;
         !error && it != end; it.increment(error))
      ++count;
    return count;
  }

  // Without the one that counts them.
  static double OpenFiles() { return Count("/proc/self/fd") - 1; }

  static double MostFiles() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
  }

  const double memory_limit_ = MemoryLimitBytes();
  const double start_seconds_ =
      std::chrono::duration<double>(
          std::chrono::system_clock::now().time_since_epoch())
          .count();
};

class PrometheusExposer : public MetricsExposer {
 public:
  PrometheusExposer(const std::string& address,
                    std::shared_ptr<prometheus::Registry> registry,
                    const MetricsExposer::TokenCheck& check)
      : registry_(std::move(registry)),
        process_(std::make_shared<ProcessFigures>()),
        exposer_(address, /*num_threads=*/1) {
    if (check) {
      exposer_.RegisterAuth(
          [check](const std::string&, const std::string& password) {
            return check(password);
          },
          "metrics");
    }
    exposer_.RegisterCollectable(registry_);
    exposer_.RegisterCollectable(process_);
  }

 private:
  // Both shared with the exposer, which holds weak pointers only.
  std::shared_ptr<prometheus::Registry> registry_;
  std::shared_ptr<ProcessFigures> process_;
  prometheus::Exposer exposer_;
};

}  // namespace

const std::vector<double>& DurationBuckets() {
  static const auto* const buckets = new std::vector<double>{
      1e-4, 2e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7.5e-3, 1e-2,
      2e-2, 5e-2, 0.1,  0.2,  0.5,    1,    2,    5,    10};
  return *buckets;
}

absl::StatusOr<std::unique_ptr<MetricsExposer>> MetricsExposer::Start(
    const std::string& address, std::shared_ptr<prometheus::Registry> registry,
    const TokenCheck& check) {
  try {  // prometheus-cpp reports a port in use by an exception
    return std::make_unique<PrometheusExposer>(address, std::move(registry),
                                               check);
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        fmt::format("cannot serve metrics on {}: {}; choose a free port as "
                    "server.metrics_listen",
                    address, error.what()));
  }
}

}  // namespace larr
