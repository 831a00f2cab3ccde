// SPDX-License-Identifier: Apache-2.0
//
// A SnapshotBuilder gathers what a new snapshot adds to its base and publishes
// both as one new folder: hard links to the base's vectors, and new files.
// Readers see the old folder or the new one, never a mixture.
//
// What it gathers lives in a private database under the work folder. A vector
// is durable once `AddVectors` returned: a builder that was killed, or left
// without publishing, finds it again when it is opened with the same work
// folder and fingerprint. Entities are cheap and start anew each time. A
// database that is damaged, or of a build with another format, is put aside
// when it is opened next: its vectors can all be computed again.
//
// Ownership:  borrows the base, which must outlive it.
// Threads:    belongs to one thread.
// Errors:     kDataLoss           stored bytes are damaged
//             kResourceExhausted  the disk is full
//             kUnavailable        the disk failed, or another builder has the
//                                 work folder
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// Where a text's vector is, if anywhere.
enum class StoredIn { kNowhere, kBase, kPending };

class SnapshotBuilder {
 public:
  // Opens or makes the work folder. Pending vectors of another embedder are
  // dropped: they can never be published. A database that cannot be read moves
  // to `pending.aside`, with one line in the log, and stays there until
  // DropPending.
  //
  // `base` may be null: everything is new then.
  // Errors:  kFailedPrecondition  the base has another fingerprint or width
  static absl::StatusOr<std::unique_ptr<SnapshotBuilder>> Open(
      const std::filesystem::path& work, const storage::v1::SnapshotInfo& info,
      const Snapshot* base);
  ~SnapshotBuilder();

  // Where each text's vector is. REQUIRES: ids of 16 bytes
  absl::StatusOr<std::vector<StoredIn>> Find(
      std::span<const std::string_view> ids) const;

  // Stores vectors, rounded to bf16; durable when it returns OK. `tokens` is
  // what the encoder read for them, and adds up in `tokens()`.
  //
  // REQUIRES: vectors.size() == ids.size() * dim
  // Errors:   kInvalidArgument  an id is not 16 bytes, or a value not finite
  absl::Status AddVectors(std::span<const std::string_view> ids,
                          std::span<const float> vectors, int64_t tokens);

  // Tokens of all pending vectors, also of those before a restart.
  int64_t tokens() const { return tokens_; }

  // Stores the row of a user or POI as of the snapshot's day.
  // Errors:  kInvalidArgument  the id is empty
  absl::Status AddEntity(config::v1::Side side, std::string_view id,
                         const storage::v1::EntityRow& row);
  // Stores a POI's comprehensive text.
  absl::Status AddPoiDescription(std::string_view poi_id,
                                 std::string_view text_id,
                                 std::string_view text);

  // Publishes everything under `output`. The caller sets `config` and `parents`
  // of the manifest; the base is added. What is pending stays, so that nothing
  // is lost if the snapshot is not taken: DropPending removes it.
  //
  // Errors:  kAlreadyExists  `output` is taken
  //          kDataLoss       a block of the base is damaged
  absl::StatusOr<config::v1::ArtifactManifest> Publish(
      const std::filesystem::path& output,
      config::v1::ArtifactManifest manifest);

 private:
  SnapshotBuilder(std::filesystem::path work, storage::v1::SnapshotInfo info,
                  const Snapshot* base, std::unique_ptr<SnapshotDb> pending);
  static absl::StatusOr<std::unique_ptr<SnapshotBuilder>> OpenPending(
      const std::filesystem::path& work, const storage::v1::SnapshotInfo& info,
      const Snapshot* base);
  absl::Status Prepare();
  // What reading or writing the pending database said. If that is damage, the
  // next Open knows it.
  absl::Status NoteDamage(absl::Status status) const;
  absl::Status Put(int family, const std::string& key,
                   const std::string& value);
  absl::StatusOr<std::vector<std::string>> WriteTexts(
      const std::filesystem::path& folder) const;
  absl::Status Fill(const std::filesystem::path& staging) const;

  // Constant after construction.
  const std::filesystem::path work_;
  const storage::v1::SnapshotInfo info_;
  const Snapshot* const base_;

  const std::unique_ptr<SnapshotDb> pending_;
  int64_t tokens_ = 0;
};

// Removes what is pending in a work folder that no builder has open. What is
// left there is found, and published once more: harmless.
void DropPending(const std::filesystem::path& work);

}  // namespace larr
