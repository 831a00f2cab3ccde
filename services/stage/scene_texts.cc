// SPDX-License-Identifier: Apache-2.0
#include "services/stage/scene_texts.h"

#include <algorithm>
#include <string_view>

#include "common/base/status_macros.h"

namespace larr::stage {

namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

std::vector<int> KeywordsNamed(const TextRenderer& renderer,
                               const Names& names) {
  std::vector<int> keywords;
  for (const std::string& name : names)
    for (const int keyword : renderer.scene_features())
      if (renderer.name(keyword) == name) keywords.push_back(keyword);
  return keywords;
}

}  // namespace

SceneTexts::SceneTexts(const TextRenderer& renderer, const Names& names,
                       const Snapshot& snapshot)
    : renderer_(renderer),
      snapshot_(snapshot),
      keywords_(KeywordsNamed(renderer, names)),
      users_(PositionsOf(config::v1::USER)),
      pois_(PositionsOf(config::v1::POI)),
      context_(PositionsOf(config::v1::CONTEXT)) {}

std::vector<int> SceneTexts::PositionsOf(config::v1::Side side) const {
  std::vector<int> found;
  for (int i = 0; i < slot_count(); ++i)
    if (renderer_.side(keywords_[i]) == side) found.push_back(i);
  return found;
}

void SceneTexts::Find(const Impression& impression, std::span<int32_t> out) {
  FindEntity(users_, impression.users, impression.user_index, out);
  FindEntity(pois_, impression.pois, impression.poi_index, out);
  for (const int position : context_)
    out[position] = TextOf(position, impression.values);
}

void SceneTexts::FindEntity(
    Side& side, const std::shared_ptr<const EntityPartition>& partition,
    int64_t index, std::span<int32_t> out) {
  if (side.positions.empty()) return;
  if (index < 0) {
    for (const int position : side.positions) out[position] = -1;
    return;
  }
  bool fresh = false;
  const auto texts = side.rows.At(partition, index, fresh);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (fresh) texts[i] = TextOf(side.positions[i], partition->row(index));
    out[side.positions[i]] = texts[i];
  }
}

int32_t SceneTexts::TextOf(int position, const Row& row) {
  const std::string text = renderer_.Render(keywords_[position], row);
  if (text.empty()) return -1;
  const auto [it, added] =
      texts_.try_emplace(TextId(text), static_cast<int32_t>(slots_.size()));
  if (added) {
    slots_.push_back(position);
    unread_.push_back(it->first);
  }
  return it->second;
}

absl::Status SceneTexts::ReadVectors() {
  if (unread_.empty()) return absl::OkStatus();
  vectors_.resize(slots_.size() * dim());
  present_.resize(slots_.size());
  const std::vector<std::string_view> ids(unread_.begin(), unread_.end());
  const size_t first = slots_.size() - ids.size();
  LARR_ASSIGN_OR_RETURN(
      const int64_t found,
      snapshot_.ReadVectors(ids, std::span(vectors_).subspan(first * dim()),
                            std::span(present_).subspan(first)));
  missing_ += static_cast<int64_t>(ids.size()) - found;
  unread_.clear();
  return absl::OkStatus();
}

void SceneTexts::Forget() {
  users_.rows.Forget();
  pois_.rows.Forget();
  texts_.clear();
  unread_.clear();
  slots_.clear();
  present_.clear();
  vectors_.clear();
}

}  // namespace larr::stage
