// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr::stage {
namespace {

using torch::Tensor;

// At 128 numbers a text, 100 MB.
constexpr int64_t kMaxTexts = 200'000;

// A tensor of its own with the vector's values.
template <typename T>
Tensor ToTensor(std::vector<T>& values, at::IntArrayRef shape) {
  return torch::from_blob(values.data(), shape,
                          c10::CppTypeToScalarType<T>::value)
      .clone();
}

int64_t PairOf(const Impression& impression) {
  const std::hash<std::string> hash;
  return static_cast<int64_t>(hash(impression.user_id) * 0x9e3779b97f4a7c15 +
                              hash(impression.poi_id));
}

// That the dataset reads every column, and with texts has every scene feature,
// of the model's own spec.
absl::Status CheckFit(const Dataset& dataset,
                      const config::v1::CtrModelDescription& description,
                      bool with_texts) {
  const auto lacks = [&](std::string_view what, const std::string& name) {
    return Invalid(
        "model \"{}\" was trained with a spec that has the {} `{}`, but "
        "dataset \"{}\" does not have it; train the model again",
        description.name(), what, name, dataset.spec.name());
  };
  const SpecSchemas of_model(description.dataset());
  for (const Table table : {Table::kUsers, Table::kPois, Table::kImpressions})
    for (const std::string& column : of_model.of(table).names())
      if (dataset.schemas().of(table).Find(column) < 0)
        return lacks(fmt::format("column of {},", TableName(table)), column);
  if (!with_texts) return absl::OkStatus();
  const auto& features = dataset.spec.scene_features();
  for (const std::string& name : description.dataset().scene_features())
    if (std::find(features.begin(), features.end(), name) == features.end())
      return lacks("scene feature", name);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CtrBatcher>> CtrBatcher::Create(
    const Dataset& dataset, const config::v1::CtrModelDescription& description,
    const Snapshot* snapshot) {
  LARR_RETURN_IF_ERROR(CheckFit(dataset, description, snapshot != nullptr));
  LARR_ASSIGN_OR_RETURN(
      TabularEncoder encoder,
      TabularEncoder::Create(description.dataset(), description.features(),
                             dataset.schemas()));
  if (snapshot != nullptr &&
      snapshot->fingerprint() != description.embedder_fingerprint())
    return absl::FailedPreconditionError(fmt::format(
        "model \"{}\" was trained against embedder fingerprint {}, the "
        "snapshot {} has {}; embed with that checkpoint or train again",
        description.name(), description.embedder_fingerprint(),
        snapshot->folder().string(), snapshot->fingerprint()));
  std::unique_ptr<SceneTexts> texts;
  if (snapshot != nullptr)
    texts = std::make_unique<SceneTexts>(
        dataset.texts, description.dataset().scene_features(), *snapshot);
  return std::unique_ptr<CtrBatcher>(
      new CtrBatcher(std::move(encoder), std::move(texts),
                     description.has_order_task() ? 2 : 1));
}

CtrBatcher::CtrBatcher(TabularEncoder encoder,
                       std::unique_ptr<SceneTexts> texts, int tasks)
    : encoder_(std::move(encoder)),
      tasks_(tasks),
      users_(config::v1::USER, encoder_.block(config::v1::USER)),
      pois_(config::v1::POI, encoder_.block(config::v1::POI)),
      texts_(std::move(texts)) {}

void CtrBatcher::Add(const Impression& impression) {
  const size_t row = pairs_.size();
  const size_t id_count = encoder_.categorical().size();
  const size_t dense_count = encoder_.dense().size();
  ids_.resize((row + 1) * id_count);
  dense_.resize((row + 1) * dense_count);
  int64_t* ids = ids_.data() + row * id_count;
  float* dense = dense_.data() + row * dense_count;
  AddEntity(users_, impression, impression.users, impression.user_index, ids,
            dense);
  AddEntity(pois_, impression, impression.pois, impression.poi_index, ids,
            dense);
  AddRow(config::v1::CONTEXT, impression, ids, dense);
  AddRow(config::v1::CROSS, impression, ids, dense);
  labels_.push_back(impression.click);
  if (tasks_ > 1) labels_.push_back(impression.click * impression.order);
  pairs_.push_back(PairOf(impression));
  if (texts_ != nullptr) {
    const size_t r = texts_->slot_count();
    scene_.resize((row + 1) * r);
    texts_->Find(impression, std::span(scene_).subspan(row * r, r));
  }
}

void CtrBatcher::AddEntity(
    Side& side, const Impression& impression,
    const std::shared_ptr<const EntityPartition>& partition, int64_t index,
    int64_t* ids, float* dense) {
  // An unknown entity keeps the zeros: its features' defaults.
  if (index < 0) return;
  bool fresh = false;
  const auto known_ids = side.ids.At(partition, index, fresh);
  const auto known_dense = side.dense.At(partition, index, fresh);
  if (fresh)
    encoder_.EncodeSide(side.side, impression.rows(), known_ids, known_dense);
  std::copy(known_ids.begin(), known_ids.end(), ids + side.block.first_id);
  std::copy(known_dense.begin(), known_dense.end(),
            dense + side.block.first_dense);
}

void CtrBatcher::AddRow(config::v1::Side side, const Impression& impression,
                        int64_t* ids, float* dense) {
  const FeatureBlock& block = encoder_.block(side);
  encoder_.EncodeSide(
      side, impression.rows(),
      {ids + block.first_id, static_cast<size_t>(block.id_count)},
      {dense + block.first_dense, static_cast<size_t>(block.dense_count)});
}

absl::StatusOr<CtrBatch> CtrBatcher::Take() {
  const int64_t n = rows();
  CtrBatch batch;
  batch.ids =
      ToTensor(ids_, {n, static_cast<int64_t>(encoder_.categorical().size())});
  batch.dense =
      ToTensor(dense_, {n, static_cast<int64_t>(encoder_.dense().size())});
  batch.labels = ToTensor(labels_, {n, tasks_});
  batch.pairs = ToTensor(pairs_, {n});
  if (texts_ != nullptr) {
    LARR_RETURN_IF_ERROR(texts_->ReadVectors());
    batch.scene = TakeScene();
    if (texts_->size() > kMaxTexts) texts_->Forget();
  }
  ids_.clear();
  dense_.clear();
  labels_.clear();
  pairs_.clear();
  scene_.clear();
  return batch;
}

SceneBatch CtrBatcher::TakeScene() {
  place_.assign(texts_->size(), -1);
  std::vector<int32_t> distinct;
  std::vector<int64_t> slots;
  std::vector<int64_t> index(scene_.size(), -1);
  for (size_t i = 0; i < scene_.size(); ++i) {
    const int32_t text = scene_[i];
    if (text < 0 || !texts_->present(text)) continue;
    if (place_[text] < 0) {
      place_[text] = static_cast<int64_t>(distinct.size());
      distinct.push_back(text);
      slots.push_back(texts_->slot(text));
    }
    index[i] = place_[text];
  }
  const int64_t dim = texts_->dim();
  const auto count = static_cast<int64_t>(distinct.size());
  Tensor vectors = torch::empty({count, dim});
  float* out = vectors.data_ptr<float>();
  for (const int32_t text : distinct)
    out = std::copy_n(texts_->vector(text), dim, out);
  return {.texts_TC = vectors,
          .slots_T = ToTensor(slots, {count}),
          .index_Br = ToTensor(index, {rows(), texts_->slot_count()})};
}

}  // namespace larr::stage
