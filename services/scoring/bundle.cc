// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/bundle.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/ctr/model_files.h"
#include "common/features/stored_columns.h"
#include "services/scoring/request_scorer.h"

namespace larr {
namespace {

constexpr int kThreadsOfACall = 1;  // calls run side by side, see WorkQueue
// Requests of up to so many candidates are tried: what is slow the first time
// with some number of rows is over before the bundle goes live.
constexpr size_t kMostTried = 256;
constexpr size_t kTryStep = 16;

template <typename T>
absl::Status Mismatch(const BundleSource& source, const char* what,
                      const T& of_model, const T& of_snapshot) {
  return absl::FailedPreconditionError(fmt::format(
      "model {} and snapshot {} do not fit each other: {} is {} in the model "
      "and {} in the snapshot. Serve a snapshot of the model's own embedder, "
      "or train the model against this one",
      source.model_path, source.snapshot_path, what, of_model, of_snapshot));
}

absl::Status CheckFingerprint(const config::v1::CtrModelDescription& model,
                              const std::string& of_snapshot,
                              const BundleSource& source) {
  // Without texts a model reads no vectors.
  if (model.text_dim() == 0 || model.embedder_fingerprint() == of_snapshot)
    return absl::OkStatus();
  return Mismatch(source, "the embedder fingerprint",
                  model.embedder_fingerprint(), of_snapshot);
}

absl::Status CheckFit(const config::v1::CtrModelDescription& model,
                      const Snapshot& snapshot, const BundleSource& source) {
  const absl::Status columns =
      CheckStoredColumns(model.dataset(), snapshot.info());
  if (!columns.ok())
    return absl::FailedPreconditionError(fmt::format(
        "model {} and snapshot {} do not fit each other: {}", source.model_path,
        source.snapshot_path, std::string(columns.message())));
  if (model.text_dim() == 0) return absl::OkStatus();
  if (model.text_dim() != snapshot.dim()) {
    return Mismatch<int64_t>(source, "the vectors' width", model.text_dim(),
                             snapshot.dim());
  }
  // A model may read fewer texts than the snapshot has. Each must be of a
  // keyword that the model's dataset knows, for its side says where it stands.
  std::set<std::string> known;
  for (const auto& keyword : model.dataset().keywords())
    known.insert(keyword.name());
  const auto& of_model = model.dataset().scene_features();
  const auto& of_snapshot = snapshot.info().scene_features();
  const std::set<std::string> stored(of_snapshot.begin(), of_snapshot.end());
  if (!std::all_of(of_model.begin(), of_model.end(),
                   [&](const auto& name) { return stored.contains(name); }) ||
      !std::all_of(stored.begin(), stored.end(),
                   [&](const auto& name) { return known.contains(name); })) {
    return Mismatch(source, "the list of scene features",
                    fmt::format("[{}]", fmt::join(of_model, ", ")),
                    fmt::format("[{}]", fmt::join(of_snapshot, ", ")));
  }
  return absl::OkStatus();
}

// Up to `count` keys of a side.
absl::StatusOr<std::vector<std::string>> SomeKeys(const Snapshot& snapshot,
                                                  config::v1::Side side,
                                                  size_t count) {
  std::vector<std::string> keys;
  const absl::Status status = snapshot.ForEachEntity(
      side, [&](std::string_view id, const storage::v1::EntityRow&) {
        if (keys.size() == count) return absl::OutOfRangeError("enough");
        keys.emplace_back(id);
        return absl::OkStatus();
      });
  if (!status.ok() && !absl::IsOutOfRange(status)) return status;
  return keys;
}

// When an artifact was made: its manifest is written last and never changes.
google::protobuf::Timestamp CreateTime(const std::string& artifact) {
  using google::protobuf::util::TimeUtil;
  const std::string manifest = artifact + "/" + kManifestName;
  struct stat info {};
  if (stat(manifest.c_str(), &info) != 0) return {};
  return TimeUtil::TimeTToTimestamp(info.st_mtim.tv_sec);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Bundle>> Bundle::Load(
    const BundleSource& source, const BundleOptions& options,
    const Bundle* live) {
  LARR_ASSIGN_OR_RETURN(const auto model_manifest,
                        VerifyArtifact(source.model_path, options.stop));
  if (model_manifest.kind() != kCtrModelKind) {
    return Invalid(
        "{} is a `{}`, not a `{}`; give the folder that an align stage made",
        source.model_path, model_manifest.kind(), kCtrModelKind);
  }
  LARR_ASSIGN_OR_RETURN(auto scorer,
                        Scorer::Open(source.model_path, kThreadsOfACall));
  const auto& description = scorer.description();
  // Before the snapshot's hashes: what never fits is tried again, too, and all
  // of a snapshot is much to read.
  LARR_ASSIGN_OR_RETURN(const auto snapshot_manifest,
                        ReadArtifact(source.snapshot_path));
  LARR_RETURN_IF_ERROR(CheckFingerprint(
      description, snapshot_manifest.embedder_fingerprint(), source));
  std::shared_ptr<const Snapshot> snapshot;
  if (live != nullptr && live->state_.snapshot_path() == source.snapshot_path &&
      live->snapshot_->digest() == snapshot_manifest.digest()) {
    snapshot = live->snapshot_;
  } else {
    LARR_RETURN_IF_ERROR(
        VerifyArtifact(source.snapshot_path, options.stop).status());
    LARR_ASSIGN_OR_RETURN(snapshot,
                          Snapshot::Open(source.snapshot_path, options.cache));
  }
  LARR_RETURN_IF_ERROR(CheckFit(description, *snapshot, source));
  LARR_ASSIGN_OR_RETURN(auto encoder,
                        RequestEncoder::Create(description, *snapshot));
  RequestChecker checker(description, encoder.tabular());

  scoring::v1::ServingState state;
  state.set_model_version(source.model_version.empty() ? model_manifest.digest()
                                                       : source.model_version);
  state.set_model_path(source.model_path);
  state.set_snapshot(snapshot->digest());
  state.set_snapshot_path(source.snapshot_path);
  state.set_embedder_fingerprint(snapshot->fingerprint());
  state.set_fencing_token(source.fencing_token);
  *state.mutable_model_create_time() = CreateTime(source.model_path);
  *state.mutable_snapshot_create_time() = CreateTime(source.snapshot_path);
  std::unique_ptr<Bundle> bundle(
      new Bundle(std::move(scorer), std::move(snapshot), std::move(checker),
                 std::move(encoder), std::move(state)));
  LARR_ASSIGN_OR_RETURN(auto reference, LoadScoreReference(source.model_path));
  if (reference.has_value()) {
    bundle->reference_ =
        std::make_shared<const ScoreReference>(*std::move(reference));
  }
  LARR_ASSIGN_OR_RETURN(bundle->pois_,
                        PoiStates::Create(bundle->scorer_, bundle->encoder_,
                                          options.poi_cache_bytes));
  LARR_RETURN_IF_ERROR(bundle->Try(options.stop));
  return bundle;
}

Bundle::Bundle(Scorer scorer, std::shared_ptr<const Snapshot> snapshot,
               RequestChecker checker, RequestEncoder encoder,
               scoring::v1::ServingState state)
    : snapshot_(std::move(snapshot)),
      scorer_(std::move(scorer)),
      checker_(std::move(checker)),
      encoder_(std::move(encoder)),
      state_(std::move(state)) {}

void Bundle::SetSwitchTime() {
  *state_.mutable_switch_time() =
      google::protobuf::util::TimeUtil::GetCurrentTime();
}

absl::Status Bundle::WarmLike(const Bundle& other,
                              const StopCheck& stop) const {
  return pois_->Warm(other.pois_->cache().Ids(), stop);
}

absl::Status Bundle::Try(const StopCheck& stop) const {
  LARR_ASSIGN_OR_RETURN(const auto users,
                        SomeKeys(*snapshot_, config::v1::USER, 1));
  LARR_ASSIGN_OR_RETURN(const auto pois,
                        SomeKeys(*snapshot_, config::v1::POI, kMostTried));
  scoring::v1::ScoreRequest request;
  if (!users.empty()) request.set_user_id(users[0]);
  std::vector<std::string_view> ids;
  while (ids.size() < kMostTried) {
    LARR_RETURN_IF_ERROR(CheckStop(stop));
    for (size_t i = 0; i < kTryStep; ++i) {
      const size_t next = ids.size();
      ids.push_back(next < pois.size() ? pois[next] : "unknown");
      request.add_candidates()->set_poi_id(std::string(ids.back()));
    }
    LARR_RETURN_IF_ERROR(pois_->Prepare(ids).status());
    scoring::v1::ScoreResponse response;
    LARR_RETURN_IF_ERROR(ScoreRequest(*this, request, response).status());
  }
  return absl::OkStatus();
}

}  // namespace larr
