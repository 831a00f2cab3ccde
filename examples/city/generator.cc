// SPDX-License-Identifier: Apache-2.0
#include "examples/city/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <future>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "examples/city/auc_histogram.h"
#include "examples/city/calendar.h"
#include "examples/city/embedded.h"
#include "examples/city/entities.h"
#include "examples/city/impressions.h"
#include "examples/city/partitions.h"
#include "examples/city/statistics.h"
#include "examples/city/tables.h"
#include "examples/city/world.h"

namespace larr::city {
namespace {

constexpr int kRequestsPerRowGroup = 1000;
// Share of the impressions in each part.
constexpr std::array<double, kPartCount> kPartShares = {0.20, 0.10, 0.55, 0.05,
                                                        0.10};

// What is known about the rows of one part.
struct PartSummary {
  AucHistogram ctr{kProbabilityScale};
  AucHistogram ctcvr{kProbabilityScale};
};

class Generator {
 public:
  Generator(const CityOptions& options, std::filesystem::path folder,
            World world, Calendar calendar)
      : options_(options),
        folder_(std::move(folder)),
        world_(std::move(world)),
        calendar_(std::move(calendar)),
        pois_(MakePois(options.seed, options.pois, world_, calendar_)),
        users_(MakeUsers(options.seed, options.users, world_)),
        statistics_(world_, pois_, users_.size()),
        maker_(options.seed, world_, calendar_, pois_, users_),
        entities_(options.seed, world_, calendar_, pois_, users_) {}

  absl::Status Run(const OnDay& on_day) {
    for (int day = 0; day < std::ssize(calendar_.days); ++day) {
      LARR_RETURN_IF_ERROR(entities_.Write(folder_, day, statistics_));
      LARR_RETURN_IF_ERROR(WriteImpressions(day));
      LARR_RETURN_IF_ERROR(on_day(calendar_.days[day].date, rows_));
    }
    return absl::OkStatus();
  }

  nlohmann::ordered_json Summary() const;

 private:
  int64_t RequestsOf(int day) const {
    const Part part = calendar_.days[day].part;
    return std::max<int64_t>(
        1, std::llround(static_cast<double>(options_.impressions) *
                        kPartShares[part] / calendar_.length[part] /
                        kImpressionsPerRequest));
  }

  absl::Status WriteImpressions(int day);
  absl::Status TakeChunk(Chunk chunk, Part part, TableWriter& writer);

  const CityOptions options_;
  const std::filesystem::path folder_;
  const World world_;
  const Calendar calendar_;
  const std::vector<Poi> pois_;
  const std::vector<User> users_;

