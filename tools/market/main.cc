// SPDX-License-Identifier: Apache-2.0
//
// larr_market: an online A/B test in the simulated city, over the real
// services. See docs/online-test.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "tools/experiment/online_test_report.h"
#include "tools/market/market.h"
#include "tools/market/online_test.h"
#include "tools/market/result.h"
#include "tools/programs/interrupts.h"
#include "tools/report/document.h"

namespace larr::market {
namespace {

constexpr int kExitInterrupted = 130;

absl::Status Run(const MarketOptions& options) {
  fmt::print("the city's log, up to the first test day\n");
  LARR_ASSIGN_OR_RETURN(const auto market, Market::Open(options));
  const auto& paths = market->options();
  LARR_ASSIGN_OR_RETURN(const TestResult aa,
                        RunOnlineTest(*market, {.name = "aa",
                                                .control_model = paths.ple,
                                                .treatment_model = paths.ple}));
  LARR_ASSIGN_OR_RETURN(
      const TestResult ab,
      RunOnlineTest(*market, {.name = "ab",
                              .control_model = paths.ple,
                              .treatment_model = paths.larr}));
  LARR_ASSIGN_OR_RETURN(const Json result, MakeResult(*market, aa, ab));
  const auto path = paths.out / "market.json";
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, result.dump(1) + "\n"));
  LARR_ASSIGN_OR_RETURN(const auto report,
                        experiment::MakeOnlineTestReport(result));
  const auto page = paths.out / "market.html";
  LARR_RETURN_IF_ERROR(WriteFileAtomically(page, report::ToHtml(report)));
  fmt::print("\n{}{}\n{}\n", report::ToText(report), path.string(),
             page.string());
  return absl::OkStatus();
}

}  // namespace
}  // namespace larr::market

int main(int argc, char** argv) {
  larr::market::MarketOptions options;
  CLI::App app(
      "An online A/B test in the simulated city: PLE against LARR, A/A first.");
  const auto folder = [&](const char* name, std::filesystem::path& path,
                          const char* text) {
    app.add_option(name, path, text)->required();
  };
  folder("--out", options.out, "Folder of all that it makes");
  folder("--dataset", options.dataset, "Folder that larr_city wrote");
  folder("--ple", options.ple, "Model of the control: an ALIGN artifact");
  folder("--larr", options.larr, "Model of the treatment: an ALIGN artifact");
  folder("--embedder", options.embedder,
         "Language model of the snapshot: a CONTRAST artifact");
  folder("--snapshot", options.snapshot,
         "Snapshot to start from: an EMBED artifact");
  app.add_option("--days", options.days, "Days of each test")
      ->capture_default_str();
  app.add_option("--requests", options.requests,
                 "Requests a day; 0: as many as on a training day")
      ->capture_default_str();
  app.add_option("--candidates", options.candidates, "Most POIs of a request")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of visits and of what comes of them")
      ->capture_default_str();
  app.add_flag("--retrain", options.retrain,
               "Train both models anew every morning, on all that was logged");
  CLI11_PARSE(app, argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // lines, into a pipe, too
  larr::programs::CatchInterrupts();
  const absl::Status status = larr::market::Run(options);
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_market: {}; finished days are kept in {}\n",
             std::string(status.message()), options.out.string());
  return larr::programs::Interrupted() ? larr::market::kExitInterrupted
                                       : EXIT_FAILURE;
}
