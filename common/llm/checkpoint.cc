// SPDX-License-Identifier: Apache-2.0
#include "common/llm/checkpoint.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/llm/added_tokens.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

constexpr char kEmbedder[] = "larr.json";
constexpr char kProjection[] = "projection.weight";

// Small files that `transformers` reads beside those that we write ourselves.
const std::set<std::string> kCopied = {kTokenizerConfigFile, kSpecialTokensFile,
                                       kAddedTokensFile, "chat_template.jinja",
                                       "generation_config.json"};

// A model whose classes are not part of `transformers` brings them as Python
// files, which import one another.
bool BringsCode(const fs::path& folder) {
  for (const char* name : {kLlmConfigFile, kTokenizerConfigFile}) {
    const auto text = ReadFile(folder / name);
    if (!text.ok()) continue;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_object() && json.contains("auto_map")) return true;
  }
  return false;
}

absl::Status CopyCompanions(const fs::path& from, const fs::path& to) {
  const bool code = BringsCode(from);
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end;
       it.increment(error)) {
    const fs::directory_entry& entry = *it;
    const fs::path name = entry.path().filename();
    if (!entry.is_regular_file(error) || error) continue;
    if (!kCopied.contains(name) && !(code && name.extension() == ".py"))
      continue;
    LARR_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(entry.path()));
    LARR_RETURN_IF_ERROR(WriteFileAtomically(to / name, bytes));
  }
  // A folder that is not there any more has none.
  if (!error || error == std::errc::no_such_file_or_directory)
    return absl::OkStatus();
  return FileStatus("cannot list", from, error);
}

}  // namespace

torch::ScalarType DtypeOf(config::v1::Precision precision) {
  return precision == config::v1::FP32 ? torch::kFloat32 : torch::kBFloat16;
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const fs::path& folder,
                                          torch::ScalarType dtype) {
  LARR_ASSIGN_OR_RETURN(auto config, ReadLlmConfig(folder / kLlmConfigFile));
  LARR_ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::Open(folder));
  if (tokenizer.vocab_size() > config.vocab_size) {
    return Invalid(
        "{}: the tokenizer has {} tokens, but config.json's `vocab_size` is "
        "{}; the two are of different models",
        folder.string(), tokenizer.vocab_size(), config.vocab_size);
  }
  LARR_ASSIGN_OR_RETURN(auto weights, ReadLlmWeights(folder, config, dtype));
  return Checkpoint{std::move(config), std::move(weights), std::move(tokenizer),
                    folder};
}

absl::StatusOr<config::v1::EmbedderConfig> ReadEmbedderConfig(
    const fs::path& folder) {
  if (!fs::exists(folder / kEmbedder)) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: has no {}: it is a language model, not an embedder; take the "
        "folder that the contrast stage wrote",
        folder.string(), kEmbedder));
  }
  LARR_ASSIGN_OR_RETURN(const std::string json, ReadFile(folder / kEmbedder));
  config::v1::EmbedderConfig config;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(json, &config);
  if (!parsed.ok() || config.embedding_dim() < 1 || config.max_tokens() < 2) {
    return Invalid("{}: {}", (folder / kEmbedder).string(),
                   parsed.ok() ? "`embedding_dim` must be positive and "
                                 "`max_tokens` at least 2"
                               : parsed.ToString());
  }
  return config;
}

absl::StatusOr<EmbedderHead> ReadEmbedderHead(const fs::path& folder,
                                              int64_t hidden_size) {
  EmbedderHead head;
  LARR_ASSIGN_OR_RETURN(head.config, ReadEmbedderConfig(folder));
  LARR_ASSIGN_OR_RETURN(const auto file,
                        SafetensorsFile::Open(folder / kProjectionFile));
  const int64_t shape[] = {head.config.embedding_dim(), hidden_size};
  LARR_ASSIGN_OR_RETURN(
      const auto view,
      file.View(head.config.projection_tensor(), shape, torch::kFloat32));
  head.projection = view.clone();
  return head;
}

absl::Status WriteEmbedderHead(const fs::path& folder,
                               const EmbedderHead& head) {
  auto config = head.config;
  config.set_projection_tensor(kProjection);
  config.set_embedding_dim(static_cast<int32_t>(head.projection.size(0)));
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(config, &json, options);
  LARR_RETURN_IF_ERROR(WriteFileAtomically(folder / kEmbedder, json));
  return WriteSafetensors(
      folder / kProjectionFile,
      {{kProjection, head.projection.detach().to(torch::kFloat32)}});
}

