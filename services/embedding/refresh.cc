// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/refresh.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot_builder.h"

namespace larr {
namespace {

using config::v1::Side;

// Texts looked up in the base at once.
constexpr size_t kLookupTexts = 1024;
// Bytes of texts that are encoded and made durable at once: some 4,000 tokens,
// a second or two of the model's work, and about as much as a kill can cost.
constexpr size_t kChunkBytes = 16 * 1024;

struct Text {
  std::string id;
  std::string text;
};

// Collects distinct texts, and of these the ones that are not stored.
class TextCollector {
 public:
  explicit TextCollector(const SnapshotBuilder& builder) : builder_(builder) {}

  // The text's id; empty for the empty text, which nobody has.
  absl::StatusOr<std::string> Need(std::string text) {
    if (text.empty()) return text;
    std::string id = TextId(text);
    std::pair<uint64_t, uint64_t> hash;
    std::memcpy(&hash.first, id.data(), sizeof(hash.first));
    std::memcpy(&hash.second, id.data() + sizeof(hash.first),
                sizeof(hash.second));
    if (seen_.insert(hash).second) {
      waiting_.push_back({id, std::move(text)});
      if (waiting_.size() >= kLookupTexts) LARR_RETURN_IF_ERROR(LookUp());
    }
    return id;
  }

  // The new texts. Call once, after the last `Need`.
  absl::StatusOr<std::vector<Text>> Finish() {
    LARR_RETURN_IF_ERROR(LookUp());
    return std::move(new_);
  }

  const RefreshCounts& counts() const { return counts_; }

 private:
  absl::Status LookUp() {
    std::vector<std::string_view> ids;
    for (const Text& text : waiting_) ids.push_back(text.id);
    LARR_ASSIGN_OR_RETURN(const auto stored, builder_.Find(ids));
    for (size_t i = 0; i < waiting_.size(); ++i) {
      ++counts_.texts_total;
      if (stored[i] == StoredIn::kBase) continue;
      ++counts_.texts_to_encode;
      if (stored[i] == StoredIn::kPending) {
        ++counts_.texts_encoded;
      } else {
        new_.push_back(std::move(waiting_[i]));
      }
    }
    waiting_.clear();
    return absl::OkStatus();
  }

  const SnapshotBuilder& builder_;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
  std::vector<Text> waiting_, new_;
  RefreshCounts counts_;
};

// The partition that entities are stored as of; nothing without such a table.
absl::StatusOr<std::optional<std::string>> AsOf(const Dataset& dataset,
                                                Side side,
                                                const std::string& as_of_date) {
  const EntitySnapshots days(dataset, TableOf(side));
  if (!days.present()) return std::nullopt;
  if (as_of_date.empty()) return days.dates().back();
  if (const std::string* date = days.DateAt(as_of_date)) return *date;
  return absl::InvalidArgumentError(fmt::format(
      "as_of_date is {}, but the first partition of `{}` is {}; choose a later "
      "day",
      as_of_date, TableName(TableOf(side)), days.dates().front()));
}

// The partitions whose texts are read by training or the test, ascending.
std::set<std::string> DatesToRead(const Dataset& dataset,
                                  const EntitySnapshots& days) {
  std::set<std::string> dates;
  if (!dataset.split.by_date()) {
    dates.insert(days.dates().begin(), days.dates().end());
    return dates;
  }
  for (const std::string& day : dataset.days()) {
    const Part part = dataset.split.OfDate(day);
    if (part != Part::kTrain && part != Part::kValidation &&
        part != Part::kTest) {
      continue;
    }
    const std::string* date = days.DateAt(day);
    if (date != nullptr) dates.insert(*date);
  }
  return dates;
}

// Takes one side's texts and entities into the builder.
class SideReader {
 public:
  SideReader(const Dataset& dataset, Side side, SnapshotBuilder& builder,
             TextCollector& collector)
      : dataset_(dataset),
        side_(side),
        table_(TableOf(side)),
        scene_(dataset.texts.SceneFeaturesOf(side)),
        all_(dataset.texts.KeywordsOf(side)),
        builder_(builder),
        collector_(collector) {}

