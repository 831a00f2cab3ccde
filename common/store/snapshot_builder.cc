// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot_builder.h"

#include <fmt/format.h>
#include <rocksdb/write_batch.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/rocks/rocks_status.h"
#include "common/simd/bf16.h"
#include "common/store/snapshot_db.h"
#include "common/store/sst_sequence.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using config::v1::ArtifactManifest;
using kernels::Bf16;
using rocksdb::Slice;

// With more files of vectors than this, and one for each full file's size of
// them, a new snapshot rewrites them as one sorted run instead of linking them:
// every lookup asks each file's filter.
constexpr size_t kMaxLinkedFiles = 8;

// Below the work folder.
constexpr char kPending[] = "pending";
constexpr char kAside[] = "pending.aside";
// In a pending database's folder: some of its blocks are damaged.
constexpr char kDamaged[] = "DAMAGED";

// Whether a database's own content keeps it from being opened: waiting would
// not help.
bool IsUnreadable(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsInvalidArgument(status) ||
         absl::IsNotFound(status) || absl::IsUnimplemented(status);
}

absl::Status PutAside(const fs::path& work, const absl::Status& why) {
  std::error_code error;
  fs::remove_all(work / kAside, error);
  fs::rename(work / kPending, work / kAside, error);
  if (error) {
    return absl::UnavailableError(fmt::format("{}; putting it aside: {}",
                                              std::string(why.message()),
                                              error.message()));
  }
  spdlog::warn("pending_vectors_put_aside folder={} reason=\"{}\"",
               (work / kAside).string(), why.ToString());
  return absl::OkStatus();
}

// Which of the keys a database has.
absl::StatusOr<std::vector<bool>> Contains(const SnapshotDb& db,
                                           const std::vector<Slice>& keys) {
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db.db->MultiGet({}, db.families[kText], keys.size(), keys.data(),
                  values.data(), statuses.data());
  std::vector<bool> result(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    result[i] = statuses[i].ok();
    if (statuses[i].IsNotFound()) continue;
    LARR_RETURN_IF_ERROR(FromRocks(statuses[i], "looking for stored vectors"));
  }
  return result;
}

std::unique_ptr<rocksdb::Iterator> Scan(const SnapshotDb& db, Family family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it(
      db.db->NewIterator(options, db.families[family]));
  it->SeekToFirst();
  return it;
}

std::vector<fs::path> TextFiles(const SnapshotDb& db, const fs::path& folder) {
  rocksdb::ColumnFamilyMetaData meta;
  db.db->GetColumnFamilyMetaData(db.families[kText], &meta);
  std::vector<fs::path> files;
  for (const auto& level : meta.levels) {
    for (const auto& file : level.files) {
      files.push_back(folder / fs::path(file.name).relative_path());
    }
  }
  return files;
}

absl::Status Ingest(SnapshotDb& db, Family family,
                    const std::vector<std::string>& files) {
  if (files.empty()) return absl::OkStatus();
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  // Never write into a file that other snapshots link to ...
  options.write_global_seqno = false;
  // ... nor give a damaged one a new, true hash.
  options.verify_checksums_before_ingest = true;
  return FromRocks(
      db.db->IngestExternalFile(db.families[family], files, options),
      "taking over " + files.front());
}

