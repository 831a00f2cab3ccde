// SPDX-License-Identifier: Apache-2.0
#include "services/stage/publish.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/config/stage_inputs.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_files.h"
#include "common/features/stored_columns.h"
#include "common/store/snapshot.h"

namespace larr::stage {
namespace {

using config::v1::ArtifactManifest;
using config::v1::CtrArchitecture;
using config::v1::CtrModelDescription;
using config::v1::PublishDecision;
using config::v1::StageConfig;

constexpr double kDefaultMaxAucLoss = 0.002;
constexpr double kDefaultMaxCalibrationError = 0.1;

double OrDefault(double value, double fallback) {
  return value > 0 ? value : fallback;
}

// Collects the outcome of the checks.
class Gate {
 public:
  void Check(bool passed, std::string sentence) {
    accepted_ &= passed;
    spdlog::info("gate passed={} {}", passed, sentence);
    reasons_.push_back((passed ? "Passed: " : "Refused: ") +
                       std::move(sentence));
  }

  // The artifact's manifest if its files are whole; else a failed check.
  std::optional<ArtifactManifest> CheckFiles(const std::string& what,
                                             const std::string& path) {
    auto manifest = VerifyArtifact(path);
    if (!manifest.ok()) {
      Check(false, fmt::format("the {} is damaged: {}.", what,
                               std::string(manifest.status().message())));
      return std::nullopt;
    }
    Check(true, fmt::format("all {} files of the {} have their hashes.",
                            manifest->files_size(), what));
    return *std::move(manifest);
  }

  bool accepted() const { return accepted_; }
  void CopyTo(PublishDecision& decision) const {
    decision.set_accepted(accepted_);
    for (const std::string& reason : reasons_) decision.add_reasons(reason);
  }