  Statistics statistics_;
  ImpressionMaker maker_;
  EntityPartitions entities_;
  std::array<PartSummary, kPartCount> parts_;
  int64_t requests_ = 0;
  int64_t rows_ = 0;
};

// Chunks are made ahead on threads and taken in their order.
absl::Status Generator::WriteImpressions(int day) {
  LARR_ASSIGN_OR_RETURN(
      const auto path,
      PartitionFile(folder_ / "impressions", calendar_.days[day].date));
  LARR_ASSIGN_OR_RETURN(TableWriter writer, TableWriter::Create(path));
  maker_.StartDay(day);
  const int64_t count = RequestsOf(day);
  std::deque<std::future<absl::StatusOr<Chunk>>> ahead;
  int64_t next = 0;
  while (next < count || !ahead.empty()) {
    while (next < count && std::ssize(ahead) < options_.threads) {
      const int64_t end = std::min(count, next + kRequestsPerRowGroup);
      const RequestRange range{.first_id = requests_ + next,
                               .begin = next,
                               .end = end,
                               .of_day = count};
      ahead.push_back(std::async(std::launch::async,
                                 [this, range] { return maker_.Make(range); }));
      next = end;
    }
    auto chunk = ahead.front().get();
    ahead.pop_front();
    if (!chunk.ok()) return chunk.status();
    LARR_RETURN_IF_ERROR(
        TakeChunk(*std::move(chunk), calendar_.days[day].part, writer));
  }
  requests_ += count;
  return writer.Close();
}

absl::Status Generator::TakeChunk(Chunk chunk, Part part, TableWriter& writer) {
  LARR_RETURN_IF_ERROR(writer.Write(chunk.columns));
  for (size_t i = 0; i < chunk.events.size(); ++i) {
    const Event& event = chunk.events[i];
    statistics_.Add(event);
    parts_[part].ctr.Add(chunk.truth[i].click, event.click);
    parts_[part].ctcvr.Add(chunk.truth[i].order, event.order);
  }
  rows_ += static_cast<int64_t>(chunk.events.size());
  return absl::OkStatus();
}

nlohmann::ordered_json OptionsJson(const CityOptions& options) {
  return {{"seed", options.seed},
          {"pois", options.pois},
          {"users", options.users},
          {"impressions", options.impressions}};
}

nlohmann::ordered_json Generator::Summary() const {
  nlohmann::ordered_json json;
  json["options"] = OptionsJson(options_);
  for (int part = 0; part < kPartCount; ++part) {
    const PartSummary& summary = parts_[part];
    const auto rows = static_cast<double>(summary.ctr.count());
    json["parts"][std::string(PartName(static_cast<Part>(part)))] = {
        {"first_day", calendar_.days[calendar_.first[part]].date},
        {"days", calendar_.length[part]},
        {"rows", summary.ctr.count()},
        {"ctr", static_cast<double>(summary.ctr.positive_count()) / rows},
        {"ctcvr", static_cast<double>(summary.ctcvr.positive_count()) / rows},
        {"bayes_ctr_auc", summary.ctr.Auc()},
        {"bayes_ctcvr_auc", summary.ctcvr.Auc()}};
  }
  return json;
}

absl::Status CheckOptions(const CityOptions& options) {
  const auto check = [](const char* name, int64_t value, int64_t least,
                        int64_t most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format(
        "{} is {}: must be from {} to {}", name, value, least, most));
  };
  LARR_RETURN_IF_ERROR(check("pois", options.pois, 36, 1000000));
  LARR_RETURN_IF_ERROR(check("users", options.users, 1, 100000000));
  LARR_RETURN_IF_ERROR(
      check("impressions", options.impressions, 100, 100000000000));
  return check("threads", options.threads, 1, 1024);
}

// True if `out` is a whole city of the same options.
absl::StatusOr<bool> IsThere(const CityOptions& options,
                             const std::filesystem::path& out) {
  std::error_code error;
  if (!std::filesystem::exists(out, error)) return false;
  const auto text = ReadFile(out / "city.json");
  if (text.ok()) {
    const auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
    const auto spec = ReadFile(out / "dataset.textproto");
    if (json.is_object() &&
        json.value("options", nlohmann::ordered_json()) ==
            OptionsJson(options) &&
        spec.ok() && *spec == kDatasetTextProto) {
      return true;
    }
  }
  return absl::FailedPreconditionError(fmt::format(
      "{} exists and is not this city: remove it or choose another folder",
      out.string()));
}

}  // namespace

const std::map<std::string, CityOptions>& CitySizes() {
  static const auto& sizes = *new std::map<std::string, CityOptions>{
      {"tiny", {.pois = 144, .users = 60, .impressions = 16'000}},
      {"demo", {.pois = 1000, .users = 1200, .impressions = 800'000}},
      {"experiment", {.pois = 2400, .users = 3000, .impressions = 2'200'000}},
      {"scale", {.pois = 20'000, .users = 100'000, .impressions = 10'000'000}}};
  return sizes;
}

absl::Status GenerateCity(const CityOptions& options,
                          const std::filesystem::path& out,
                          const OnDay& on_day) {
  LARR_RETURN_IF_ERROR(CheckOptions(options));
  LARR_ASSIGN_OR_RETURN(const bool is_there, IsThere(options, out));
  if (is_there) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(
      const auto spec,
      ParseTextProto<config::v1::DatasetSpec>(std::string(kDatasetTextProto)));
  LARR_ASSIGN_OR_RETURN(World world, ParseWorld(kDishesCsv, kCitiesCsv));
  LARR_ASSIGN_OR_RETURN(Calendar calendar, MakeCalendar(spec.split().dates()));

  std::filesystem::path aside = out;
  aside += ".partial";
  std::error_code error;
  std::filesystem::remove_all(aside, error);
  LARR_RETURN_IF_ERROR(MakeFolder(aside));

  Generator generator(options, aside, std::move(world), std::move(calendar));
  LARR_RETURN_IF_ERROR(generator.Run(on_day));
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(aside / "dataset.textproto", kDatasetTextProto));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(aside / "city.json",
                                           generator.Summary().dump(2) + "\n"));
  std::filesystem::rename(aside, out, error);
  if (error) return ErrnoStatus("cannot rename to", out);
  return SyncFolder(std::filesystem::absolute(out).parent_path());
}

}  // namespace larr::city
