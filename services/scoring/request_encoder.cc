// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/request_encoder.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

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

// The distinct POIs of a request, and for each candidate which it is.
struct DistinctPois {
  std::vector<std::string_view> ids;
  std::vector<size_t> of_candidate;
};

DistinctPois FindDistinct(const scoring::v1::ScoreRequest& request) {
  DistinctPois pois;
  std::unordered_map<std::string_view, size_t> index;
  for (const auto& candidate : request.candidates()) {
    const auto [it, is_new] =
        index.try_emplace(candidate.poi_id(), pois.ids.size());
    if (is_new) pois.ids.push_back(candidate.poi_id());
    pois.of_candidate.push_back(it->second);
  }
  return pois;
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
  const auto& table = description.dataset().impressions();
  user_key_ = tabular_.schemas().impressions.Find(table.user_key());
  poi_key_ = tabular_.schemas().impressions.Find(table.poi_key());
  if (text_dim_ == 0) return;
  user_texts_ = renderer_.SceneFeaturesOf(USER);
  context_texts_ = renderer_.SceneFeaturesOf(CONTEXT);
  poi_texts_ = renderer_.SceneFeaturesOf(POI);
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
    block.vectors.assign(vectors.begin() + first * text_dim_,
                         vectors.begin() + (first + features) * text_dim_);
    block.present.assign(present.begin() + first,
                         present.begin() + first + features);
    for (size_t i = first; i < first + features; ++i) {
      if (!keys[i].empty() && !present[i]) ++block.missing_texts;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SideBlock>> RequestEncoder::EncodeEntities(
    config::v1::Side side, std::span<const std::string_view> ids) const {
  const std::vector<int>& texts = side == USER ? user_texts_ : poi_texts_;
  const Schema& schema =
      side == USER ? tabular_.schemas().users : tabular_.schemas().pois;
  const bool has_table = side == USER ? has_users_ : has_pois_;
  std::vector<SideBlock> blocks(ids.size());
  std::vector<std::string> text_ids(ids.size() * texts.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    SideBlock& block = blocks[i];
    block.row.resize(schema.size());
    if (has_table) {
      LARR_ASSIGN_OR_RETURN(auto row, snapshot_->ReadEntity(side, ids[i]));
      if (row.has_value()) {
        block.known = true;
        FillRow(schema, row->columns(), block.row);
        const size_t stored =
            std::min<size_t>(texts.size(), row->text_ids_size());
        for (size_t t = 0; t < stored; ++t) {
          text_ids[i * texts.size() + t] =
              std::move(*row->mutable_text_ids(static_cast<int>(t)));
        }
      }
    }
    EncodeTabular(side, block);
  }
  LARR_RETURN_IF_ERROR(ReadVectors(text_ids, blocks));
  return blocks;
}

absl::StatusOr<SideBlock> RequestEncoder::EncodeContext(
    const ValueMap& values, std::string_view user_id) const {
  const Schema& schema = tabular_.schemas().impressions;
  SideBlock block;
  block.known = true;
  block.row.resize(schema.size());
  if (user_key_ >= 0 && !user_id.empty()) {
    block.row[user_key_] = std::string(user_id);
  }
  FillRow(schema, values, block.row);
  EncodeTabular(CONTEXT, block);
  std::vector<std::string> text_ids;
  int absent = 0;  // the request lacks the value, or it is not in the domain
  for (const int keyword : context_texts_) {
    const std::string text = renderer_.Render(keyword, block.row);
    text_ids.push_back(text.empty() ? std::string() : TextId(text));
    if (text.empty()) ++absent;
  }
  LARR_RETURN_IF_ERROR(ReadVectors(text_ids, {&block, 1}));
  block.missing_texts += absent;
  return block;
}

void RequestEncoder::EncodeCross(const scoring::v1::ScoreRequest& request,
                                 const std::vector<size_t>& poi_of,
                                 EncodedRequest& encoded) const {
  const FeatureBlock& layout = tabular_.block(CROSS);
  const auto n = static_cast<size_t>(request.candidates_size());
  ScorerInput& input = encoded.input;
  input.cross_ids.resize(n * layout.id_count);
  input.cross_dense.resize(n * layout.dense_count);
  Row impression;
  for (size_t i = 0; i < n; ++i) {
    const auto& candidate = request.candidates(static_cast<int>(i));
    const SideBlock& poi = encoded.pois[poi_of[i]];
    impression = encoded.context.row;
    if (poi_key_ >= 0) impression[poi_key_] = candidate.poi_id();
    FillRow(tabular_.schemas().impressions, candidate.values(), impression);
    FeatureRows rows;
    rows.user = encoded.user.known ? &encoded.user.row : nullptr;
    rows.poi = poi.known ? &poi.row : nullptr;
    rows.impression = &impression;
    tabular_.EncodeSide(
        CROSS, rows,
        std::span(input.cross_ids)
            .subspan(i * layout.id_count, layout.id_count),
        std::span(input.cross_dense)
            .subspan(i * layout.dense_count, layout.dense_count));
  }
}

absl::StatusOr<EncodedRequest> RequestEncoder::Encode(
    const scoring::v1::ScoreRequest& request) const {
  EncodedRequest encoded;
  const std::string_view user_id = request.user_id();
  LARR_ASSIGN_OR_RETURN(auto users, EncodeEntities(USER, {&user_id, 1}));
  encoded.user = std::move(users[0]);
  LARR_ASSIGN_OR_RETURN(encoded.context,
                        EncodeContext(request.context(), user_id));
  const DistinctPois distinct = FindDistinct(request);
  LARR_ASSIGN_OR_RETURN(encoded.pois, EncodeEntities(POI, distinct.ids));

  ScorerInput& input = encoded.input;
  input.candidates = request.candidates_size();
  input.user_ids = encoded.user.ids;
  input.user_dense = encoded.user.dense;
  input.context_ids = encoded.context.ids;
  input.context_dense = encoded.context.dense;
  AppendVectors(encoded.user, text_dim_, input.user_vectors);
  AppendVectors(encoded.context, text_dim_, input.context_vectors);
  encoded.missing.users = has_users_ && !encoded.user.known;
  encoded.missing.user_texts = encoded.user.missing_texts;
  encoded.missing.context_texts = encoded.context.missing_texts;
  for (const size_t index : distinct.of_candidate) {
    const SideBlock& poi = encoded.pois[index];
    input.poi_ids.insert(input.poi_ids.end(), poi.ids.begin(), poi.ids.end());
    input.poi_dense.insert(input.poi_dense.end(), poi.dense.begin(),
                           poi.dense.end());
    AppendVectors(poi, text_dim_, input.poi_vectors);
    encoded.missing.pois += has_pois_ && !poi.known;
    encoded.missing.poi_texts += poi.missing_texts;
  }
  EncodeCross(request, distinct.of_candidate, encoded);
  return encoded;
}

}  // namespace larr
