// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/registry.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/text_proto.h"
#include "common/rpc/resource_requests.h"
#include "services/coordinator/scheduler.h"

namespace larr {
namespace {

using config::v1::PublishDecision;
using config::v1::ServingBundle;
using coordinator::v1::AliasMove;
using coordinator::v1::Model;
using coordinator::v1::ModelVersion;
using coordinator::v1::PromoteModelVersionRequest;
using coordinator::v1::RollbackAliasRequest;
using coordinator::v1::TrainingRun;
using google::protobuf::util::MessageDifferencer;

constexpr std::string_view kModels = "models/";

std::string ModelOf(const std::string& version_name) {
  return version_name.substr(0, version_name.find("/versions/"));
}

absl::Status CheckActor(const std::string& actor) {
  if (!actor.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "`actor` is empty; say who moves the alias: the history keeps it");
}

// The versions that an alias named, the present one last, without those that
// were taken back.
std::vector<std::string> Trail(const std::vector<AliasMove>& newest_first,
                               const std::string& alias) {
  std::vector<std::string> trail;
  for (auto move = newest_first.rbegin(); move != newest_first.rend(); ++move) {
    if (move->alias() != alias) continue;
    if (!move->rollback()) {
      trail.push_back(move->to_version());
    } else if (!trail.empty()) {
      trail.pop_back();
    }
  }
  return trail;
}

}  // namespace

Registry::Registry(RunStore& store, std::filesystem::path artifact_root)
    : store_(store), artifact_root_(std::move(artifact_root)) {}

absl::StatusOr<Registry::AliasTarget> Registry::Resolve(
    const std::string& model, const std::string& alias) const {
  LARR_ASSIGN_OR_RETURN(const auto aliases, store_.ListAliases(model));
  for (const AliasMove& move : aliases) {
    if (move.alias() != alias) continue;
    AliasTarget target{{}, move.fencing_token()};
    LARR_ASSIGN_OR_RETURN(target.version, store_.GetVersion(move.to_version()));
    return target;
  }
  return AliasTarget{};
}

absl::StatusOr<ModelVersion> Registry::NextVersion(
    const std::string& model) const {
  LARR_ASSIGN_OR_RETURN(const auto newest, store_.ListVersions(model, 1, ""));
  int64_t number = 1;
  if (!newest.items.empty()) {
    const std::string& name = newest.items[0].name();
    number += std::strtoll(&name[name.rfind('/') + 1], nullptr, 10);
  }
  ModelVersion version;
  version.set_name(fmt::format("{}/versions/{}", model, number));
  return version;
}

absl::StatusOr<AliasMove> Registry::NextMove(const std::string& model,
                                             const std::string& alias,
                                             absl::Time now) const {
  LARR_ASSIGN_OR_RETURN(const AliasTarget from, Resolve(model, alias));
  LARR_ASSIGN_OR_RETURN(const int64_t token, store_.LastFencingToken());
  AliasMove move;
  move.set_model(model);
  move.set_alias(alias);
  move.set_from_version(from.version.name());
  move.set_fencing_token(token + 1);
  *move.mutable_move_time() = ToTimestamp(now);
  return move;
}

absl::Status Registry::Commit(const RunStoreBatch& batch) {
  LARR_RETURN_IF_ERROR(store_.Commit(batch));
  if (batch.move) {
    files_differ_ = true;
    spdlog::info("alias_moved model={} alias={} from={} to={} token={}",
                 batch.move->model(), batch.move->alias(),
                 batch.move->from_version(), batch.move->to_version(),
                 batch.move->fencing_token());
  }
  return absl::OkStatus();
}

absl::Status Registry::Publish(const PublishDecision& decision,
                               const std::string& alias, absl::Time now,
                               const std::string& published,
                               std::vector<TrainingRun>& runs) {
  const absl::MutexLock lock(&mutex_);
  RunStoreBatch batch{.runs = runs};
  const auto run =
      std::find_if(batch.runs.begin(), batch.runs.end(),
                   [&](const TrainingRun& r) { return r.name() == published; });
  if (run == batch.runs.end()) {
    return absl::InternalError(
        fmt::format("{} is not among the runs to store", published));
  }
  // A record that is not UTF-8 could be stored and never read again.
  run->clear_publish_reasons();
  for (const std::string& reason : decision.reasons())
    run->add_publish_reasons(ReplaceMalformedUtf8(reason));
  const std::string& model = run->model();
  LARR_ASSIGN_OR_RETURN(const AliasTarget target, Resolve(model, alias));
  if (target.fencing_token != decision.champion_fencing_token()) {
    return absl::AbortedError(fmt::format(
        "alias {} of {} moved from token {} to {} while the gate decided",
        alias, model, decision.champion_fencing_token(), target.fencing_token));
  }
  if (decision.accepted()) {
    LARR_ASSIGN_OR_RETURN(ModelVersion version, NextVersion(model));
    version.set_training_run(published);
    version.set_model_path(decision.model_path());
    version.set_snapshot_path(decision.snapshot_path());
    version.set_evaluate_path(decision.evaluate_path());
    version.set_validation_ctr_auc(decision.validation_ctr_auc());
    *version.mutable_create_time() = ToTimestamp(now);
    LARR_ASSIGN_OR_RETURN(batch.move, NextMove(model, alias, now));
    batch.move->set_to_version(version.name());
    batch.move->set_actor(published);
    batch.move->set_reason("the run's gate accepted it");
    run->set_model_version(version.name());
    batch.version = std::move(version);
  }
  LARR_RETURN_IF_ERROR(Commit(batch));
  runs = std::move(batch.runs);
  return absl::OkStatus();
}

absl::StatusOr<Model> Registry::GetModel(const std::string& name) const {
  if (!IsModelName(name))
    return Invalid("`{}` is not of the form models/{{model}}", name);
  LARR_ASSIGN_OR_RETURN(const auto versions, store_.ListVersions(name, 1, ""));
  if (versions.items.empty()) {
    return absl::NotFoundError(
        fmt::format("{} does not exist: no run published it", name));
  }
  LARR_ASSIGN_OR_RETURN(const auto aliases, store_.ListAliases(name));
  Model model;
  model.set_name(name);
  for (const AliasMove& move : aliases) {
    (*model.mutable_aliases())[move.alias()] = move.to_version();
  }
  return model;
}

absl::StatusOr<Model> Registry::Promote(
    const PromoteModelVersionRequest& request, absl::Time now) {
  const std::string alias =
      request.alias().empty() ? kDefaultAlias : request.alias();
  LARR_RETURN_IF_ERROR(CheckId("alias", alias));
  LARR_RETURN_IF_ERROR(CheckActor(request.actor()));
  const absl::MutexLock lock(&mutex_);
  LARR_ASSIGN_OR_RETURN(const ModelVersion version,
                        store_.GetVersion(request.name()));
  LARR_ASSIGN_OR_RETURN(AliasMove move,
                        NextMove(ModelOf(version.name()), alias, now));
  if (move.from_version() != version.name()) {
    move.set_to_version(version.name());
    move.set_actor(request.actor());
    move.set_reason(request.reason());
    LARR_RETURN_IF_ERROR(Commit({.move = move}));
  }
  return GetModel(move.model());
}

absl::StatusOr<Model> Registry::Rollback(const RollbackAliasRequest& request,
                                         absl::Time now) {
  const std::string alias =
      request.alias().empty() ? kDefaultAlias : request.alias();
  LARR_RETURN_IF_ERROR(CheckId("alias", alias));
  LARR_RETURN_IF_ERROR(CheckActor(request.actor()));
  const absl::MutexLock lock(&mutex_);
  LARR_RETURN_IF_ERROR(GetModel(request.model()).status());
  LARR_ASSIGN_OR_RETURN(
      const auto moves,
      store_.ListMoves(request.model(), /*page_size=*/-1, ""));
  const std::vector<std::string> trail = Trail(moves.items, alias);
  if (trail.size() < 2) {
    return absl::FailedPreconditionError(fmt::format(
        "alias {} of {} names no earlier version to go back to; promote one",
        alias, request.model()));
  }
  LARR_ASSIGN_OR_RETURN(AliasMove move, NextMove(request.model(), alias, now));
  move.set_to_version(trail[trail.size() - 2]);
  move.set_actor(request.actor());
  move.set_reason(request.reason());
  move.set_rollback(true);
  LARR_RETURN_IF_ERROR(Commit({.move = move}));
  return GetModel(request.model());
}

std::filesystem::path Registry::AliasFile(const std::string& model,
                                          const std::string& alias) const {
  return artifact_root_ / "aliases" / model.substr(kModels.size()) /
         (alias + ".textproto");
}

absl::Status Registry::SyncAliasFiles() {
  const absl::MutexLock lock(&mutex_);
  if (!files_differ_) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(const auto aliases, store_.ListAliases("models/-"));
  absl::Status all;  // One file that cannot be written holds up no other.
  for (const AliasMove& move : aliases) all.Update(WriteAliasFile(move));
  files_differ_ = !all.ok();
  return all;
}

absl::Status Registry::WriteAliasFile(const AliasMove& move) const {
  LARR_ASSIGN_OR_RETURN(const ModelVersion version,
                        store_.GetVersion(move.to_version()));
  ServingBundle bundle;
  bundle.set_model_version(version.name());
  bundle.set_model_path(version.model_path());
  bundle.set_snapshot_path(version.snapshot_path());
  const std::filesystem::path file = AliasFile(move.model(), move.alias());
  auto present = LoadTextProto<ServingBundle>(file);
  // Not there, or spoilt by hand. One that cannot be read now may have a higher
  // token: the next call looks again.
  if (absl::IsNotFound(present.status()) ||
      absl::IsInvalidArgument(present.status()))
    present = ServingBundle();
  LARR_RETURN_IF_ERROR(present.status());
  const int64_t token = present->fencing_token();
  bundle.set_fencing_token(token);
  const bool same = MessageDifferencer::Equals(bundle, *present);
  if (same && move.fencing_token() <= token) return absl::OkStatus();
  // A database that was restored from a backup knows fewer moves than scoring
  // saw.
  bundle.set_fencing_token(std::max(move.fencing_token(), token + 1));
  LARR_RETURN_IF_ERROR(MakeFolder(file.parent_path()));
  return WriteFileAtomically(file, ToTextProto(bundle));
}

bool IsModelName(std::string_view name) {
  return name.starts_with(kModels) && IsValidId(name.substr(kModels.size()));
}

}  // namespace larr
