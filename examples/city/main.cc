// SPDX-License-Identifier: Apache-2.0
//
// larr_city: writes the simulated food-delivery city as a dataset.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <thread>

#include "examples/city/generator.h"

int main(int argc, char** argv) {
  using larr::city::CitySizes;
  std::string size = "demo", out;
  larr::city::CityOptions flags;
  flags.threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));

  CLI::App app("Writes the simulated food-delivery city as a dataset.");
  app.add_option("--out", out,
                 "Folder to write; one that holds the same city is kept")
      ->required();
  app.add_option("--size", size, "tiny, demo, experiment or scale")
      ->capture_default_str()
      ->check(CLI::IsMember(CitySizes()));
  app.add_option("--pois", flags.pois, "POIs, instead of the size's");
  app.add_option("--users", flags.users, "Users, instead of the size's");
  app.add_option("--impressions", flags.impressions,
                 "Impressions over all days, instead of the size's");
  app.add_option("--seed", flags.seed, "The same seed gives the same bytes")
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "Changes the speed only")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  larr::city::CityOptions options = CitySizes().at(size);
  options.seed = flags.seed;
  options.threads = flags.threads;
  if (app.count("--pois") > 0) options.pois = flags.pois;
  if (app.count("--users") > 0) options.users = flags.users;
  if (app.count("--impressions") > 0) options.impressions = flags.impressions;
  const absl::Status status = larr::city::GenerateCity(
      options, out, [](const std::string& date, int64_t rows) {
        fmt::print(stderr, "{}  {} impressions so far\n", date, rows);
        return absl::OkStatus();
      });
  if (!status.ok()) {
    fmt::print(stderr, "larr_city: {}\n", std::string(status.message()));
    return EXIT_FAILURE;
  }
  fmt::print("{}\n", out);
  return EXIT_SUCCESS;
}
