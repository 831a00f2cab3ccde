// SPDX-License-Identifier: Apache-2.0
//
// larr_bfloat16: makes a trained model one that is served in bfloat16, after it
// has measured what that costs. Figures on stdout, progress on stderr.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "tools/bfloat16/conversion.h"

namespace larr::bfloat16 {
namespace {

// One line every two seconds, and one for the last row.
RowsProgress ToStderr() {
  using Clock = std::chrono::steady_clock;
  return [last = Clock::now()](int64_t done, int64_t total) mutable {
    if (done != total && Clock::now() - last < std::chrono::seconds(2)) return;
    last = Clock::now();
    if (total < 0)
      fmt::print(stderr, "scored {} rows\n", done);
    else
      fmt::print(stderr, "scored {} of {} rows\n", done, total);
  };
}

}  // namespace
}  // namespace larr::bfloat16

int main(int argc, char** argv) {
  larr::bfloat16::ConversionOptions options;
  CLI::App app(
      "Makes a trained model one that is served in bfloat16, if its AUC on "
      "rows that it was not trained on stays.",
      "larr_bfloat16");
  app.add_option("--model", options.model, "Folder of an align stage")
      ->required();
  app.add_option("--dataset", options.dataset, "Spec of its dataset")
      ->required();
  app.add_option("--snapshot", options.snapshot,
                 "Folder of its embed stage; a model without texts needs none");
  app.add_option("--output", options.output, "Folder to write")->required();
  const std::map<std::string, larr::Part> parts = {
      {"validation", larr::Part::kValidation}, {"test", larr::Part::kTest}};
  app.add_option("--part", options.part,
                 "Rows to judge by: validation (the default) or test")
      ->transform(CLI::CheckedTransformer(parts));
  app.add_option("--rows", options.rows, "The first rows alone; 0: all")
      ->capture_default_str();
  app.add_option("--most-loss", options.most_loss,
                 "What CTR or CTCVR AUC may lose")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status =
      larr::bfloat16::Convert(options, std::cout, larr::bfloat16::ToStderr());
  if (status.ok()) return EXIT_SUCCESS;
  fmt::print(stderr, "larr_bfloat16: {}\n", std::string(status.message()));
  return EXIT_FAILURE;
}