  // Entities are stored as of partition `as_of`.
  absl::Status Read(const std::string& as_of) {
    EntitySnapshots days(dataset_, table_);
    std::set<std::string> dates = DatesToRead(dataset_, days);
    dates.insert(as_of);
    for (const std::string& date : dates) {
      LARR_ASSIGN_OR_RETURN(const auto partition, days.At(date));
      for (int64_t i = 0; i < partition->size(); ++i) {
        LARR_RETURN_IF_ERROR(ReadRow(*partition, i, date == as_of));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadRow(const EntityPartition& partition, int64_t i,
                       bool is_as_of) {
    const Row& row = partition.row(i);
    std::vector<std::string> ids;
    for (std::string& text : dataset_.texts.Render(scene_, row)) {
      LARR_ASSIGN_OR_RETURN(ids.emplace_back(),
                            collector_.Need(std::move(text)));
    }
    if (!is_as_of) return absl::OkStatus();
    const std::string& key = partition.key(i);
    LARR_RETURN_IF_ERROR(
        builder_.AddEntity(side_, key, MakeEntity(row, partition.date(), ids)));
    return side_ == Side::POI ? AddDescription(key, row) : absl::OkStatus();
  }

  storage::v1::EntityRow MakeEntity(const Row& row, const std::string& date,
                                    const std::vector<std::string>& ids) const {
    const SpecSchemas& schemas = dataset_.schemas();
    const auto& kept =
        side_ == Side::USER ? schemas.users_tabular : schemas.pois_tabular;
    storage::v1::EntityRow entity;
    entity.set_as_of_date(date);
    for (const std::string& id : ids) entity.add_text_ids(id);
    for (size_t c = 0; c < row.size(); ++c) {
      if (!kept[c] || IsNull(row[c])) continue;
      const std::string& name = schemas.of(table_).name(static_cast<int>(c));
      (*entity.mutable_columns())[name] = ToProto(row[c]);
    }
    return entity;
  }

  absl::Status AddDescription(const std::string& key, const Row& row) {
    std::string text = dataset_.texts.Describe(all_, row);
    if (text.empty()) return absl::OkStatus();
    LARR_ASSIGN_OR_RETURN(const std::string id, collector_.Need(text));
    return builder_.AddPoiDescription(key, id, text);
  }

  const Dataset& dataset_;
  const Side side_;
  const Table table_;
  const std::vector<int> scene_;
  const std::vector<int> all_;  // Keywords of the side.
  SnapshotBuilder& builder_;
  TextCollector& collector_;
};

absl::Status NeedContextTexts(const TextRenderer& texts,
                              TextCollector& collector) {
  for (const int keyword : texts.SceneFeaturesOf(Side::CONTEXT)) {
    for (std::string& text : texts.ContextTexts(keyword)) {
      LARR_RETURN_IF_ERROR(collector.Need(std::move(text)).status());
    }
  }
  return absl::OkStatus();
}

// Texts of like length share a chunk: the model's attention works on all of one
// length at once. The longest come first, so that an estimate errs upwards.
absl::Status Encode(std::vector<Text> texts, TextEncoder& encoder,
                    SnapshotBuilder& builder, RefreshCounts& counts,
                    const RefreshProgress& progress) {
  std::stable_sort(texts.begin(), texts.end(),
                   [](const Text& a, const Text& b) {
                     return a.text.size() > b.text.size();
                   });
  for (size_t next = 0; next < texts.size();) {
    std::vector<std::string> chunk;
    std::vector<std::string_view> ids;
    for (size_t bytes = 0; next < texts.size() && bytes < kChunkBytes; ++next) {
      bytes += texts[next].text.size();
      chunk.push_back(texts[next].text);
      ids.push_back(texts[next].id);
    }
    LARR_ASSIGN_OR_RETURN(const auto encoded, encoder.Encode(chunk));
    LARR_RETURN_IF_ERROR(
        builder.AddVectors(ids, encoded.vectors, encoded.tokens));
    counts.texts_encoded += static_cast<int64_t>(chunk.size());
    counts.tokens_encoded = builder.tokens();
    LARR_RETURN_IF_ERROR(progress(counts));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RefreshCounts> Refresh(const RefreshOptions& options,
                                      TextEncoder& encoder,
                                      const RefreshProgress& progress) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(options.dataset));
  std::map<Side, std::string> as_of;
  for (const Side side : {Side::USER, Side::POI}) {
    LARR_ASSIGN_OR_RETURN(const auto date,
                          AsOf(dataset, side, options.as_of_date));
    if (date) as_of[side] = *date;
  }
  storage::v1::SnapshotInfo info;
  info.set_embedder_fingerprint(encoder.fingerprint());
  info.set_dim(encoder.dim());
  *info.mutable_scene_features() = dataset.spec.scene_features();
  for (const auto& [side, date] : as_of) {
    if (date > info.as_of_date()) info.set_as_of_date(date);
  }
  LARR_ASSIGN_OR_RETURN(
      const auto builder,
      SnapshotBuilder::Open(options.work, info, options.base));

  TextCollector collector(*builder);
  LARR_RETURN_IF_ERROR(NeedContextTexts(dataset.texts, collector));
  for (const auto& [side, date] : as_of) {
    SideReader reader(dataset, side, *builder, collector);
    LARR_RETURN_IF_ERROR(reader.Read(date));
  }
  LARR_ASSIGN_OR_RETURN(auto texts, collector.Finish());
  RefreshCounts counts = collector.counts();
  counts.tokens_encoded = builder->tokens();
  spdlog::info("planned texts_total={} texts_to_encode={} encoded_before={}",
               counts.texts_total, counts.texts_to_encode,
               counts.texts_encoded);
  LARR_RETURN_IF_ERROR(progress(counts));
  LARR_RETURN_IF_ERROR(
      Encode(std::move(texts), encoder, *builder, counts, progress));
  LARR_RETURN_IF_ERROR(
      builder->Publish(options.output, options.manifest).status());
  return counts;
}

}  // namespace larr
