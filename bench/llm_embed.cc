// SPDX-License-Identifier: Apache-2.0
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/llm.h"
#include "bench/llm_material.h"
#include "common/base/status_macros.h"
#include "common/features/text_renderer.h"
#include "common/llm/embedder.h"
#include "common/llm/tokenizer.h"
#include "common/store/snapshot.h"
#include "services/embedding/llm_encoder.h"
#include "services/embedding/refresh.h"

namespace larr::bench {
namespace {

absl::StatusOr<std::vector<TokenIds>> Tokenize(
    const Arguments& arguments, const std::vector<std::string>& texts) {
  LARR_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                        Tokenizer::Open(arguments.folder / "embedder"));
  return tokenizer.Encode(texts);
}

absl::StatusOr<int64_t> TokensOf(const Arguments& arguments,
                                 const std::vector<std::string>& texts) {
  LARR_ASSIGN_OR_RETURN(const auto ids, Tokenize(arguments, texts));
  int64_t tokens = 0;
  for (const TokenIds& text : ids) tokens += static_cast<int64_t>(text.size());
  return tokens;
}

absl::StatusOr<Embedder> Open(const Arguments& arguments,
                              config::v1::Precision precision) {
  EmbedderOptions options;
  options.precision = precision;
  options.threads = arguments.threads;
  return Embedder::Open(arguments.folder / "embedder", options);
}

absl::StatusOr<std::vector<float>> Embed(std::span<const std::string> texts,
                                         Embedder& embedder) {
  std::vector<float> vectors;
  LARR_RETURN_IF_ERROR(
      embedder.Embed(texts, [&](const Embedder::Result& result) {
        vectors.insert(vectors.end(), result.vectors.begin(),
                       result.vectors.end());
        return absl::OkStatus();
      }));
  return vectors;
}

absl::StatusOr<std::vector<float>> StoredVectors(
    const std::filesystem::path& folder,
    const std::vector<std::string>& texts) {
  LARR_ASSIGN_OR_RETURN(const auto snapshot, Snapshot::Open(folder));
  std::vector<std::string> ids;
  for (const std::string& text : texts) ids.push_back(TextId(text));
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  std::vector<float> vectors(ids.size() * snapshot->dim());
  std::vector<uint8_t> present(ids.size());
  LARR_RETURN_IF_ERROR(snapshot->ReadVectors(views, vectors, present).status());
  return vectors;
}

}  // namespace

absl::Status EmbedTexts(const Arguments& arguments,
                        config::v1::Precision precision, int texts,
                        const Serve& serve) {
  const std::vector<std::string> all = WholeTexts(texts);
  LARR_ASSIGN_OR_RETURN(const int64_t tokens, TokensOf(arguments, all));
  LARR_ASSIGN_OR_RETURN(Embedder embedder, Open(arguments, precision));
  return serve(tokens, [&] { return Embed(all, embedder); });
}

absl::Status LoadEmbedder(const Arguments& arguments, const Serve& serve) {
  const std::vector<std::string> first = WholeTexts(1);
  return serve(1, [&]() -> absl::StatusOr<std::vector<float>> {
    LARR_ASSIGN_OR_RETURN(Embedder embedder, Open(arguments, config::v1::BF16));
    return Embed(first, embedder);
  });
}

absl::Status TokenizeTexts(const Arguments& arguments, const Serve& serve) {
  const std::vector<std::string> texts = WholeTexts(kTexts);
  LARR_ASSIGN_OR_RETURN(const int64_t tokens, TokensOf(arguments, texts));
  LARR_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                        Tokenizer::Open(arguments.folder / "embedder"));
  return serve(tokens, [&]() -> absl::StatusOr<std::vector<float>> {
    LARR_ASSIGN_OR_RETURN(const auto ids, tokenizer.Encode(texts));
    std::vector<float> all;
    for (const TokenIds& text : ids)
      all.insert(all.end(), text.begin(), text.end());
    return all;
  });
}

absl::Status RefreshSnapshot(const Arguments& arguments, const Serve& serve) {
  const std::vector<std::string> texts = WholeTexts(kTexts);
  LARR_ASSIGN_OR_RETURN(const int64_t tokens, TokensOf(arguments, texts));
  LARR_ASSIGN_OR_RETURN(
      const auto encoder,
      OpenLlmEncoder(arguments.folder / "embedder", {}, arguments.threads));
  RefreshOptions options;
  options.dataset = arguments.folder / "dataset" / "dataset.textproto";
  options.work = arguments.folder / "refresh_work";
  options.output = arguments.folder / "snapshot";
  return serve(tokens, [&]() -> absl::StatusOr<std::vector<float>> {
    std::filesystem::remove_all(options.work);
    std::filesystem::remove_all(options.output);
    const auto go_on = [](const RefreshCounts&) { return absl::OkStatus(); };
    LARR_RETURN_IF_ERROR(Refresh(options, *encoder, go_on).status());
    return StoredVectors(options.output, texts);
  });
}

}  // namespace larr::bench
