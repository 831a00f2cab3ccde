// SPDX-License-Identifier: Apache-2.0
//
// larr_demo: the whole line on the simulated city, from data to served scores,
// by the real programs. Finished parts are kept and not done again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "common/base/status_macros.h"
#include "tools/demo/catalogue.h"
#include "tools/demo/demo.h"
#include "tools/demo/next_steps.h"
#include "tools/demo/preflight.h"
#include "tools/demo/recall.h"
#include "tools/demo/replay.h"
#include "tools/demo/report.h"
#include "tools/demo/training.h"
#include "tools/programs/interrupts.h"

namespace larr::demo {
namespace {

constexpr int kExitInterrupted = 130;

absl::Status Run(Demo& demo) {
  LARR_RETURN_IF_ERROR(CheckMachine(demo));
  fmt::print(
      "The whole line in five parts, from data to served scores, in {}.\n"
      "It takes about {} on 2 cores. What is finished is kept: stop it when "
      "you like (Ctrl-C), and run it again to go on.\n",
      ShortPath(demo.path("")),
      demo.size() == "tiny" ? "half a minute" : "6 minutes");
  Findings findings;
  LARR_ASSIGN_OR_RETURN(findings.city,
                        demo.Part("city", "the simulated city", "15 s",
                                  [&] { return MakeCity(demo); }));
  LARR_ASSIGN_OR_RETURN(findings.training,
                        demo.Part("training", "training, by the coordinator",
                                  "5 min", [&] { return Train(demo); }));
  LARR_ASSIGN_OR_RETURN(const auto run, TrainingRunOf(findings.training));
  LARR_ASSIGN_OR_RETURN(
      findings.served,
      demo.Part("served", "the last test day over gRPC, by scoring", "15 s",
                [&] { return ReplayLastDay(demo, run); }));
  LARR_ASSIGN_OR_RETURN(
      findings.refresh,
      demo.Part("refresh", "a catalogue change, by embedding", "1 min",
                [&] { return ChangeCatalogue(demo, run); }));
  LARR_ASSIGN_OR_RETURN(
      findings.recall,
      demo.Part("recall", "POIs for a traveller, by embedding", "15 s",
                [&] { return SearchRegions(demo, run); }));
  LARR_ASSIGN_OR_RETURN(const Json report, MakeReport(demo, findings));
  LARR_RETURN_IF_ERROR(WriteReport(demo, report));
  LARR_ASSIGN_OR_RETURN(const std::string next, NextSteps(demo, run));
  fmt::print("\n{}\nThe report: {}\n\n{}", ReportText(report),
             ShortPath(demo.path("report.html")), next);
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
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // lines, into a pipe, too
  larr::programs::CatchInterrupts();
  auto demo = larr::demo::Demo::Open(options);
  const absl::Status status =
      demo.ok() ? larr::demo::Run(*demo) : demo.status();
  if (status.ok()) return EXIT_SUCCESS;
  const std::string kept =
      demo.ok() ? fmt::format(
                      "what is finished is kept in {}: run it again to "
                      "go on\n",
                      larr::demo::ShortPath(demo->path("")))
                : "";
  if (larr::programs::Interrupted()) {
    fmt::print(stderr, "larr_demo: interrupted; {}", kept);
    return larr::demo::kExitInterrupted;
  }
  fmt::print(stderr, "larr_demo: {}\n{}", std::string(status.message()), kept);
  return EXIT_FAILURE;
}
