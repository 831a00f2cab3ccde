// SPDX-License-Identifier: Apache-2.0
#include "tests/services/scoring/offline_scorer.h"

#include <torch/types.h>

#include <optional>

#include "common/ctr/model_io.h"
#include "common/features/tabular_encoder.h"
#include "common/features/text_renderer.h"

namespace larr::testing {
namespace {

std::optional<Row> Find(const std::map<std::string, Columns>& table,
                        const std::string& id, const Schema& schema) {
  const auto it = table.find(id);
  if (it == table.end()) return std::nullopt;
  return RowOf(schema, it->second);
}

}  // namespace

struct OfflineScorer::State {
  const ScoringWorld& world;
  LoadedCtrModel loaded;
  TabularEncoder encoder;
  TextRenderer renderer;

  void AddScene(const FeatureRows& rows, CtrBatch& batch) const;
};

OfflineScorer::OfflineScorer(const ScoringWorld& world,
                             const std::filesystem::path& model) {
  auto loaded = *LoadCtrModel(model);
  auto encoder =
      *TabularEncoder::Create(world.spec(), loaded.description.features());
  state_.reset(new State{world, std::move(loaded), std::move(encoder),
                         *TextRenderer::Create(world.spec())});
}

OfflineScorer::~OfflineScorer() = default;

std::pair<float, float> OfflineScorer::Score(
    const Impression& impression) const {
  const SpecSchemas& schemas = state_->encoder.schemas();
  const auto user = Find(state_->world.users, impression.user, schemas.users);
  const auto poi = Find(state_->world.pois, impression.poi, schemas.pois);
  const Row row = RowOf(schemas.impressions, impression.columns);
  const FeatureRows rows{user ? &*user : nullptr, poi ? &*poi : nullptr, &row};
  CtrBatch batch;
  std::vector<int64_t> ids(state_->encoder.categorical().size());
  std::vector<float> dense(state_->encoder.dense().size());
  state_->encoder.Encode(rows, ids, dense);
  batch.ids = torch::tensor(ids).unsqueeze(0);
  batch.dense = torch::tensor(dense).unsqueeze(0);
  if (state_->loaded.description.text_dim() > 0) {
    state_->AddScene(rows, batch);
  }
  const auto scores = state_->loaded.model->Predict(batch);
  return {scores[0][0].item<float>(), scores[0][1].item<float>()};
}

void OfflineScorer::State::AddScene(const FeatureRows& rows,
                                    CtrBatch& batch) const {
  std::vector<float> texts;
  std::vector<int64_t> slots, index;
  for (size_t s = 0; s < renderer.scene_features().size(); ++s) {
    const int keyword = renderer.scene_features()[s];
    const Row* row = rows.of(TableOf(renderer.side(keyword)));
    const std::string text =
        row == nullptr ? "" : renderer.Render(keyword, *row);
    const bool stored = ScoringWorld::IsStored(text);
    index.push_back(stored ? static_cast<int64_t>(slots.size()) : -1);
    if (!stored) continue;
    const auto vector = ScoringWorld::VectorOfText(text, 8);
    texts.insert(texts.end(), vector.begin(), vector.end());
    slots.push_back(static_cast<int64_t>(s));
  }
  batch.scene.texts_TC =
      torch::tensor(texts).view({static_cast<int64_t>(slots.size()), 8});
  batch.scene.slots_T = torch::tensor(slots, torch::kInt64);
  batch.scene.index_Br = torch::tensor(index, torch::kInt64).unsqueeze(0);
}

}  // namespace larr::testing
