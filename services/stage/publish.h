// SPDX-License-Identifier: Apache-2.0
//
// The publish stage: the gate between a trained model and the alias that
// serving follows. It offers the run's last model with the run's snapshot and
// checks, in this order,
//
//   files        every file of model, snapshot and metrics has its hash
//   origin       the metrics were computed on this model and this snapshot
//   fingerprint  the snapshot's vectors come from the embedder that the model
//                was trained against
//   auc          CTR AUC >= the champion's - max_auc_loss, both on this run's
//                validation rows: on other days' rows any model's AUC differs
//                (docs/decisions/gate-rows.md)
//   calibration  mean prediction / mean label of validation rows is within
//                1 -/+ max_calibration_error, for CTR and, where the model
//                predicts it, for CTCVR
//
// Its artifact is `publish.textproto`, a PublishDecision with one sentence for
// each check. A refusal is a result, not an error: the stage succeeds, and the
// alias stays where it is. The coordinator moves the alias, not this stage.
//
// Errors:  kInvalidArgument  the config lacks an input or names no model;
//          otherwise those of writing the artifact, and of judging the champion
//          where that is not why
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/stage.h"
#include "services/stage/validation_auc.h"

namespace larr::stage {

// ComputeValidationAuc, which brings LibTorch along.
using JudgeModel = std::function<absl::StatusOr<ValidationAuc>(
    const std::string& dataset, const std::filesystem::path& model,
    const std::filesystem::path& snapshot)>;

// The decision alone, without writing anything. `judge` is asked of the
// champion.
absl::StatusOr<config::v1::PublishDecision> DecidePublish(
    const config::v1::StageConfig& config, const JudgeModel& judge);

absl::Status RunPublish(StageContext& context, const JudgeModel& judge);

}  // namespace larr::stage
