// SPDX-License-Identifier: Apache-2.0
//
// Tokens beside those of a `tokenizer.model`, as `transformers` keeps them.
// Read from `added_tokens_decoder` in tokenizer_config.json where it is there,
// else from added_tokens.json and special_tokens_map.json; special tokens that
// are named without an id have that of the piece of their name, or the next
// free one. Written where they were read.
//
// Threads: const methods may be called concurrently.
// Errors:  kInvalidArgument  a file is not as `transformers` writes it, or asks
//                            for what is not supported; the message names both
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larr {

inline constexpr char kAddedTokensFile[] = "added_tokens.json";
inline constexpr char kSpecialTokensFile[] = "special_tokens_map.json";
inline constexpr char kTokenizerConfigFile[] = "tokenizer_config.json";

class AddedTokens {
 public:
  // Id of the piece with exactly this text.
  using PieceId =
      std::function<std::optional<int32_t>(const std::string& text)>;

  // `pieces` is how many the model has: their ids are below it.
  static absl::StatusOr<AddedTokens> Read(const std::filesystem::path& folder,
                                          int64_t pieces,
                                          const PieceId& piece_id);

  // A stretch of a text: an added token, or what lies between two.
  struct Part {
    std::string text;
    std::optional<int32_t> id;
  };
  // The leftmost longest tokens cut the text; no part is empty.
  std::vector<Part> Split(std::string_view text) const;

  std::optional<int32_t> IdOf(const std::string& text) const;
  // One more than the highest id, pieces included.
  int64_t end_id() const { return end_id_; }

  // Adds a special token, if it is new, with the id of its piece or the next.
  void Add(const std::string& text, const PieceId& piece_id);

  // Completes the folder's files, where any token was given an id here.
  absl::Status Save(const std::filesystem::path& folder) const;

  // What tokenizer_config.json says; an empty object without one.
  const std::string& config() const { return config_; }

 private:
  struct Token {
    int32_t id = 0;
    bool single_word = false;  // Only where nothing but a space touches it.
    // Where its id is from: a file of added tokens, the piece that a special
    // token names, or given out here.
    enum { kFile, kPiece, kNew } origin = kNew;
  };

  void Insert(const std::string& text, const Token& token);
  absl::Status ReadFiles(const std::filesystem::path& folder,
                         const PieceId& piece_id);

  int64_t end_id_ = 0;
  std::string config_;
  bool in_config_ = false;  // `added_tokens_decoder` is there.
  std::map<std::string, Token, std::less<>> tokens_;
  // Their texts by first byte, the longest first.
  std::map<char, std::vector<std::string>> by_first_;
};

}  // namespace larr
