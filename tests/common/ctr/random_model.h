// SPDX-License-Identifier: Apache-2.0
//
// Models and requests of random shapes, for properties that hold for all.
#pragma once

#include <fmt/format.h>
#include <torch/utils.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/ctr/model_io.h"
#include "common/ctr/scorer_input.h"

namespace larr::testing {

class RandomModel {
 public:
  explicit RandomModel(unsigned seed) : random_(seed) {
    auto& d = description_;
    d.set_name("random");
    d.set_has_order_task(Draw(0, 1) == 1);
    auto& a = *d.mutable_architecture();
    const bool texts = Draw(0, 3) > 0;
    a.set_kind(texts ? config::v1::CtrArchitecture::LARR
                     : config::v1::CtrArchitecture::PLE);
    a.set_embedding_width(Draw(1, 20));
    a.set_ple_levels(Draw(1, 3));
    a.set_task_experts(Draw(1, 3));
    a.set_shared_experts(Draw(1, 3));
    for (int level = 0; level < a.ple_levels(); ++level)
      a.add_expert_widths(Draw(1, 40));
    a.set_tower_width(Draw(1, 20));
    a.set_encoder_heads(Draw(1, 4));
    a.set_encoder_ffn_width(Draw(1, 40));
    if (texts) d.set_text_dim(a.encoder_heads() * Draw(1, 20));
    const char* names[] = {"user", "context", "poi", "cross"};
    const config::v1::Side sides[] = {config::v1::USER, config::v1::CONTEXT,
                                      config::v1::POI, config::v1::CROSS};
    for (int b = 0; b < 4; ++b) AddBlock(names[b], sides[b], texts);
    loaded_ = std::make_shared<const LoadedCtrModel>(MakeLoaded(seed));
  }

  const std::shared_ptr<const LoadedCtrModel>& loaded() const {
    return loaded_;
  }
  const CtrLayout& layout() const { return loaded_->model->layout(); }

  // Vectors are this object's.
  PoiColumns Pois(int64_t count) {
    PoiColumns pois{.count = count};
    Fill(layout().blocks[2], count, pois.ids, pois.dense);
    FillVectors(config::v1::POI, count, pois.vectors);
    return pois;
  }

  RequestColumns Request(int64_t candidates) {
    RequestColumns request{.candidates = candidates};
    const auto& blocks = layout().blocks;
    Fill(blocks[0], 1, request.user_ids, request.user_dense);
    Fill(blocks[1], 1, request.context_ids, request.context_dense);
    Fill(blocks[3], candidates, request.cross_ids, request.cross_dense);
    FillVectors(config::v1::USER, 1, request.user_vectors);
    FillVectors(config::v1::CONTEXT, 1, request.context_vectors);
    return request;
  }

  int Draw(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random_);
  }

 private:
  void AddBlock(const std::string& name, config::v1::Side side, bool texts) {
    auto& spec = *description_.mutable_dataset();
    const std::string table = side == config::v1::CROSS ? "impressions." : "";
    const auto add = [&](const std::string& feature) {
      description_.add_features()->set_name(feature);
      description_.mutable_features()->rbegin()->set_deviation(1);
      auto& added = *spec.add_tabular_features();
      added.set_name(feature);
      added.set_side(side);
      return &added;
    };
    // A user's first is there for e_t.
    const int ids = Draw(side == config::v1::USER ? 1 : 0, 3);
    for (int i = 0; i < ids; ++i) {
      const std::string feature = fmt::format("{}_id_{}", name, i);
      auto& hash = *add(feature)->mutable_hash();
      hash.add_columns(table + feature);
      hash.set_buckets(Draw(2, 30));
    }
    if (side == config::v1::USER) spec.add_user_embedding_features("user_id_0");
    const int numbers = Draw(0, 3);
    for (int i = 0; i < numbers; ++i) {
      const std::string feature = fmt::format("{}_number_{}", name, i);
      add(feature)->mutable_dense()->set_column(table + feature);
    }
    if (!texts || side == config::v1::CROSS) return;
    // A context's first is there, so that there is one.
    const int keywords = Draw(side == config::v1::CONTEXT ? 1 : 0, 3);
    for (int i = 0; i < keywords; ++i) {
      auto& keyword = *spec.add_keywords();
      keyword.set_name(fmt::format("{}_text_{}", name, i));
      keyword.set_side(side);
      spec.add_scene_features(keyword.name());
    }
  }

  // Weights larger than fresh ones, so that no part of a score is negligible.
  LoadedCtrModel MakeLoaded(unsigned seed) {
    LoadedCtrModel loaded{description_,
                          NewCtrModel(description_, seed).value()};
    const torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : NamedTensors(*loaded.model))
      if (tensor.is_floating_point() && name != "scene.scale")
        tensor.add_(torch::randn_like(tensor), 0.2);
    return loaded;
  }

  void Fill(const CtrBlock& block, int64_t rows, std::vector<int64_t>& ids,
            std::vector<float>& dense) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < block.id_count; ++i)
        ids.push_back(Draw(
            0, static_cast<int>(layout().table_rows[block.first_id + i]) - 1));
      for (int64_t i = 0; i < block.dense_count; ++i) dense.push_back(Number());
    }
  }

  void FillVectors(config::v1::Side side, int64_t rows,
                   std::vector<const float*>& vectors) {
    const auto count =
        rows * static_cast<int64_t>(layout().SlotsOf(side).size());
    for (int64_t i = 0; i < count; ++i) {
      if (Draw(0, 4) == 0) {
        vectors.push_back(nullptr);
        continue;
      }
      auto& vector = texts_.emplace_back(
          std::make_unique<std::vector<float>>(layout().text_dim));
      for (float& value : *vector) value = Number();
      vectors.push_back(vector->data());
    }
  }

  float Number() { return std::normal_distribution<float>()(random_); }

  std::mt19937 random_;
  config::v1::CtrModelDescription description_;
  std::shared_ptr<const LoadedCtrModel> loaded_;
  std::vector<std::unique_ptr<std::vector<float>>> texts_;
};

}  // namespace larr::testing
