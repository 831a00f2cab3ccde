// SPDX-License-Identifier: Apache-2.0
//
// The tiny model of tests/golden in float32 on pairs of all three kinds.
#pragma once

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "common/config/training_settings.h"
#include "common/llm/checkpoint.h"
#include "services/stage/contrast_sampler.h"
#include "services/stage/llm_stage.h"
#include "services/stage/pair_model.h"
#include "tests/common/llm/golden.h"
#include "tests/services/stage/tiny_corpus.h"

namespace larr::stage {

// User i ordered at POI i; each has one slot on either side of a pair.
inline ContrastData DataOf(int count) {
  using testing::Slot;
  ContrastData data;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i), m = std::to_string(7 * i);
    data.users.push_back(
        {"u" + n, "d", {Slot("profile", n), Slot("history", m)}, ""});
    data.pois.push_back(
        {"p" + n, "d", {Slot("POI_name", n), "", "", Slot("POI_tags", m)}, ""});
    data.pairs.push_back({"u" + n, "p" + n, "d", {Slot("weather", "hot")}});
    data.known_orders.emplace_back("u" + n, "p" + n);
  }
  return data;
}

inline config::v1::ContrastConfig PairConfig(int pairs_per_step) {
  config::v1::ContrastConfig config;
  config.set_pairs_per_step(pairs_per_step);
  config.set_max_tokens(64);
  config.set_temperature(0.05);
  config.set_user_user_weight(1);
  config.set_poi_poi_weight(0.5);
  config.set_user_poi_weight(2);
  config.set_keyword_dropout(0.2);
  config.set_tokens_per_chunk(8192);
  return config;
}

// All of the model learns.
struct PairWorld {
  config::v1::ContrastConfig config;
  ContrastSampler sampler;
  Checkpoint checkpoint;
  Decoder decoder;
  std::vector<TrainedTensor> trained;
  torch::Tensor coordinates, projection;
  ProcessGroup alone;
  PairModel model;

  PairWorld(ContrastData data, config::v1::ContrastConfig settings)
      : config(std::move(settings)),
        sampler(testing::Value(
            ContrastSampler::Create(Dataset(), config, std::move(data), 1))),
        checkpoint(testing::Value(
            ReadCheckpoint(testing::TinyFolder(), torch::kFloat32))),
        decoder(checkpoint.config, checkpoint.weights, Specials(checkpoint), 0),
        trained(decoder.Train(true)),
        coordinates(Random(checkpoint.config.hidden_size)),
        projection(torch::eye(kEmbeddingDim, coordinates.size(0))
                       .requires_grad_(true)),
        model(config, LanguageModel(checkpoint.tokenizer, decoder, config),
              coordinates, projection, alone) {
    trained.push_back({"projection", projection, true});
  }

  static config::v1::DatasetSpec Dataset() {
    return testing::Value(
        ParseTextProto<config::v1::DatasetSpec>(testing::kTinyDataset));
  }
  static torch::Tensor Random(int64_t hidden) {
    torch::manual_seed(1);
    return torch::randn({hidden, hidden});
  }
  static int64_t Specials(Checkpoint& checkpoint) {
    return testing::Value(AddSlots(SlotsOf(Dataset()), 1, checkpoint));
  }
};

}  // namespace larr::stage
