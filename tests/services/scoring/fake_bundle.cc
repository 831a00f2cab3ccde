// SPDX-License-Identifier: Apache-2.0
//
// Bundles without a model, so that what switches them is tested where LibTorch
// is not: under sanitizers. Linked instead of bundle.cc and scorer.cc.
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ctr/scorer.h"
#include "google/protobuf/util/time_util.h"
#include "services/scoring/bundle.h"
#include "tests/services/scoring/scoring_world.h"
#include "tests/testing/temp_dir.h"

namespace larr {

class RowScorer {};

Scorer::Scorer(std::shared_ptr<const LoadedCtrModel> loaded,
               std::unique_ptr<RowScorer> rows)
    : loaded_(std::move(loaded)), rows_(std::move(rows)) {}
Scorer::Scorer(Scorer&&) noexcept = default;
Scorer::~Scorer() = default;

absl::StatusOr<Scorer> Scorer::Open(const std::filesystem::path& folder,
                                    int /*threads*/) {
  if (folder == "damaged") return absl::DataLossError("damaged");
  return Scorer(nullptr, nullptr);
}

Bundle::Bundle(Scorer scorer, std::shared_ptr<const Snapshot> snapshot,
               RequestChecker checker, RequestEncoder encoder,
               scoring::v1::ServingState state)
    : snapshot_(std::move(snapshot)),
      scorer_(std::move(scorer)),
      checker_(std::move(checker)),
      encoder_(std::move(encoder)),
      state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<Bundle>> Bundle::Load(
    const BundleSource& source, const BundleOptions& options,
    const Bundle* live) {
  while (source.model_path == "endless") {
    const absl::Status stopped = CheckStop(options.stop);
    if (!stopped.ok()) return stopped;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  static const testing::ScoringWorld world;
  static const testing::TempDir folder;
  static const auto path = world.MakeSnapshot(folder.path(), "s");
  auto scorer = Scorer::Open(source.model_path, 1);
  if (!scorer.ok()) return scorer.status();
  std::shared_ptr<const Snapshot> snapshot;
  if (live != nullptr) {
    snapshot = live->snapshot_;
  } else {
    snapshot = Snapshot::Open(path).value();
  }
  const auto description = world.Description({});
  auto encoder = RequestEncoder::Create(description, *snapshot).value();
  RequestChecker checker(description, encoder.tabular());
  scoring::v1::ServingState state;
  state.set_model_path(source.model_path);
  state.set_snapshot_path(source.snapshot_path);
  state.set_model_version(source.model_version);
  state.set_fencing_token(source.fencing_token);
  return std::unique_ptr<Bundle>(
      new Bundle(*std::move(scorer), std::move(snapshot), std::move(checker),
                 std::move(encoder), std::move(state)));
}

void Bundle::SetSwitchTime() {
  *state_.mutable_switch_time() =
      google::protobuf::util::TimeUtil::GetCurrentTime();
}

absl::Status Bundle::WarmLike(const Bundle& /*other*/,
                              const StopCheck& stop) const {
  return CheckStop(stop);
}

}  // namespace larr
