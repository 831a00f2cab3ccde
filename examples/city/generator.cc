// SPDX-License-Identifier: Apache-2.0
#include "examples/city/generator.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "examples/city/auc_histogram.h"
#include "examples/city/calendar.h"
#include "examples/city/city_log.h"
#include "examples/city/embedded.h"
#include "examples/city/hidden_model.h"
#include "examples/city/impressions.h"
#include "examples/city/partitions.h"
#include "examples/city/platform.h"
#include "examples/city/statistics.h"
#include "examples/city/tables.h"

namespace larr::city {
namespace {

// What is known about the rows of one part.
struct PartSummary {
  AucHistogram ctr{kProbabilityScale};
  AucHistogram ctcvr{kProbabilityScale};
};

class Generator {
 public:
  // `platform` must outlive the generator.
  Generator(const CityOptions& options, std::filesystem::path folder,
            const Platform& platform)
      : options_(options),
        folder_(std::move(folder)),
        calendar_(platform.calendar),
        statistics_(platform.world, platform.pois, platform.users.size()),
        log_(options, platform),
        entities_(options.seed, platform) {}

  absl::Status Run(const OnDay& on_day) {
    for (int day = 0; day < std::ssize(calendar_.days); ++day) {
      entities_.StartDay(day, statistics_);
      LARR_RETURN_IF_ERROR(entities_.Write(folder_, statistics_));
      LARR_RETURN_IF_ERROR(WriteImpressions(calendar_.days[day]));
      LARR_RETURN_IF_ERROR(on_day(calendar_.days[day].date, rows_));
    }
    return absl::OkStatus();
  }

  nlohmann::ordered_json Summary() const;

 private:
  absl::Status WriteImpressions(const Day& day);
  absl::Status TakeChunk(const Chunk& chunk, Part part, TableWriter& writer);

  const CityOptions options_;
  const std::filesystem::path folder_;
  const Calendar& calendar_;

  Statistics statistics_;
  CityLog log_;
  EntityPartitions entities_;
  std::array<PartSummary, kPartCount> parts_;
  int64_t rows_ = 0;
};

absl::Status Generator::WriteImpressions(const Day& day) {
  LARR_ASSIGN_OR_RETURN(const auto path,
                        PartitionFile(folder_ / "impressions", day.date));
  LARR_ASSIGN_OR_RETURN(TableWriter writer, TableWriter::Create(path));
  LARR_RETURN_IF_ERROR(log_.NextDay(
      [&](const Chunk& chunk) { return TakeChunk(chunk, day.part, writer); }));
  return writer.Close();
}

absl::Status Generator::TakeChunk(const Chunk& chunk, Part part,
                                  TableWriter& writer) {
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

// The dataset with the truth about menus among its features: a ceiling.
std::string DatasetWithTruth(const World& world) {
  std::string text(kDatasetTextProto);
  text += "\n# What no platform knows: the hidden attributes of menus.\n";
  for (const std::string& column : MenuTruthColumns(world)) {
    text += fmt::format(
        "tabular_features {{ name: \"{0}\" side: POI dense {{ column: "
        "\"{0}\" }} }}\n",
        column);
  }
  return text;
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
        spec.ok() && *spec == kDatasetTextProto &&
        std::filesystem::exists(out / "dataset_truth.textproto")) {
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
                          const std::filesystem::path& given,
                          const OnDay& on_day) {
  const std::filesystem::path out = WithoutTrailingSlash(given);
  LARR_RETURN_IF_ERROR(CheckOptions(options));
  LARR_ASSIGN_OR_RETURN(const bool is_there, IsThere(options, out));
  if (is_there) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(
      const auto spec,
      ParseTextProto<config::v1::DatasetSpec>(std::string(kDatasetTextProto)));
  LARR_ASSIGN_OR_RETURN(const Platform platform,
                        MakePlatform(options, spec.split().dates()));

  std::filesystem::path aside = out;
  aside += ".partial";
  std::error_code error;
  std::filesystem::remove_all(aside, error);
  LARR_RETURN_IF_ERROR(MakeFolder(aside));

  Generator generator(options, aside, platform);
  LARR_RETURN_IF_ERROR(generator.Run(on_day));
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(aside / "dataset.textproto", kDatasetTextProto));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(aside / "dataset_truth.textproto",
                                           DatasetWithTruth(platform.world)));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(aside / "city.json",
                                           generator.Summary().dump(2) + "\n"));
  std::filesystem::rename(aside, out, error);
  if (error) return FileStatus("cannot rename to", out, error);
  return SyncFolder(std::filesystem::absolute(out).parent_path());
}

}  // namespace larr::city
