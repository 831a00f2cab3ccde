// SPDX-License-Identifier: Apache-2.0
//
// larr_demo: the whole line on the simulated city, from data to served scores,
// by the real programs. Finished parts are kept and not done again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "common/base/status_macros.h"
#include "tools/demo/catalogue.h"
#include "tools/demo/child_process.h"
#include "tools/demo/demo.h"
#include "tools/demo/next_steps.h"
#include "tools/demo/preflight.h"
#include "tools/demo/recall.h"
#include "tools/demo/replay.h"
#include "tools/demo/report.h"
#include "tools/demo/training.h"
#include "tools/larrctl/output.h"

namespace larr::demo {
namespace {

constexpr int kExitInterrupted = 130;

absl::Status Run(Demo& demo) {
  LARR_RETURN_IF_ERROR(CheckMachine(demo));
  fmt::print(
      "The whole line in five parts, in {}. Everything new takes about {} on 2 "
      "cores; what is finished is kept.\n",
      demo.path("").string(),
      demo.size() == "tiny" ? "a minute" : "12 minutes");
  Findings findings;
  LARR_ASSIGN_OR_RETURN(
      findings.city,
      demo.Part("city", "the simulated city", [&] { return MakeCity(demo); }));
  LARR_ASSIGN_OR_RETURN(findings.training,
                        demo.Part("training", "training, by the coordinator",
                                  [&] { return Train(demo); }));
  LARR_ASSIGN_OR_RETURN(const auto run, TrainingRunOf(findings.training));
  LARR_ASSIGN_OR_RETURN(
      findings.served,
      demo.Part("served", "serving the last test day over gRPC",
                [&] { return ReplayLastDay(demo, run); }));
  LARR_ASSIGN_OR_RETURN(
      findings.refresh,
      demo.Part("refresh", "a catalogue change, refreshed and switched to",
                [&] { return ChangeCatalogue(demo, run); }));
  LARR_ASSIGN_OR_RETURN(findings.recall,
                        demo.Part("recall", "POIs for a traveller",
                                  [&] { return SearchRegions(demo, run); }));
  LARR_ASSIGN_OR_RETURN(const Json report, MakeReport(demo, findings));
  LARR_RETURN_IF_ERROR(WriteReport(demo, report));
  LARR_ASSIGN_OR_RETURN(const std::string next, NextSteps(demo, run));
  fmt::print(
      "\n{}\nserved = offline to {:.2g}; {} of {} texts encoded after "
      "the change; precision at 10 {:.2f}; {} in all\nreport: {}\n\n{}",
      ReportText(report), report["served"]["max_abs_diff"].get<double>(),
      report["refresh"]["texts_encoded"].get<int64_t>(),
      report["refresh"]["texts_total"].get<int64_t>(),
      report["recall"]["precision_at_10"].get<double>(),
      ctl::DurationText(report["seconds_total"].get<double>()),
      demo.path("report.html").string(), next);
  return absl::OkStatus();
}

}  // namespace
}  // namespace larr::demo

int main(int argc, char** argv) {
  larr::demo::DemoOptions options;
  CLI::App app(
      "The whole line on the simulated city: data, training, serving.");
  app.add_option("--out", options.out, "Folder of all that it makes")
      ->capture_default_str();
  app.add_option("--size", options.size, "demo, or tiny (for tests)")
      ->check(CLI::IsMember({"demo", "tiny"}))
      ->capture_default_str();
  app.add_option("--model", options.base_model,
                 "Language model to start from, in Hugging Face layout");
  CLI11_PARSE(app, argc, argv);
  larr::demo::CatchInterrupts();
  auto demo = larr::demo::Demo::Open(options);
  const absl::Status status =
      demo.ok() ? larr::demo::Run(*demo) : demo.status();
  if (status.ok()) return EXIT_SUCCESS;
  std::fflush(stdout);
  const std::string kept =
      demo.ok() ? fmt::format(
                      "what is finished is kept in {}: run it again to "
                      "go on\n",
                      demo->path("").string())
                : "";
  if (larr::demo::Interrupted()) {
    fmt::print(stderr, "larr_demo: interrupted; {}", kept);
    return larr::demo::kExitInterrupted;
  }
  fmt::print(stderr, "larr_demo: {}\n{}", std::string(status.message()), kept);
  return EXIT_FAILURE;
}
