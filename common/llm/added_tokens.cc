// SPDX-License-Identifier: Apache-2.0
#include "common/llm/added_tokens.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kDecoder[] = "added_tokens_decoder";

// In the order in which `transformers` gives out ids.
constexpr const char* kNamed[] = {"bos_token", "eos_token", "unk_token",
                                  "sep_token", "pad_token", "cls_token",
                                  "mask_token"};
// What the tokenizer classes call these if no file does.
const std::pair<const char*, const char*> kDefaults[] = {
    {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
constexpr const char* kLists[] = {"additional_special_tokens",
                                  "extra_special_tokens"};

// The file's object; an empty one if there is no file.
absl::Status ReadObject(const fs::path& path, Json& object) {
  object = Json::object();
  if (!fs::exists(path)) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  object = Json::parse(text);
  if (object.is_object()) return absl::OkStatus();
  return absl::InvalidArgumentError("not a JSON object");
}

struct Listed {
  std::string text;
  bool single_word = false;
};

absl::StatusOr<Listed> ReadListed(const Json& json) {
  Listed token{json.at("content").get<std::string>(),
               json.value("single_word", false)};
  for (const char* strip : {"lstrip", "rstrip"}) {
    if (json.value(strip, false)) {
      return Invalid(
          "the added token '{}' has `{}`, which is not supported; set it to "
          "false, or convert the tokenizer to tokenizer.json with transformers",
          token.text, strip);
    }
  }
  return token;
}

}  // namespace

void AddedTokens::Insert(const std::string& text, const Token& token) {
  if (text.empty() || !tokens_.emplace(text, token).second) return;
  end_id_ = std::max<int64_t>(end_id_, token.id + 1);
  auto& texts = by_first_[text.front()];
  texts.push_back(text);
  std::sort(texts.begin(), texts.end(),
            [](const std::string& a, const std::string& b) {
              return a.size() > b.size();
            });
}

absl::Status AddedTokens::ReadFiles(const fs::path& folder,
                                    const PieceId& piece_id) {
  Json config;
  LARR_RETURN_IF_ERROR(ReadObject(folder / kTokenizerConfigFile, config));
  config_ = config.dump();
  std::vector<std::pair<int64_t, Listed>> known;
  in_config_ = config.contains(kDecoder);
  if (in_config_) {
    for (const auto& [id, json] : config.at(kDecoder).items()) {
      LARR_ASSIGN_OR_RETURN(auto token, ReadListed(json));
      known.emplace_back(std::stoll(id), std::move(token));
    }
  } else {
    Json special, ids;
    LARR_RETURN_IF_ERROR(ReadObject(folder / kSpecialTokensFile, special));
    config.update(special);
    LARR_RETURN_IF_ERROR(ReadObject(folder / kAddedTokensFile, ids));
    for (const auto& [text, id] : ids.items())
      known.emplace_back(id.get<int64_t>(), Listed{text});
  }
  for (const auto& [id, token] : known) {
    if (id < 0 || id >= std::numeric_limits<int32_t>::max()) {
      return Invalid("the added token '{}' has id {}, which is none",
                     token.text, id);
    }
    Insert(token.text,
           {static_cast<int32_t>(id), token.single_word, Token::kFile});
  }

  // Of a named token `transformers` takes the text alone.
  const auto name = [&](const Json& json) {
    const auto text =
        (json.is_string() ? json : json.at("content")).get<std::string>();
    const auto piece = piece_id(text);
    Insert(text, {piece.value_or(static_cast<int32_t>(end_id_)), false,
                  piece.has_value() ? Token::kPiece : Token::kNew});
  };
  for (const auto& [field, text] : kDefaults) {
    if (!config.contains(field) && piece_id(text)) config[field] = text;
  }
  for (const char* field : kNamed) {
    if (config.contains(field) && !config[field].is_null()) name(config[field]);
  }
  for (const char* field : kLists) {
    if (!config.contains(field)) continue;
    for (const auto& json : config[field]) name(json);
  }
  return absl::OkStatus();
}

absl::StatusOr<AddedTokens> AddedTokens::Read(const fs::path& folder,
                                              int64_t pieces,
                                              const PieceId& piece_id) {
  AddedTokens added;
  added.end_id_ = pieces;
  std::string problem;
  try {
    const auto status = added.ReadFiles(folder, piece_id);
    if (status.ok()) return added;
    if (!absl::IsInvalidArgument(status)) return status;
    problem = std::string(status.message());
  } catch (const std::exception& error) {
    problem = error.what();
  }
  return Invalid("{}: {}, {} or {}: {}", folder.string(), kTokenizerConfigFile,
                 kSpecialTokensFile, kAddedTokensFile, problem);
}

std::vector<AddedTokens::Part> AddedTokens::Split(std::string_view text) const {
  std::vector<Part> parts;
  size_t begin = 0;
  const auto close = [&](size_t end) {
    if (end > begin) parts.push_back({std::string(text, begin, end - begin)});
  };
  for (size_t at = 0; at < text.size();) {
    const auto texts = by_first_.find(text[at]);
    const std::string* found = nullptr;
    if (texts != by_first_.end()) {
      for (const std::string& token : texts->second) {
        if (!text.substr(at).starts_with(token)) continue;
        found = &token;
        break;
      }
    }
    if (found == nullptr) {
      ++at;
      continue;
    }
    close(at);
    parts.push_back({*found, tokens_.find(*found)->second.id});
    begin = at += found->size();
  }
  close(text.size());

  // A token that must stand alone goes to the neighbour that touches it.
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].id || !tokens_.find(parts[i].text)->second.single_word)
      continue;
    if (i > 0 && !parts[i - 1].text.empty() &&
        parts[i - 1].text.back() != ' ') {
      parts[i - 1] = {parts[i - 1].text + parts[i].text, std::nullopt};
      parts[i] = {};
    } else if (i + 1 < parts.size() && parts[i + 1].text.front() != ' ') {
      parts[i + 1] = {parts[i].text + parts[i + 1].text, std::nullopt};
      parts[i] = {};
    }
  }
  std::erase_if(parts, [](const Part& part) { return part.text.empty(); });
  return parts;
}

std::optional<int32_t> AddedTokens::IdOf(const std::string& text) const {
  const auto found = tokens_.find(text);
  if (found == tokens_.end()) return std::nullopt;
  return found->second.id;
}

void AddedTokens::Add(const std::string& text, const PieceId& piece_id) {
  Insert(text, {piece_id(text).value_or(static_cast<int32_t>(end_id_))});
}

absl::Status AddedTokens::Save(const fs::path& folder) const {
  // By id: those that are new, and all that a file of their own must have.
  std::map<int32_t, std::string> fresh, all;
  for (const auto& [text, token] : tokens_) {
    if (token.origin == Token::kNew) fresh.emplace(token.id, text);
    if (token.origin != Token::kPiece) all.emplace(token.id, text);
  }
  if (fresh.empty()) return absl::OkStatus();
  if (in_config_) {
    Json config = Json::parse(config_);
    for (const auto& [id, text] : fresh) {
      config[kDecoder][std::to_string(id)] = {
          {"content", text}, {"lstrip", false},      {"normalized", false},
          {"rstrip", false}, {"single_word", false}, {"special", true}};
    }
    return WriteFileAtomically(folder / kTokenizerConfigFile,
                               config.dump(2) + "\n");
  }
  Json added;
  for (const auto& [id, text] : all) added[text] = id;
  return WriteFileAtomically(folder / kAddedTokensFile, added.dump(2) + "\n");
}

}  // namespace larr
