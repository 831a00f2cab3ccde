// SPDX-License-Identifier: Apache-2.0
#include "tools/market/market.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "examples/city/city_log.h"
#include "tools/programs/interrupts.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

constexpr int kMostDays = 365;
constexpr int kMostCandidates = 1000;

absl::Status CheckOptions(const MarketOptions& options) {
  const auto check = [](const char* name, int64_t value, int64_t least,
                        int64_t most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return Invalid("--{} is {}: must be from {} to {}", name, value, least,
                   most);
  };
  LARR_RETURN_IF_ERROR(check("days", options.days, 1, kMostDays));
  LARR_RETURN_IF_ERROR(check("requests", options.requests, 0, 1'000'000'000));
  return check("candidates", options.candidates, kShown, kMostCandidates);
}

// The folders by their full names: servers run elsewhere.
absl::StatusOr<MarketOptions> WithFullPaths(MarketOptions options) {
  LARR_RETURN_IF_ERROR(MakeFolder(options.out));
  for (fs::path* path : {&options.out, &options.dataset, &options.ple,
                         &options.larr, &options.embedder, &options.snapshot}) {
    std::error_code error;
    const fs::path full = fs::canonical(*path, error);
    if (error) {
      return absl::NotFoundError(
          fmt::format("{}: {}", path->string(), error.message()));
    }
    *path = full;
  }
  return options;
}

absl::StatusOr<city::CityOptions> ReadCityOptions(const fs::path& dataset) {
  LARR_ASSIGN_OR_RETURN(const std::string text,
                        ReadFile(dataset / "city.json"));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  for (const char* option : {"seed", "pois", "users", "impressions"}) {
    const Json::json_pointer place(fmt::format("/options/{}", option));
    if (json.contains(place) && json[place].is_number_integer()) continue;
    return absl::FailedPreconditionError(fmt::format(
        "{} has no whole number options.{}: write the city with larr_city",
        (dataset / "city.json").string(), option));
  }
  const Json& options = json["options"];
  return city::CityOptions{
      .seed = options["seed"].get<uint64_t>(),
      .pois = options["pois"].get<int>(),
      .users = options["users"].get<int>(),
      .impressions = options["impressions"].get<int64_t>(),
      .threads =
          std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
}

absl::StatusOr<std::string> DigestOf(const fs::path& artifact) {
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(artifact));
  return manifest.digest();
}

}  // namespace

Market::Market(MarketOptions options, city::CityOptions city,
               config::v1::DatasetSpec spec, city::Platform platform)
    : options_(std::move(options)),
      city_(city),
      spec_(std::move(spec)),
      schemas_(spec_),
      platform_(std::move(platform)),
      statistics_(std::make_unique<city::Statistics>(
          platform_.world, platform_.pois, platform_.users.size())),
      entities_(
          std::make_unique<city::EntityPartitions>(city_.seed, platform_)) {
  for (const city::User& user : platform_.users) {
    users_.emplace(user.id, static_cast<int>(users_.size()));
  }
  for (const city::Poi& poi : platform_.pois) {
    pois_.emplace(poi.id, static_cast<int>(pois_.size()));
  }
  if (options_.requests == 0) {
    options_.requests = RequestsOfDay(city_, platform_.calendar, city::kTrain);
  }
}

int Market::Find(const Index& index, std::string_view id) {
  const auto it = index.find(std::string(id));
  return it == index.end() ? -1 : it->second;
}

absl::StatusOr<std::unique_ptr<const Market>> Market::Open(
    const MarketOptions& given) {
  LARR_RETURN_IF_ERROR(CheckOptions(given));
  LARR_ASSIGN_OR_RETURN(MarketOptions options, WithFullPaths(given));
  LARR_ASSIGN_OR_RETURN(const auto city, ReadCityOptions(options.dataset));
  LARR_ASSIGN_OR_RETURN(auto spec, LoadTextProto<config::v1::DatasetSpec>(
                                       options.dataset / "dataset.textproto"));
  LARR_ASSIGN_OR_RETURN(
      city::Platform platform,
      city::MakePlatform(city, spec.split().dates(), options.days));
  std::unique_ptr<Market> market(new Market(
      std::move(options), city, std::move(spec), std::move(platform)));
  LARR_RETURN_IF_ERROR(market->CheckSettings());
  LARR_RETURN_IF_ERROR(market->LiveThroughLog());
  return market;
}

absl::Status Market::LiveThroughLog() {
  city::CityLog log(city_, platform_);
  for (int day = 0; day < first_day(); ++day) {
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    entities_->StartDay(day, *statistics_);
    LARR_RETURN_IF_ERROR(log.NextDay([this](const city::Chunk& chunk) {
      for (const city::Event& event : chunk.events) statistics_->Add(event);
      return absl::OkStatus();
    }));
  }
  logged_requests_ = log.requests();
  return absl::OkStatus();
}

absl::Status Market::CheckSettings() {
  LARR_ASSIGN_OR_RETURN(const std::string ple, DigestOf(options_.ple));
  LARR_ASSIGN_OR_RETURN(const std::string larr, DigestOf(options_.larr));
  LARR_ASSIGN_OR_RETURN(const std::string snapshot,
                        DigestOf(options_.snapshot));
  settings_ = {
      {"seed", options_.seed},
      {"days", options_.days},
      {"requests_per_day", options_.requests},
      {"candidates", options_.candidates},
      {"shown", kShown},
      {"ranked_by", "CTR"},
      {"city",
       {{"seed", city_.seed},
        {"pois", city_.pois},
        {"users", city_.users},
        {"impressions", city_.impressions}}},
      {"artifacts", {{"ple", ple}, {"larr", larr}, {"snapshot", snapshot}}}};
  if (options_.retrain) settings_["retrain"] = true;
  const fs::path path = options_.out / "settings.json";
  const std::string text = settings_.dump(2) + "\n";
  const auto earlier = ReadFile(path);
  if (absl::IsNotFound(earlier.status())) {
    return WriteFileAtomically(path, text);
  }
  if (!earlier.ok()) return earlier.status();
  if (*earlier == text) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} holds a market of other settings: remove it, or choose another "
      "folder with --out",
      options_.out.string()));
}

}  // namespace larr::market