std::vector<std::string> SlotTokens(std::span<const std::string> slots) {
  std::vector<std::string> tokens;
  for (const auto& slot : slots) {
    tokens.push_back("<" + slot + ">");
    tokens.push_back("</" + slot + ">");
  }
  return tokens;
}

absl::StatusOr<int64_t> AddSlots(std::span<const std::string> slots,
                                 uint64_t seed, Checkpoint& checkpoint) {
  const auto tokens = SlotTokens(slots);
  const int64_t before = checkpoint.tokenizer.vocab_size();
  LARR_RETURN_IF_ERROR(checkpoint.tokenizer.AddSpecialTokens(tokens));
  const int64_t after = checkpoint.tokenizer.vocab_size();
  int64_t lowest = after;
  for (const auto& token : tokens) {
    const auto id = checkpoint.tokenizer.IdOf(token);
    if (!id.has_value()) {
      return Invalid("{}: the tokenizer does not take the special token '{}'",
                     checkpoint.folder.string(), token);
    }
    lowest = std::min<int64_t>(lowest, *id);
  }
  const std::set<std::string> distinct(tokens.begin(), tokens.end());
  if (after - lowest != static_cast<int64_t>(distinct.size())) {
    return Invalid(
        "{}: special tokens of the dataset lie among other tokens from id {} "
        "on; start from a model without them",
        checkpoint.folder.string(), lowest);
  }
  if (after == before) return lowest;
  return GuardTorch("adding special tokens", [&]() -> absl::StatusOr<int64_t> {
    ResizeVocabulary(std::max(after, checkpoint.config.vocab_size), before,
                     seed, checkpoint.config, checkpoint.weights);
    return lowest;
  });
}

void KeepLowestLayers(int64_t layers, Checkpoint& checkpoint) {
  checkpoint.config.layers = layers;
  checkpoint.weights.layers.resize(layers);
}

absl::Status WriteCheckpoint(const fs::path& folder,
                             const Checkpoint& checkpoint,
                             torch::ScalarType dtype,
                             const EmbedderHead* head) {
  LARR_RETURN_IF_ERROR(WriteFileAtomically(
      folder / kLlmConfigFile,
      LlmConfigJson(checkpoint.config,
                    dtype == torch::kBFloat16 ? "bfloat16" : "float32")));
  LARR_RETURN_IF_ERROR(CopyCompanions(checkpoint.folder, folder));
  LARR_RETURN_IF_ERROR(checkpoint.tokenizer.Save(folder));
  LARR_RETURN_IF_ERROR(
      WriteLlmWeights(folder, checkpoint.config, checkpoint.weights, dtype));
  return head == nullptr ? absl::OkStatus() : WriteEmbedderHead(folder, *head);
}

absl::StatusOr<std::string> EmbedderFingerprint(
    const fs::path& folder, config::v1::Precision precision) {
  LARR_ASSIGN_OR_RETURN(const auto config,
                        ReadLlmConfig(folder / kLlmConfigFile));
  LARR_ASSIGN_OR_RETURN(const auto head,
                        ReadEmbedderHead(folder, config.hidden_size));
  std::vector<std::string> names = TokenizerFiles(folder);
  LARR_ASSIGN_OR_RETURN(const auto entries, ListFolder(folder));
  for (const fs::path& path : entries) {
    if (path.extension() == ".safetensors" || path.filename() == kLlmConfigFile)
      names.push_back(path.filename().string());
  }
  std::sort(names.begin(), names.end());
  std::string text =
      fmt::format("max_tokens {}\nprecision {}\n", head.config.max_tokens(),
                  DtypeOf(precision) == torch::kFloat32 ? "fp32" : "bf16");
  if (head.config.mean_pooling()) text += "mean pooling\n";
  for (const auto& slot : head.config.slots())
    text += fmt::format("slot {}\n", slot);
  for (const auto& name : names) {
    LARR_ASSIGN_OR_RETURN(const auto hash, Sha256File(folder / name));
    text += fmt::format("{} {}\n", name, hash);
  }
  return Sha256(text);
}

void CutTokens(int64_t max, TokenIds& ids) {
  if (static_cast<int64_t>(ids.size()) <= max) return;
  ids[max - 1] = ids.back();
  ids.resize(max);
}

}  // namespace larr
