// SPDX-License-Identifier: Apache-2.0
#include "tools/market/retraining.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "common/base/artifact_folder.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "larr/config/v1/server.pb.h"
#include "tools/larrctl/training_run.h"
#include "tools/market/market_dataset.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;

constexpr char kArtifacts[] = "artifacts";

// One day validates, whose rates vary, that of orders most.
constexpr double kMaxCalibrationError = 0.15;

// What adds up over the recommender's own choices, as columns and as texts:
// docs/decisions/nightly-features.md.
constexpr std::array kLifetimeFeatures = {
    "user_ctr",   "user_cvr",  "user_impressions", "user_orders",
    "poi_ctr",    "poi_ctcvr", "poi_impressions",  "poi_orders",
    "user_stats", "POI_stats"};

void LeaveOutLifetimeFeatures(config::v1::AlignConfig& config) {
  auto& left_out = *config.mutable_left_out_features();
  for (const std::string_view name : kLifetimeFeatures) {
    if (std::ranges::find(left_out, name) == left_out.end())
      left_out.Add(std::string(name));
  }
}

}  // namespace

absl::StatusOr<Recommender> Recommender::Of(const fs::path& given) {
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(given));
  LARR_ASSIGN_OR_RETURN(
      auto config, ParseTextProto<config::v1::AlignConfig>(manifest.config()));
  LeaveOutLifetimeFeatures(config);
  return Recommender{std::move(config)};
}

std::string Recommender::RunId(const std::string& date) const {
  return fmt::format("{}-{}", config.name(), date);
}

fs::path Recommender::ModelFolder(const fs::path& folder,
                                  const std::string& date) const {
  return folder / kArtifacts / "runs" / RunId(date) /
         ("align-" + config.name());
}

absl::StatusOr<Retraining> Retraining::Start(const Market& market,
                                             const fs::path& folder) {
  config::v1::CoordinatorConfig config;
  config.set_state_dir((folder / "coordinator").string());
  config.set_artifact_root((folder / kArtifacts).string());
  config.set_stage_program(programs::ProgramBeside("larr_stage").string());
  LARR_ASSIGN_OR_RETURN(
      programs::Server coordinator,
      programs::Server::Start("larr_coordinator", config,
                              folder / "coordinator.textproto",
                              folder / "coordinator.log"));
  return Retraining(market, folder, std::move(coordinator));
}

absl::StatusOr<bool> Retraining::Train(int day, const std::string& snapshot,
                                       const Recommender& recommender) {
  config::v1::TrainingSpec spec;
  LARR_ASSIGN_OR_RETURN(const fs::path dataset,
                        WriteMorningSpec(market_, folder_ / "dataset", day));
  spec.set_dataset(dataset.string());
  spec.set_snapshot(snapshot);
  *spec.add_align() = recommender.config;
  spec.mutable_publish()->set_alias(recommender.config.name());
  spec.mutable_publish()->set_max_calibration_error(kMaxCalibrationError);
  const auto run =
      ctl::FinishTrainingRun({.coordinator = coordinator_.address()},
                             recommender.RunId(market_.Date(day)), spec);
  if (!run.ok()) LARR_RETURN_IF_ERROR(coordinator_.Check());
  LARR_RETURN_IF_ERROR(run.status());
  for (const std::string& reason : run->publish_reasons()) {
    if (run->model_version().empty()) fmt::print("gate: {}\n", reason);
  }
  return !run->model_version().empty();
}

}  // namespace larr::market