 private:
  bool accepted_ = true;
  std::vector<std::string> reasons_;
};

using Description = absl::StatusOr<CtrModelDescription>;

Description DescriptionOf(const std::string& model_path) {
  return LoadTextProto<CtrModelDescription>(std::filesystem::path(model_path) /
                                            kCtrDescriptionFile);
}

// A number of a model's validation rows in `metrics.json`; NaN if it is not
// there.
double ValidationMetric(const std::string& evaluate_path,
                        const std::string& model, const std::string& metric) {
  const auto text =
      ReadFile(std::filesystem::path(evaluate_path) / kMetricsFile);
  if (!text.ok()) return std::numeric_limits<double>::quiet_NaN();
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  const nlohmann::json::json_pointer pointer(
      fmt::format("/models/{}/validation/{}", model, metric));
  if (json.is_discarded() || !json.contains(pointer) ||
      !json.at(pointer).is_number()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return json.at(pointer).get<double>();
}

void CheckOrigin(const ArtifactManifest& metrics,
                 const std::map<std::string, std::string>& digests,
                 Gate& gate) {
  for (const auto& [role, digest] : digests) {
    const auto it = metrics.parents().find(role);
    if (it == metrics.parents().end() || it->second != digest) {
      return gate.Check(
          false,
          fmt::format("the metrics were not computed on this {}.", role));
    }
  }
  gate.Check(true, "the metrics were computed on this model and snapshot.");
}

void CheckFingerprint(const ArtifactManifest& model,
                      const ArtifactManifest& snapshot, Gate& gate) {
  const std::string& wanted = model.embedder_fingerprint();
  if (wanted.empty()) {
    return gate.Check(true,
                      "the model reads no texts, so any snapshot will do.");
  }
  const bool equal = wanted == snapshot.embedder_fingerprint();
  gate.Check(equal,
             equal ? fmt::format(
                         "model and snapshot have the embedder fingerprint {}.",
                         wanted)
                   : fmt::format("the model was trained against embedder "
                                 "fingerprint {}, the snapshot has {}.",
                                 wanted, snapshot.embedder_fingerprint()));
}

void CheckColumns(const Description& description,
                  const std::string& snapshot_path, Gate& gate) {
  const auto snapshot = Snapshot::Open(snapshot_path);
  absl::Status status = description.status();
  status.Update(snapshot.status());
  if (status.ok())
    status = CheckStoredColumns(description->dataset(), (*snapshot)->info());
  gate.Check(status.ok(),
             status.ok() ? "the snapshot stores all columns that the model "
                           "reads."
                         : std::string(status.message()) + ".");
}

void CheckKind(const Description& description, Gate& gate) {
  if (description.ok() &&
      description->architecture().kind() == CtrArchitecture::P5)
    gate.Check(false,
               "the model is of kind P5, which the scoring service does not "
               "serve: a language model would answer for each candidate.");
}

// Read with the snapshot that this run offers if it can be, so that both models
// know the texts of the same days.
absl::StatusOr<ValidationAuc> JudgeChampion(
    const StageConfig& config, const std::string& champion,
    const std::string& champion_snapshot, const ArtifactManifest& offered,
    const JudgeModel& judge) {
  LARR_ASSIGN_OR_RETURN(const auto model, VerifyArtifact(champion));
  const std::string& fingerprint = model.embedder_fingerprint();
  const bool reads_offered =
      fingerprint.empty() || fingerprint == offered.embedder_fingerprint();
  if (!reads_offered)
    LARR_RETURN_IF_ERROR(VerifyArtifact(champion_snapshot).status());
  return judge(config.spec().dataset(), champion,
               reads_offered ? config.inputs().at("embed") : champion_snapshot);
}

// Why the champion was not judged: because of it, or because of the machine.
bool IsChampionsFault(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status) || absl::IsDataLoss(status);
}

struct OfferedMetrics {
  double ctr_auc, rows, clicks;
};

absl::Status CheckAuc(const StageConfig& config, const OfferedMetrics& offered,
                      const ArtifactManifest& snapshot, const JudgeModel& judge,
                      Gate& gate) {
  if (std::isnan(offered.ctr_auc)) {
    gate.Check(false, "metrics.json has no validation ctr_auc of it.");
    return absl::OkStatus();
  }
  const auto champion_role = config.inputs().find(kChampionModelRole);
  if (champion_role == config.inputs().end()) {
    gate.Check(true, fmt::format("validation CTR AUC is {:.4f}, and there is "
                                 "no champion to compare with.",
                                 offered.ctr_auc));
    return absl::OkStatus();
  }
  const std::string& champion = champion_role->second;
  LARR_ASSIGN_OR_RETURN(const auto champion_snapshot,
                        InputOf(config, kChampionSnapshotRole));
  const auto best =
      JudgeChampion(config, champion, champion_snapshot, snapshot, judge);
  if (!best.ok()) {
    if (!IsChampionsFault(best.status())) return best.status();
    gate.Check(false,
               fmt::format("the champion {} cannot be judged on these "
                           "validation rows ({}); publish to another "
                           "alias and promote that version.",
                           champion, std::string(best.status().message())));
    return absl::OkStatus();
  }
  if (static_cast<double>(best->rows) != offered.rows ||
      static_cast<double>(best->clicks) != offered.clicks) {
    gate.Check(
        false,
        fmt::format("the metrics are of {} validation rows with {} "
                    "clicks, the champion's of {} with {}: the dataset "
                    "changed since, or evaluate.sample_only is set.",
                    offered.rows, offered.clicks, best->rows, best->clicks));
    return absl::OkStatus();
  }
  const double max_loss =
      OrDefault(config.spec().publish().max_auc_loss(), kDefaultMaxAucLoss);
  const std::string missing =
      best->missing_texts == 0
          ? ""
          : fmt::format(" The champion's snapshot lacks {} texts of them.",
                        best->missing_texts);
  gate.Check(offered.ctr_auc >= best->ctr_auc - max_loss,
             fmt::format("validation CTR AUC is {:.4f}, the champion's on the "
                         "same rows is {:.4f}; at most {:.4f} below it is "
                         "allowed.{}",
                         offered.ctr_auc, best->ctr_auc, max_loss, missing));
  return absl::OkStatus();
}

void CheckCalibration(const StageConfig& config, double calibration,
                      const std::string& task, Gate& gate) {
  const double bound =
      OrDefault(config.spec().publish().max_calibration_error(),
                kDefaultMaxCalibrationError);
  const bool passed = std::abs(calibration - 1) <= bound;  // False for NaN.
  gate.Check(passed, fmt::format("mean predicted {} over the mean label is "
                                 "{:.4f}; {:.4f} to {:.4f} is allowed.",
                                 task, calibration, std::max(0.0, 1 - bound),
                                 1 + bound));
}

}  // namespace

absl::StatusOr<PublishDecision> DecidePublish(const StageConfig& config,
                                              const JudgeModel& judge) {
  if (config.spec().align_size() == 0) {
    return absl::InvalidArgumentError(
        "spec.align is empty: there is no model to publish");
  }
  const std::string& name = config.spec().align().rbegin()->name();
  const std::string model_role = AlignRole(name);
  std::map<std::string, std::string> paths;
  for (const std::string& role :
       StageInputs(config.spec(), StageConfig::PUBLISH)) {
    LARR_ASSIGN_OR_RETURN(paths[role], InputOf(config, role));
  }
  const std::string& model_path = paths[model_role];
  const std::string& evaluate_path = paths["evaluate"];

  PublishDecision decision;
  decision.set_model_path(model_path);
  decision.set_snapshot_path(paths["embed"]);
  decision.set_evaluate_path(evaluate_path);
  decision.set_champion_fencing_token(config.champion_fencing_token());

  Gate gate;
  const Description description = DescriptionOf(model_path);
  CheckKind(description, gate);
  const auto model = gate.CheckFiles("model", model_path);
  const auto snapshot = gate.CheckFiles("snapshot", paths["embed"]);
  const auto metrics = gate.CheckFiles("metrics", evaluate_path);
  if (model && snapshot && metrics) {
    CheckOrigin(*metrics,
                {{model_role, model->digest()}, {"embed", snapshot->digest()}},
                gate);
    CheckFingerprint(*model, *snapshot, gate);
    CheckColumns(description, paths["embed"], gate);
    const auto metric = [&](const char* key) {
      return ValidationMetric(evaluate_path, name, key);
    };
    const OfferedMetrics offered{metric("ctr_auc"), metric("rows"),
                                 metric("clicks")};
    if (!std::isnan(offered.ctr_auc))
      decision.set_validation_ctr_auc(offered.ctr_auc);
    LARR_RETURN_IF_ERROR(CheckAuc(config, offered, *snapshot, judge, gate));
  }
  if (metrics) {
    CheckCalibration(config,
                     ValidationMetric(evaluate_path, name, "calibration"),
                     "CTR", gate);
    if (description.ok() && description->has_order_task()) {
      CheckCalibration(
          config, ValidationMetric(evaluate_path, name, "ctcvr_calibration"),
          "CTCVR", gate);
    }
  }
  gate.CopyTo(decision);
  return decision;
}

absl::Status RunPublish(StageContext& context, const JudgeModel& judge) {
  LARR_ASSIGN_OR_RETURN(const PublishDecision decision,
                        DecidePublish(context.config, judge));
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kDecisionFile,
                                           ToTextProto(decision)));
  ArtifactManifest manifest;
  manifest.set_kind("publish");
  manifest.set_config(ToTextProto(context.config.spec().publish()));
  for (const auto& [role, path] : context.config.inputs()) {
    const auto parent = ReadArtifact(path);
    if (parent.ok()) (*manifest.mutable_parents())[role] = parent->digest();
  }
  LARR_RETURN_IF_ERROR(writer.Finish(std::move(manifest)).status());
  context.progress.Report(1, 1, std::numeric_limits<double>::quiet_NaN(),
                          1 / context.progress.elapsed(), "decisions/s");
  return absl::OkStatus();
}

}  // namespace larr::stage
