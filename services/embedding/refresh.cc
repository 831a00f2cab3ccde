// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/refresh.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/dataset_texts.h"
#include "common/features/stored_columns.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot_builder.h"

namespace larr {
namespace {

using config::v1::Side;

// Texts looked up in the base at once.
constexpr size_t kLookupTexts = 1024;
// Texts, known ones too, between looks at whether the refresh is to stop: a
// part of a second's reading.
constexpr size_t kSilentTexts = 65'536;
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
  TextCollector(const SnapshotBuilder& builder, const RefreshProgress& progress)
      : builder_(builder), progress_(progress) {
    counts_.tokens_encoded = builder.tokens();
  }

  absl::Status Need(std::string id, std::string text) {
    std::pair<uint64_t, uint64_t> hash;
    std::memcpy(&hash.first, id.data(), sizeof(hash.first));
    std::memcpy(&hash.second, id.data() + sizeof(hash.first),
                sizeof(hash.second));
    if (seen_.insert(hash).second) {
      waiting_.push_back({std::move(id), std::move(text)});
      if (waiting_.size() >= kLookupTexts) return LookUp();
    }
    if (++silent_ < kSilentTexts) return absl::OkStatus();
    silent_ = 0;
    return progress_(counts_);
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
    silent_ = 0;
    return progress_(counts_);
  }

  const SnapshotBuilder& builder_;
  const RefreshProgress& progress_;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
  std::vector<Text> waiting_, new_;
  size_t silent_ = 0;  // Texts since `progress`.
  RefreshCounts counts_;
};

storage::v1::EntityRow ToStored(const SpecSchemas& schemas,
                                const EntityTexts& entity) {
  const auto& kept =
      entity.side == Side::USER ? schemas.users_tabular : schemas.pois_tabular;
  const Row& row = entity.row;
  storage::v1::EntityRow stored;
  stored.set_as_of_date(entity.date);
  for (const std::string& id : entity.text_ids) stored.add_text_ids(id);
  for (size_t c = 0; c < row.size(); ++c) {
    if (!kept[c] || IsNull(row[c])) continue;
    const std::string& name =
        schemas.of(TableOf(entity.side)).name(static_cast<int>(c));
    (*stored.mutable_columns())[name] = ToProto(row[c]);
  }
  return stored;
}

// Takes the texts into the collector, users and POIs into the builder.
absl::Status Collect(const Dataset& dataset,
                     const std::map<Side, std::string>& days,
                     SnapshotBuilder& builder, TextCollector& collector) {
  const auto on_text = [&](std::string id, std::string text) {
    return collector.Need(std::move(id), std::move(text));
  };
  const auto on_entity = [&](const EntityTexts& entity) -> absl::Status {
    LARR_RETURN_IF_ERROR(builder.AddEntity(
        entity.side, entity.key, ToStored(dataset.schemas(), entity)));
    if (entity.description.empty()) return absl::OkStatus();
    return builder.AddPoiDescription(entity.key, TextId(entity.description),
                                     entity.description);
  };
  return ReadDatasetTexts(dataset, days, on_text, on_entity);
}

// Leaves out the texts of which the encoder can make no vector.
void DropUnknown(const TextEncoder& encoder, std::vector<Text>& texts,
                 RefreshCounts& counts) {
  const size_t dropped = std::erase_if(
      texts, [&](const Text& text) { return !encoder.Knows(text.text); });
  if (dropped == 0) return;
  counts.texts_unknown = static_cast<int64_t>(dropped);
  counts.texts_to_encode -= counts.texts_unknown;
  spdlog::warn("the encoder has no vector for some texts unknown={} total={}",
               counts.texts_unknown, counts.texts_total);
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
    counts.texts_now += static_cast<int64_t>(chunk.size());
    counts.tokens_now += encoded.tokens;
    LARR_RETURN_IF_ERROR(progress(counts));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RefreshCounts> Refresh(const RefreshOptions& options,
                                      TextEncoder& encoder,
                                      const RefreshProgress& progress) {
  LARR_ASSIGN_OR_RETURN(const Dataset dataset, OpenDataset(options.dataset));
  LARR_ASSIGN_OR_RETURN(const auto days,
                        EntityDays(dataset, options.as_of_date));
  storage::v1::SnapshotInfo info;
  info.set_embedder_fingerprint(encoder.fingerprint());
  info.set_dim(encoder.dim());
  *info.mutable_scene_features() = dataset.spec.scene_features();
  *info.mutable_entity_columns() = EntityColumnsOf(dataset.schemas());
  for (const auto& [side, date] : days) {
    if (date > info.as_of_date()) info.set_as_of_date(date);
  }
  LARR_ASSIGN_OR_RETURN(
      const auto builder,
      SnapshotBuilder::Open(options.work, info, options.base));

  TextCollector collector(*builder, progress);
  LARR_RETURN_IF_ERROR(progress(collector.counts()));
  LARR_RETURN_IF_ERROR(Collect(dataset, days, *builder, collector));
  LARR_ASSIGN_OR_RETURN(auto texts, collector.Finish());
  RefreshCounts counts = collector.counts();
  DropUnknown(encoder, texts, counts);
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
