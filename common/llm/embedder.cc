// SPDX-License-Identifier: Apache-2.0
#include "common/llm/embedder.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <future>
#include <numeric>
#include <set>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/read_ahead.h"
#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/frozen_layers.h"
#include "common/llm/packed_batch.h"
#include "common/llm/pooling.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using Tokenized = absl::StatusOr<std::vector<TokenIds>>;

// Texts that are sorted together, and tokenised while those before them run.
constexpr size_t kChunk = 2048;

// Appends texts of `tokens` tokens in all, whose vectors nobody reads.
void FillUp(int64_t tokens, std::vector<TokenIds>& batch) {
  constexpr int64_t kLength = 64;
  for (; tokens > 0; tokens -= kLength)
    batch.emplace_back(std::min(tokens, kLength), 0);
}

// A tokenizer without the slots' tokens, as of another folder or of one that
// was copied in part, cuts texts into tokens that mean something else.
absl::Status CheckSlots(const config::v1::EmbedderConfig& config,
                        const Checkpoint& checkpoint) {
  const std::vector<std::string> slots(config.slots().begin(),
                                       config.slots().end());
  const auto tokens = SlotTokens(slots);
  LARR_ASSIGN_OR_RETURN(const auto encoded,
                        checkpoint.tokenizer.Encode(tokens));
  const auto wrong = [&](const std::string& what) {
    return Invalid(
        "{}: {}; copy the folder that the contrast stage wrote as a whole, "
        "tokenizer.json or tokenizer.model with the files of its added tokens "
        "among the rest",
        checkpoint.folder.string(), what);
  };
  std::set<int32_t> ids;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = checkpoint.tokenizer.IdOf(tokens[i]);
    if (!id.has_value() || encoded[i] != TokenIds{*id}) {
      return wrong(fmt::format(
          "the tokenizer has no special token `{}`, which the model learned",
          tokens[i]));
    }
    ids.insert(*id);
  }
  const std::set<std::string> distinct(tokens.begin(), tokens.end());
  const auto count = static_cast<int64_t>(distinct.size());
  const int64_t first = checkpoint.tokenizer.vocab_size() - count;
  // As AddSlots gave them out.
  if (ids.size() == distinct.size() && (ids.empty() || *ids.begin() == first))
    return absl::OkStatus();
  return wrong(fmt::format(
      "the slots' special tokens are not those of the {} highest ids, from {} "
      "on, which the model learned",
      count, first));
}

}  // namespace

struct Embedder::Impl {
  // In the order of use: the layers take the weights over.
  Impl(Checkpoint checkpoint, EmbedderHead head_in,
       const EmbedderOptions& options_in)
      : config(std::move(checkpoint.config)),
        tokenizer(std::move(checkpoint.tokenizer)),
        embedding(checkpoint.weights.embedding),
        norm(checkpoint.weights.norm.to(torch::kFloat32)),
        head(std::move(head_in)),
        options(options_in),
        layers(config, std::move(checkpoint.weights.layers),
               options_in.tokens_per_batch) {}

  Tokenized Tokenize(std::span<const std::string> texts, size_t first) const;
  torch::Tensor Run(std::span<const TokenIds> texts) const;
  absl::Status EmbedChunk(size_t first, const std::vector<TokenIds>& texts,
                          const Sink& sink) const;

  const LlmConfig config;
  const Tokenizer tokenizer;
  const torch::Tensor embedding;
  const torch::Tensor norm;
  const EmbedderHead head;
  std::string fingerprint;  // Set once, by Open.
  const EmbedderOptions options;
  const FrozenLayers layers;
};

Tokenized Embedder::Impl::Tokenize(std::span<const std::string> texts,
                                   size_t first) const {
  auto ids = tokenizer.Encode(texts);
  if (!ids.ok()) {
    return Invalid("texts from {} on: {}", first, ids.status().ToString());
  }
  for (size_t i = 0; i < ids->size(); ++i) {
    if ((*ids)[i].empty()) {
      return Invalid("text {} is empty", first + i);
    }
    CutTokens(std::min<int64_t>(head.config.max_tokens(), config.max_positions),
              (*ids)[i]);
  }
  return ids;
}

