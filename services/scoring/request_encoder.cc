// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_encoder.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::CONTEXT;
using config::v1::CROSS;
using config::v1::POI;
using config::v1::USER;

// Appends pointers to a block's vectors, null where there is none.
void AppendVectors(const SideBlock& block, int64_t dim,
                   std::vector<const float*>& out) {
  for (size_t i = 0; i < block.present.size(); ++i) {
    out.push_back(block.present[i] ? block.vectors.data() + i * dim : nullptr);
  }
}

// Adds the texts that a side lacks, by the name of their keyword.
void AddMissing(std::span<const uint8_t> missing, std::span<const int> keywords,
                std::span<const std::string> names,
                std::map<std::string, int>& texts) {
  for (size_t i = 0; i < missing.size(); ++i) {
    if (missing[i]) ++texts[names[keywords[i]]];
  }
}

// By scene feature of a side of the model: its position among those of the
// snapshot. One that the snapshot lacks is behind all others.
std::vector<int> StoredPositions(
    const config::v1::CtrModelDescription& description,
    const Snapshot& snapshot, config::v1::Side side) {
  const config::v1::DatasetSpec& spec = description.dataset();
  std::set<std::string> of_side;
  for (const auto& keyword : spec.keywords())
    if (keyword.side() == side) of_side.insert(keyword.name());
  std::vector<std::string> stored;
  for (const std::string& name : snapshot.info().scene_features())
    if (of_side.contains(name)) stored.push_back(name);
  std::vector<int> positions;
  for (const std::string& name : spec.scene_features())
    if (of_side.contains(name))
      positions.push_back(static_cast<int>(
          std::find(stored.begin(), stored.end(), name) - stored.begin()));
  return positions;
}

}  // namespace

absl::StatusOr<RequestEncoder> RequestEncoder::Create(
    const config::v1::CtrModelDescription& description,
    const Snapshot& snapshot) {
  LARR_ASSIGN_OR_RETURN(auto renderer,
                        TextRenderer::Create(description.dataset()));
  LARR_ASSIGN_OR_RETURN(
      auto tabular,
      TabularEncoder::Create(description.dataset(), description.features()));
  return RequestEncoder(description, snapshot, std::move(renderer),
                        std::move(tabular));
}

RequestEncoder::RequestEncoder(
    const config::v1::CtrModelDescription& description,
    const Snapshot& snapshot, TextRenderer renderer, TabularEncoder tabular)
    : snapshot_(&snapshot),
      renderer_(std::move(renderer)),
      tabular_(std::move(tabular)),
      text_dim_(description.text_dim()),
      has_users_(description.dataset().has_users()),
      has_pois_(description.dataset().has_pois()) {
  for (const auto& keyword : description.dataset().keywords()) {
    keyword_names_.push_back(keyword.name());
  }
  std::set<int> context_columns;
  for (const auto& feature : description.dataset().tabular_features()) {
    for (const ColumnRef& ref : FeatureColumns(feature)) {
      if (feature.side() == CROSS)
        crosses_read_pois_ |= ref.table == Table::kPois;
      if (feature.side() == CONTEXT)
        context_columns.insert(tabular_.schemas().impressions.Find(ref.column));
    }
  }
  const auto& table = description.dataset().impressions();
  user_key_ = tabular_.schemas().impressions.Find(table.user_key());
  poi_key_ = tabular_.schemas().impressions.Find(table.poi_key());
  // A request without a user is no request without a value.
  context_columns.erase(user_key_);
  context_columns_.assign(context_columns.begin(), context_columns.end());
  if (text_dim_ == 0) return;
  user_texts_ = renderer_.SceneFeaturesOf(USER);
  context_texts_ = renderer_.SceneFeaturesOf(CONTEXT);
  poi_texts_ = renderer_.SceneFeaturesOf(POI);
  stored_user_texts_ = StoredPositions(description, snapshot, USER);
  stored_poi_texts_ = StoredPositions(description, snapshot, POI);
}

void RequestEncoder::EncodeTabular(config::v1::Side side,
                                   SideBlock& block) const {
  const FeatureBlock& layout = tabular_.block(side);
  block.ids.resize(layout.id_count);
  block.dense.resize(layout.dense_count);
  FeatureRows rows;
  if (side == CONTEXT) {
    rows.impression = &block.row;
  } else if (block.known) {
    (side == USER ? rows.user : rows.poi) = &block.row;
  }
  tabular_.EncodeSide(side, rows, block.ids, block.dense);
}