absl::Status CheckIds(std::span<const std::string_view> ids) {
  for (const std::string_view id : ids) {
    if (id.size() != kTextIdBytes) {
      return Invalid("a text id has {} bytes instead of {}", id.size(),
                     kTextIdBytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotBuilder>> SnapshotBuilder::Open(
    const fs::path& work, const storage::v1::SnapshotInfo& info,
    const Snapshot* base) {
  if (base != nullptr && (base->fingerprint() != info.embedder_fingerprint() ||
                          base->dim() != info.dim())) {
    return absl::FailedPreconditionError(fmt::format(
        "snapshot {} was made by embedder {} ({} elements), the present "
        "embedder is {} ({}); start from no snapshot instead",
        base->folder().string(), base->fingerprint(), base->dim(),
        info.embedder_fingerprint(), info.dim()));
  }
  const auto damaged = ReadFile(work / kPending / kDamaged);
  if (damaged.ok()) {
    LARR_RETURN_IF_ERROR(PutAside(work, absl::DataLossError(*damaged)));
  }
  auto builder = OpenPending(work, info, base);
  if (!IsUnreadable(builder.status())) return builder;
  LARR_RETURN_IF_ERROR(PutAside(work, builder.status()));
  return OpenPending(work, info, base);
}

absl::StatusOr<std::unique_ptr<SnapshotBuilder>> SnapshotBuilder::OpenPending(
    const fs::path& work, const storage::v1::SnapshotInfo& info,
    const Snapshot* base) {
  const fs::path folder = work / kPending;
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  LARR_ASSIGN_OR_RETURN(auto pending,
                        SnapshotDb::Open(folder, SnapshotDb::Mode::kPending));
  std::unique_ptr<SnapshotBuilder> builder(
      new SnapshotBuilder(work, info, base, std::move(pending)));
  LARR_RETURN_IF_ERROR(builder->Prepare());
  return builder;
}

SnapshotBuilder::SnapshotBuilder(fs::path work, storage::v1::SnapshotInfo info,
                                 const Snapshot* base,
                                 std::unique_ptr<SnapshotDb> pending)
    : work_(std::move(work)),
      info_(std::move(info)),
      base_(base),
      pending_(std::move(pending)) {}

SnapshotBuilder::~SnapshotBuilder() = default;

// Empties what must not survive: entities always, vectors of other embedders.
absl::Status SnapshotBuilder::Prepare() {
  const std::string what = "preparing " + (work_ / kPending).string();
  rocksdb::DB& db = *pending_->db;
  auto& families = pending_->families;
  std::string bytes;
  storage::v1::SnapshotInfo before;
  const auto read = db.Get({}, families[kInfo], kInfoKey, &bytes);
  if (!read.IsNotFound()) LARR_RETURN_IF_ERROR(FromRocks(read, what));
  const bool same =
      before.ParseFromString(bytes) &&
      before.embedder_fingerprint() == info_.embedder_fingerprint() &&
      before.dim() == info_.dim();
  for (int f = same ? kEntity : kText; f < kFamilyCount; ++f) {
    const std::string name = families[f]->GetName();
    LARR_RETURN_IF_ERROR(FromRocks(db.DropColumnFamily(families[f]), what));
    db.DestroyColumnFamilyHandle(std::exchange(families[f], nullptr));
    LARR_RETURN_IF_ERROR(
        FromRocks(db.CreateColumnFamily(OptionsOf(static_cast<Family>(f)), name,
                                        &families[f]),
                  what));
  }
  if (same) {
    const auto status = db.Get({}, families[kInfo], kTokensKey, &bytes);
    if (status.IsNotFound()) return absl::OkStatus();
    LARR_RETURN_IF_ERROR(FromRocks(status, what));
    if (absl::SimpleAtoi(bytes, &tokens_)) return absl::OkStatus();
    return absl::DataLossError(
        fmt::format("{}: the token count is '{}'", what, bytes));
  }
  rocksdb::WriteBatch batch;
  batch.Put(families[kInfo], kInfoKey, info_.SerializeAsString());
  batch.Delete(families[kInfo], kTokensKey);
  return FromRocks(db.Write(SyncedWrite(), &batch), what);
}

absl::Status SnapshotBuilder::NoteDamage(absl::Status status) const {
  if (!absl::IsDataLoss(status)) return status;
  const std::string message(status.message());
  const absl::Status noted =
      WriteFileAtomically(work_ / kPending / kDamaged, message);
  if (!noted.ok())
    return absl::DataLossError(fmt::format(
        "{}; nor could this be noted for the next start ({}): "
        "remove {} before it",
        message, std::string(noted.message()), (work_ / kPending).string()));
  return absl::DataLossError(
      message + "; start again: what is pending will be computed anew");
}

absl::StatusOr<std::vector<StoredIn>> SnapshotBuilder::Find(
    std::span<const std::string_view> ids) const {
  std::vector<Slice> keys(ids.size());
  std::transform(ids.begin(), ids.end(), keys.begin(), ToSlice);
  std::vector<StoredIn> result(ids.size(), StoredIn::kNowhere);
  const auto in_pending = Contains(*pending_, keys);
  if (!in_pending.ok()) return NoteDamage(in_pending.status());
  std::vector<bool> in_base(ids.size());
  if (base_ != nullptr) {
    LARR_ASSIGN_OR_RETURN(in_base, Contains(*base_->db_, keys));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if ((*in_pending)[i]) result[i] = StoredIn::kPending;
    if (in_base[i]) result[i] = StoredIn::kBase;
  }
  return result;
}

absl::Status SnapshotBuilder::AddVectors(std::span<const std::string_view> ids,
                                         std::span<const float> vectors,
                                         int64_t tokens) {
  LARR_RETURN_IF_ERROR(CheckIds(ids));
  const size_t dim = info_.dim();
  rocksdb::WriteBatch batch;
  std::vector<Bf16> rounded(dim);
  for (size_t i = 0; i < ids.size(); ++i) {
    for (size_t d = 0; d < dim; ++d) {
      const float value = vectors[i * dim + d];
      rounded[d] = kernels::ToBf16(value);
      if (!std::isfinite(value) || !std::isfinite(FromBf16(rounded[d]))) {
        return Invalid(
            "element {} of a text's vector is {}; check the checkpoint", d,
            value);
      }
    }
    batch.Put(pending_->families[kText], ToSlice(ids[i]),
              Slice(reinterpret_cast<const char*>(rounded.data()),
                    dim * sizeof(Bf16)));
  }
  batch.Put(pending_->families[kInfo], kTokensKey,
            std::to_string(tokens_ + tokens));
  LARR_RETURN_IF_ERROR(
      NoteDamage(FromRocks(pending_->db->Write(SyncedWrite(), &batch),
                           "storing vectors in " + work_.string())));
  tokens_ += tokens;
  return absl::OkStatus();
}

absl::Status SnapshotBuilder::Put(int family, const std::string& key,
                                  const std::string& value) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return NoteDamage(FromRocks(
      pending_->db->Put(options, pending_->families[family], key, value),
      "storing entities in " + work_.string()));
}

absl::Status SnapshotBuilder::AddEntity(config::v1::Side side,
                                        std::string_view id,
                                        const storage::v1::EntityRow& row) {
  if (id.empty())
    return absl::InvalidArgumentError(
        "an entity's id is empty: it would stand in for every unknown one");
  return Put(kEntity, EntityKey(side, id), row.SerializeAsString());
}

absl::Status SnapshotBuilder::AddPoiDescription(std::string_view poi_id,
                                                std::string_view text_id,
                                                std::string_view text) {
  const std::string_view ids[] = {text_id};
  LARR_RETURN_IF_ERROR(CheckIds(ids));
  return Put(kDescription, std::string(poi_id),
             std::string(text_id).append(text));
}

absl::StatusOr<ArtifactManifest> SnapshotBuilder::Publish(
    const fs::path& output, ArtifactManifest manifest) {
  LARR_ASSIGN_OR_RETURN(auto writer, ArtifactWriter::Create(output));
  LARR_RETURN_IF_ERROR(Fill(writer.path()));
  manifest.set_kind(kSnapshotKind);
  manifest.set_embedder_fingerprint(info_.embedder_fingerprint());
  if (base_ != nullptr) {
    (*manifest.mutable_parents())["base"] = base_->digest();
  }
  return writer.Finish(std::move(manifest));
}

void DropPending(const fs::path& work) {
  std::error_code ignored;
  fs::remove_all(work / kPending, ignored);
  fs::remove_all(work / kAside, ignored);
}

// Makes a database of whole files in the empty folder `staging`.
absl::Status SnapshotBuilder::Fill(const fs::path& staging) const {
  const fs::path incoming = staging / "incoming";
  LARR_RETURN_IF_ERROR(MakeFolder(incoming));
  LARR_ASSIGN_OR_RETURN(auto db,
                        SnapshotDb::Open(staging, SnapshotDb::Mode::kIngest));
  LARR_ASSIGN_OR_RETURN(const auto text_files, WriteTexts(incoming));
  LARR_RETURN_IF_ERROR(Ingest(*db, kText, text_files));
  SstSequence info(kInfo, incoming);
  LARR_RETURN_IF_ERROR(info.Put(kInfoKey, info_.SerializeAsString()));
  LARR_ASSIGN_OR_RETURN(const auto info_files, info.Finish());
  LARR_RETURN_IF_ERROR(Ingest(*db, kInfo, info_files));
  for (const Family family : {kEntity, kDescription}) {
    SstSequence sequence(family, incoming);
    const auto it = Scan(*pending_, family);
    for (; it->Valid(); it->Next()) {
      LARR_RETURN_IF_ERROR(
          sequence.Put(ToView(it->key()), ToView(it->value())));
    }
    LARR_RETURN_IF_ERROR(
        NoteDamage(FromRocks(it->status(), "reading pending entities")));
    LARR_ASSIGN_OR_RETURN(const auto files, sequence.Finish());
    LARR_RETURN_IF_ERROR(Ingest(*db, family, files));
  }
  db.reset();
  std::error_code ignored;
  fs::remove_all(incoming, ignored);
  fs::remove(staging / "LOCK", ignored);
  return absl::OkStatus();
}

// The files of vectors for a new snapshot: the base's, linked, and the pending
// ones that the base lacks; or all of them merged.
absl::StatusOr<std::vector<std::string>> SnapshotBuilder::WriteTexts(
    const fs::path& folder) const {
  std::vector<fs::path> linked;
  if (base_ != nullptr) linked = TextFiles(*base_->db_, base_->folder());
  uint64_t bytes = 0;
  for (const fs::path& file : linked) {
    std::error_code error;  // Who links the file says what is wrong.
    const uint64_t size = fs::file_size(file, error);
    if (!error) bytes += size;
  }
  const bool merge =
      linked.size() > kMaxLinkedFiles + bytes / SstSequence::kFileBytes;
  SstSequence sequence(kText, folder);
  const auto added = Scan(*pending_, kText);
  const auto old = base_ == nullptr ? nullptr : Scan(*base_->db_, kText);
  while (added->Valid() || (merge && old->Valid())) {
    const int order = !added->Valid() ? 1
                      : old == nullptr || !old->Valid()
                          ? -1
                          : added->key().compare(old->key());
    if (order < 0 || (order == 0 && merge)) {
      LARR_RETURN_IF_ERROR(
          sequence.Put(ToView(added->key()), ToView(added->value())));
    } else if (merge) {
      LARR_RETURN_IF_ERROR(
          sequence.Put(ToView(old->key()), ToView(old->value())));
    }
    if (order <= 0) added->Next();
    if (order >= 0) old->Next();
  }
  LARR_RETURN_IF_ERROR(
      NoteDamage(FromRocks(added->status(), "reading pending vectors")));
  if (old != nullptr) {
    LARR_RETURN_IF_ERROR(FromRocks(old->status(), "reading base vectors"));
  }
  LARR_ASSIGN_OR_RETURN(auto files, sequence.Finish());
  if (merge) return files;
  for (size_t i = 0; i < linked.size(); ++i) {
    const fs::path to = folder / fmt::format("linked-{}.sst", i);
    LARR_RETURN_IF_ERROR(LinkFile(linked[i], to));
    files.push_back(to.string());
  }
  return files;
}

}  // namespace larr
