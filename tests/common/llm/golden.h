// SPDX-License-Identifier: Apache-2.0
//
// The stored outputs of `transformers` (tests/golden), and the models that
// they belong to.
#pragma once

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/llm/decoder.h"
#include "common/llm/llm_config.h"
#include "common/llm/weights.h"
#include "common/tensors/safetensors.h"

namespace larr::testing {

inline std::filesystem::path Folder(const char* variable,
                                    const char* fallback) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : fallback;
}
inline std::filesystem::path TinyFolder() {
  return Folder("LARR_SOURCE_DIR", ".") / "tests/golden/tiny_llama";
}
inline std::filesystem::path SentencepieceFolder(const char* name) {
  return Folder("LARR_SOURCE_DIR", ".") / "tests/golden/sentencepiece" / name;
}
// Of tests/golden/families; see make_llm_goldens.py.
inline std::filesystem::path FamilyFolder(const char* name) {
  return Folder("LARR_SOURCE_DIR", ".") / "tests/golden/families" / name;
}
// All folders that hold weights and their goldens with gradients.
inline std::vector<std::filesystem::path> GoldenFolders() {
  return {TinyFolder(),
          FamilyFolder("llama3"),
          FamilyFolder("llama_bias"),
          FamilyFolder("qwen2_tied"),
          FamilyFolder("qwen2_untied"),
          FamilyFolder("baichuan2")};
}
inline std::filesystem::path SmolGoldens() {
  return Folder("LARR_SOURCE_DIR", ".") / "tests/golden/llm";
}
inline std::filesystem::path SmolFolder() {
  return Folder("LARR_DEPS", ".deps") / "models/smollm2-135m";
}

template <typename T>
T Value(absl::StatusOr<T> result) {
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  return *std::move(result);
}

struct Model {
  LlmConfig config;
  LlmWeights weights;
};

inline Model ReadModel(const std::filesystem::path& folder,
                       torch::ScalarType dtype) {
  Model model;
  model.config = Value(ReadLlmConfig(folder / "config.json"));
  model.weights = Value(ReadLlmWeights(folder, model.config, dtype));
  return model;
}

inline TokenIds Ids(const SafetensorsFile& goldens, int text) {
  const auto ids = Value(goldens.View(std::to_string(text) + ".ids"));
  return {ids.data_ptr<int64_t>(), ids.data_ptr<int64_t>() + ids.size(0)};
}

inline std::vector<TokenIds> AllIds(const SafetensorsFile& goldens) {
  std::vector<TokenIds> texts;
  for (int i = 0; goldens.Contains(std::to_string(i) + ".ids"); ++i)
    texts.push_back(Ids(goldens, i));
  return texts;
}

inline double MaxDifference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kFloat32) - b.to(torch::kFloat32))
      .abs()
      .max()
      .item<double>();
}

// The smallest cosine between equal rows.
inline double MinCosine(const torch::Tensor& a, const torch::Tensor& b) {
  return torch::cosine_similarity(a.to(torch::kFloat64), b.to(torch::kFloat64),
                                  -1)
      .min()
      .item<double>();
}

}  // namespace larr::testing