absl::Status RequestEncoder::ReadVectors(std::span<const std::string> text_ids,
                                         std::span<SideBlock> blocks) const {
  if (text_ids.empty()) return absl::OkStatus();
  const std::vector<std::string_view> keys(text_ids.begin(), text_ids.end());
  std::vector<float> vectors(keys.size() * text_dim_);
  std::vector<uint8_t> present(keys.size());
  LARR_RETURN_IF_ERROR(snapshot_->ReadVectors(keys, vectors, present).status());
  const size_t features = keys.size() / blocks.size();
  for (size_t b = 0; b < blocks.size(); ++b) {
    const size_t first = b * features;
    SideBlock& block = blocks[b];
    block.missing.resize(features);
    block.vectors.assign(vectors.begin() + first * text_dim_,
                         vectors.begin() + (first + features) * text_dim_);
    block.present.assign(present.begin() + first,
                         present.begin() + first + features);
    for (size_t i = first; i < first + features; ++i) {
      block.missing[i - first] = !keys[i].empty() && !present[i];
    }
  }
  return absl::OkStatus();
}

void RequestEncoder::UseTexts(const TextMap& texts,
                              std::span<const int> keywords,
                              std::span<std::string> text_ids) const {
  if (texts.empty()) return;
  for (size_t i = 0; i < keywords.size(); ++i) {
    const auto text = texts.find(renderer_.name(keywords[i]));
    if (text != texts.end()) {
      text_ids[i] = TextId(renderer_.Wrap(keywords[i], text->second));
    }
  }
}

absl::StatusOr<std::vector<SideBlock>> RequestEncoder::EncodeEntities(
    config::v1::Side side, std::span<const std::string_view> ids,
    std::span<const TextMap* const> texts) const {
  const std::vector<int>& keywords = side == USER ? user_texts_ : poi_texts_;
  const std::vector<int>& stored =
      side == USER ? stored_user_texts_ : stored_poi_texts_;
  const Schema& schema =
      side == USER ? tabular_.schemas().users : tabular_.schemas().pois;
  const bool has_table = side == USER ? has_users_ : has_pois_;
  std::vector<SideBlock> blocks(ids.size());
  std::vector<std::string> text_ids(ids.size() * keywords.size());
  std::vector<std::optional<storage::v1::EntityRow>> rows(ids.size());
  if (has_table) {
    LARR_ASSIGN_OR_RETURN(rows, snapshot_->ReadEntities(side, ids));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    SideBlock& block = blocks[i];
    block.row.resize(schema.size());
    if (auto& row = rows[i]; row.has_value()) {
      block.known = true;
      FillRow(schema, row->columns(), block.row);
      for (size_t t = 0; t < keywords.size(); ++t) {
        if (stored[t] >= row->text_ids_size()) continue;
        text_ids[i * keywords.size() + t] =
            std::move(*row->mutable_text_ids(stored[t]));
      }
    }
    if (!texts.empty()) {
      UseTexts(
          *texts[i], keywords,
          std::span(text_ids).subspan(i * keywords.size(), keywords.size()));
    }
    EncodeTabular(side, block);
  }
  LARR_RETURN_IF_ERROR(ReadVectors(text_ids, blocks));
  return blocks;
}

absl::StatusOr<SideBlock> RequestEncoder::EncodeContext(
    const scoring::v1::ScoreRequest& request) const {
  const Schema& schema = tabular_.schemas().impressions;
  SideBlock block;
  block.known = true;
  block.row.resize(schema.size());
  if (user_key_ >= 0 && !request.user_id().empty()) {
    block.row[user_key_] = request.user_id();
  }
  FillRow(schema, request.context(), block.row);
  EncodeTabular(CONTEXT, block);
  std::vector<std::string> text_ids;
  for (const int keyword : context_texts_) {
    const std::string text = renderer_.Render(keyword, block.row);
    text_ids.push_back(text.empty() ? std::string() : TextId(text));
  }
  UseTexts(request.texts(), context_texts_, text_ids);
  LARR_RETURN_IF_ERROR(ReadVectors(text_ids, {&block, 1}));
  // Empty: the request lacks the value, or it is not in the domain.
  for (size_t i = 0; i < text_ids.size(); ++i) {
    if (text_ids[i].empty()) block.missing[i] = 1;
  }
  return block;
}