// [texts, dim] float32.
torch::Tensor Embedder::Impl::Run(std::span<const TokenIds> texts) const {
  const PackedBatch batch = Pack(texts);
  auto x = torch::embedding(embedding, batch.ids).to(torch::kFloat32);
  const Pooling pooling = PoolingOf(head.config);
  const bool last_only =
      pooling == Pooling::kLastToken && !options.deterministic;
  layers.Run(batch, x, last_only);
  if (last_only) x = Pool(x, batch, pooling);
  x = x * torch::rsqrt(x.square().mean(-1, true) + config.norm_epsilon) * norm;
  if (last_only) return at::linear(x, head.projection);
  // The projection of a mean is the mean of projections, which is as wide as
  // ours: of many rows, and a row always meets the same arithmetic.
  return Pool(at::linear(x, head.projection), batch, pooling);
}

absl::Status Embedder::Impl::EmbedChunk(size_t first,
                                        const std::vector<TokenIds>& texts,
                                        const Sink& sink) const {
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return texts[a].size() > texts[b].size();
  });
  const auto dim = static_cast<size_t>(head.config.embedding_dim());
  std::vector<float> vectors(texts.size() * dim);
  int64_t tokens = 0;
  for (size_t from = 0; from < order.size();) {
    std::vector<TokenIds> batch;
    int64_t size = 0;
    for (size_t i = from; i < order.size(); ++i) {
      const auto& ids = texts[order[i]];
      const auto length = static_cast<int64_t>(ids.size());
      if (!batch.empty() && size + length > options.tokens_per_batch) break;
      size += length;
      batch.push_back(ids);
    }
    tokens += size;
    const size_t count = batch.size();
    if (options.deterministic) FillUp(options.tokens_per_batch - size, batch);
    LARR_RETURN_IF_ERROR(GuardTorch("embedding", [&] {
      const torch::InferenceMode inference;
      const auto out = Run(batch).contiguous();
      for (size_t i = 0; i < count; ++i) {
        const float* row = out.const_data_ptr<float>() + i * dim;
        std::copy(row, row + dim, vectors.begin() + order[from + i] * dim);
      }
      return absl::OkStatus();
    }));
    from += count;
  }
  return sink({static_cast<int64_t>(first), vectors, tokens});
}

absl::StatusOr<Embedder> Embedder::Open(const std::filesystem::path& folder,
                                        const EmbedderOptions& given) {
  EmbedderOptions options = given;
  if (options.threads > 0) at::set_num_threads(options.threads);
  if (options.tokens_per_batch == 0)
    options.tokens_per_batch = 512 * int64_t{at::get_num_threads()};
  // Hashing all weights takes as long as reading and packing them.
  auto hashed = std::async(std::launch::async, EmbedderFingerprint, folder,
                           options.precision);
  LARR_ASSIGN_OR_RETURN(auto checkpoint,
                        ReadCheckpoint(folder, DtypeOf(options.precision)));
  LARR_ASSIGN_OR_RETURN(
      auto head, ReadEmbedderHead(folder, checkpoint.config.hidden_size));
  LARR_RETURN_IF_ERROR(CheckSlots(head.config, checkpoint));
  return GuardTorch("packing the weights of " + folder.string(),
                    [&]() -> absl::StatusOr<Embedder> {
                      auto impl = std::make_unique<Impl>(
                          std::move(checkpoint), std::move(head), options);
                      LARR_ASSIGN_OR_RETURN(impl->fingerprint, hashed.get());
                      return Embedder(std::move(impl));
                    });
}

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

int Embedder::dim() const { return impl_->head.config.embedding_dim(); }
const std::string& Embedder::fingerprint() const { return impl_->fingerprint; }

absl::Status Embedder::Embed(std::span<const std::string> texts,
                             const Sink& sink) {
  const size_t chunks = (texts.size() + kChunk - 1) / kChunk;
  ReadAhead<std::vector<TokenIds>> tokenized(
      static_cast<int64_t>(chunks), [&, first = size_t{0}]() mutable {
        const auto chunk =
            texts.subspan(first, std::min(kChunk, texts.size() - first));
        auto ids = impl_->Tokenize(chunk, first);
        first += chunk.size();
        return ids;
      });
  for (size_t first = 0; first < texts.size(); first += kChunk) {
    LARR_ASSIGN_OR_RETURN(const auto ids, tokenized.Next());
    LARR_RETURN_IF_ERROR(impl_->EmbedChunk(first, ids, sink));
  }
  return absl::OkStatus();
}

}  // namespace larr
