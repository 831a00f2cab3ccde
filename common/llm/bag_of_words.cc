// SPDX-License-Identifier: Apache-2.0
#include "common/llm/bag_of_words.h"

#include <fmt/format.h>
#include <torch/utils.h>
#include <xxhash.h>

#include <cmath>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/tensors/safetensors.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

constexpr char kWeightsFile[] = "word_weights.safetensors";
constexpr char kWeights[] = "weights";

bool IsWordByte(unsigned char c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  bool within = false;
  for (const char c : text) {
    if (!IsWordByte(static_cast<unsigned char>(c))) {
      within = false;
      continue;
    }
    if (!within) words.emplace_back();
    within = true;
    const bool upper = c >= 'A' && c <= 'Z';
    words.back() += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

int32_t ColumnOf(const std::string& term) {
  return static_cast<int32_t>(XXH3_64bits(term.data(), term.size()) %
                              BagOfWords::kColumns);
}

// How often each column is there.
std::unordered_map<int32_t, float> CountsOf(const TokenIds& columns) {
  std::unordered_map<int32_t, float> counts;
  for (const int32_t column : columns) ++counts[column];
  return counts;
}

}  // namespace

BagOfWords BagOfWords::Learn(std::span<const std::string_view> texts) {
  std::vector<int64_t> documents(kColumns);
  for (const std::string_view text : texts) {
    for (const auto& [column, count] : CountsOf(ColumnsOf(text)))
      ++documents[column];
  }
  torch::Tensor weights = torch::empty({kColumns}, torch::kFloat32);
  const auto all = static_cast<double>(texts.size());
  for (int64_t i = 0; i < kColumns; ++i) {
    const auto here = static_cast<double>(documents[i]);
    weights.mutable_data_ptr<float>()[i] =
        static_cast<float>(1 + std::log((1 + all) / (1 + here)));
  }
  return BagOfWords(std::move(weights));
}

TokenIds BagOfWords::ColumnsOf(std::string_view text) {
  TokenIds columns;
  const auto words = WordsOf(text);
  for (size_t i = 0; i < words.size(); ++i) {
    columns.push_back(ColumnOf(words[i]));
    if (i > 0) columns.push_back(ColumnOf(words[i - 1] + " " + words[i]));
  }
  return columns;
}

torch::Tensor BagOfWords::States(std::span<const std::string> texts) const {
  std::vector<TokenIds> columns;
  columns.reserve(texts.size());
  for (const std::string& text : texts) columns.push_back(ColumnsOf(text));
  return States(columns);
}

torch::Tensor BagOfWords::States(std::span<const TokenIds> columns) const {
  const auto count = static_cast<int64_t>(columns.size());
  torch::Tensor states = torch::zeros({count, kColumns}, torch::kFloat32);
  const float* weights = weights_.const_data_ptr<float>();
  float* row = states.mutable_data_ptr<float>();
  for (const TokenIds& text : columns) {
    double square = 0;
    const auto counts = CountsOf(text);
    for (const auto& [column, times] : counts) {
      row[column] = times * weights[column];
      square += double{row[column]} * row[column];
    }
    for (const auto& [column, times] : counts)
      row[column] /= static_cast<float>(std::sqrt(square));
    row += kColumns;
  }
  return states;
}

absl::Status WriteBagOfWords(const fs::path& folder, const BagOfWords& words,
                             EmbedderHead head) {
  head.config.set_bag_of_words(true);
  LARR_RETURN_IF_ERROR(WriteEmbedderHead(folder, head));
  return WriteSafetensors(folder / kWeightsFile, {{kWeights, words.weights()}});
}

BagOfWordsEmbedder::BagOfWordsEmbedder(BagOfWords words, EmbedderHead head,
                                       std::string fingerprint)
    : words_(std::move(words)),
      head_(std::move(head)),
      fingerprint_(std::move(fingerprint)) {}

absl::StatusOr<BagOfWordsEmbedder> BagOfWordsEmbedder::Open(
    const fs::path& folder) {
  LARR_ASSIGN_OR_RETURN(auto head,
                        ReadEmbedderHead(folder, BagOfWords::kColumns));
  LARR_ASSIGN_OR_RETURN(const auto file,
                        SafetensorsFile::Open(folder / kWeightsFile));
  const int64_t shape[] = {BagOfWords::kColumns};
  LARR_ASSIGN_OR_RETURN(const auto weights,
                        file.View(kWeights, shape, torch::kFloat32));
  std::string text = "bag of words\n";
  for (const auto& slot : head.config.slots())
    text += fmt::format("slot {}\n", slot);
  for (const char* name : {kProjectionFile, kWeightsFile}) {
    LARR_ASSIGN_OR_RETURN(const auto hash, Sha256File(folder / name));
    text += fmt::format("{} {}\n", name, hash);
  }
  return BagOfWordsEmbedder(BagOfWords(weights.clone()), std::move(head),
                            Sha256(text));
}

torch::Tensor BagOfWordsEmbedder::Embed(
    std::span<const std::string> texts) const {
  return words_.States(texts).mm(head_.projection.t());
}

}  // namespace larr