absl::StatusOr<EncodedPois> RequestEncoder::EncodePois(
    std::span<const std::string_view> ids,
    std::span<const TextMap* const> texts) const {
  EncodedPois encoded;
  LARR_ASSIGN_OR_RETURN(encoded.blocks, EncodeEntities(POI, ids, texts));
  PoiColumns& columns = encoded.columns;
  columns.count = static_cast<int64_t>(ids.size());
  for (SideBlock& block : encoded.blocks) {
    columns.ids.insert(columns.ids.end(), block.ids.begin(), block.ids.end());
    columns.dense.insert(columns.dense.end(), block.dense.begin(),
                         block.dense.end());
    AppendVectors(block, text_dim_, columns.vectors);
    encoded.pois.push_back({block.known, {}, std::move(block.missing)});
    if (crosses_read_pois_) encoded.pois.back().row = std::move(block.row);
  }
  return encoded;
}

void RequestEncoder::EncodeCrosses(const scoring::v1::ScoreRequest& request,
                                   std::span<const EncodedPoi* const> pois,
                                   EncodedRequest& encoded) const {
  const FeatureBlock& layout = tabular_.block(CROSS);
  const Schema& schema = tabular_.schemas().impressions;
  RequestColumns& columns = encoded.columns;
  columns.cross_ids.resize(pois.size() * layout.id_count);
  columns.cross_dense.resize(pois.size() * layout.dense_count);
  Row impression = encoded.context.row;
  FeatureRows rows;
  rows.user = encoded.user.known ? &encoded.user.row : nullptr;
  rows.impression = &impression;
  for (size_t i = 0; i < pois.size(); ++i) {
    const auto& candidate = request.candidates(static_cast<int>(i));
    if (poi_key_ >= 0) impression[poi_key_] = candidate.poi_id();
    FillRow(schema, candidate.values(), impression);
    rows.poi = pois[i]->known && crosses_read_pois_ ? &pois[i]->row : nullptr;
    tabular_.EncodeSide(
        CROSS, rows,
        std::span(columns.cross_ids)
            .subspan(i * layout.id_count, layout.id_count),
        std::span(columns.cross_dense)
            .subspan(i * layout.dense_count, layout.dense_count));
    // The next candidate starts from the context again.
    for (const auto& [name, value] : candidate.values()) {
      const int column = schema.Find(name);
      if (column >= 0) impression[column] = encoded.context.row[column];
    }
  }
}

void RequestEncoder::CountMissing(std::span<const EncodedPoi* const> pois,
                                  EncodedRequest& encoded) const {
  MissingInputs& missing = encoded.missing;
  missing.users = has_users_ && !encoded.user.known;
  AddMissing(encoded.user.missing, user_texts_, keyword_names_, missing.texts);
  AddMissing(encoded.context.missing, context_texts_, keyword_names_,
             missing.texts);
  for (const int column : context_columns_) {
    if (IsNull(encoded.context.row[column]))
      missing.context.push_back(tabular_.schemas().impressions.name(column));
  }
  for (const EncodedPoi* poi : pois) {
    missing.pois += has_pois_ && !poi->known;
    AddMissing(poi->missing, poi_texts_, keyword_names_, missing.texts);
  }
}

absl::StatusOr<EncodedRequest> RequestEncoder::Encode(
    const scoring::v1::ScoreRequest& request,
    std::span<const EncodedPoi* const> pois) const {
  EncodedRequest encoded;
  const std::string_view user_id = request.user_id();
  const TextMap* texts = &request.texts();
  LARR_ASSIGN_OR_RETURN(auto users,
                        EncodeEntities(USER, {&user_id, 1}, {&texts, 1}));
  encoded.user = std::move(users[0]);
  LARR_ASSIGN_OR_RETURN(encoded.context, EncodeContext(request));
  RequestColumns& columns = encoded.columns;
  columns.candidates = request.candidates_size();
  columns.user_ids = encoded.user.ids;
  columns.user_dense = encoded.user.dense;
  columns.context_ids = encoded.context.ids;
  columns.context_dense = encoded.context.dense;
  AppendVectors(encoded.user, text_dim_, columns.user_vectors);
  AppendVectors(encoded.context, text_dim_, columns.context_vectors);
  CountMissing(pois, encoded);
  EncodeCrosses(request, pois, encoded);
  return encoded;
}

}  // namespace larr
