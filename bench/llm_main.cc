// SPDX-License-Identifier: Apache-2.0
//
// larr_bench_llm: our side of every case of `llm` (bench/run.py).
//
//   larr_bench_llm prepare FOLDER           makes the cases' input
//   larr_bench_llm TASK FOLDER OUTPUT THREADS          see rounds.h
//   larr_bench_llm profile TASK FOLDER OUTPUT THREADS  where a round's time
//                                           goes, after a round to warm up
#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "bench/llm.h"
#include "bench/llm_material.h"
#include "bench/profile.h"
#include "bench/rounds.h"
#include "common/base/status_macros.h"
#include "common/telemetry/logging.h"

namespace larr::bench {
namespace {

using config::v1::BF16;
using config::v1::FP32;
using Task = std::function<absl::Status(const Arguments&, const Serve&)>;

Task Embedding(config::v1::Precision precision, int texts) {
  return [=](const Arguments& arguments, const Serve& serve) {
    return EmbedTexts(arguments, precision, texts, serve);
  };
}

Task Limit(config::v1::Precision precision) {
  return [=](const Arguments& arguments, const Serve& serve) {
    return MultiplyForward(arguments, precision, serve);
  };
}

const std::map<std::string, Task>& Tasks() {
  static const std::map<std::string, Task> tasks = {
      {"embed_bf16", Embedding(BF16, kTexts)},
      {"embed_fp32", Embedding(FP32, kTexts)},
      {"embed_many", Embedding(BF16, kManyTexts)},
      {"limit_bf16", Limit(BF16)},
      {"limit_fp32", Limit(FP32)},
      {"load", LoadEmbedder},
      {"tokenize", TokenizeTexts},
      {"path", RefreshSnapshot},
      {"train", TrainStep},
      {"limit_train", MultiplyStep}};
  return tasks;
}

absl::Status ShowProfile(const Round& round) {
  LARR_RETURN_IF_ERROR(round().status());
  absl::Status status;
  const Profile profile = ProfileOf([&] { status = round().status(); });
  LARR_RETURN_IF_ERROR(status);
  std::cout << ToTable(profile);
  return absl::OkStatus();
}

int Run(const Task& task, bool profile, int argc, char** argv) {
  return Main(argc, argv, [&](const Arguments& arguments) {
    return task(arguments, [&](int64_t units, const Round& round) {
      return profile ? ShowProfile(round)
                     : ServeRounds(units, round, arguments.output, std::cin,
                                   std::cout);
    });
  });
}

int Prepare(const std::string& folder) {
  const absl::Status status = PrepareLlm(folder);
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_bench_llm: {}\n", status.ToString());
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace larr::bench

int main(int argc, char** argv) {
  using larr::bench::Tasks;
  larr::InitLogging("bench");  // Answers alone are on standard output.
  if (argc == 3 && std::string(argv[1]) == "prepare")
    return larr::bench::Prepare(argv[2]);
  const bool profile = argc > 2 && std::string(argv[1]) == "profile";
  const int task = profile ? 2 : 1;
  const auto found = argc > task ? Tasks().find(argv[task]) : Tasks().end();
  if (found == Tasks().end()) {
    fmt::print(stderr,
               "usage: {} prepare FOLDER\n       {} [profile] TASK "
               "FOLDER OUTPUT THREADS, of these tasks:\n",
               argv[0], argv[0]);
    for (const auto& [name, unused] : Tasks())
      fmt::print(stderr, "  {}\n", name);
    return 2;
  }
  return larr::bench::Run(found->second, profile, argc - task, argv + task);
}
