// SPDX-License-Identifier: Apache-2.0
//
// Rows to texts: the keywords of the spec (paper eq. 2-4, 8), each between its
// own two special tokens. The same renderer makes the corpus, the texts that
// are embedded and the text ids that serving looks up.
//
// A keyword is named by its position in `spec.keywords`.
// Threads: const methods may be called from any thread.
// Errors:  `Create` refuses a wrong spec; rendering cannot fail.
#pragma once

#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/features/row.h"

namespace larr {

// The 128-bit content hash of a text as it is encoded, special tokens included:
// XXH3-128, 16 bytes big-endian. Equal texts are encoded and stored once.
std::string TextId(std::string_view text);

// `<name>` and `</name>`.
std::string BeginToken(std::string_view keyword_name);
std::string EndToken(std::string_view keyword_name);

// Texts without their special tokens, by the name of their keyword.
using TextMap = google::protobuf::Map<std::string, std::string>;

// What a byte of a text is, where `kinds` are asked for.
inline constexpr char kSpecialByte = 's';   // Of a special token.
inline constexpr char kTemplateByte = 't';  // Literal text of the template.
inline constexpr char kValueByte = 'v';     // Of a column's value.

class TextRenderer {
 public:
  // Errors: kInvalidArgument  a keyword or scene feature is wrong; the message
  //                           names it and the fix.
  static absl::StatusOr<TextRenderer> Create(
      const config::v1::DatasetSpec& spec);

  const SpecSchemas& schemas() const { return schemas_; }
  int keyword_count() const { return static_cast<int>(keywords_.size()); }
  const std::string& name(int keyword) const { return keywords_[keyword].name; }
  config::v1::Side side(int keyword) const { return keywords_[keyword].side; }

  // Keywords of a side, in the spec's order.
  std::vector<int> KeywordsOf(config::v1::Side side) const;

  // Keywords of `spec.scene_features`, in their order: all r; those of a side,
  // which is the order of `EntityRow.text_ids`.
  const std::vector<int>& scene_features() const { return scene_; }
  std::vector<int> SceneFeaturesOf(config::v1::Side side) const;

  // The text with its special tokens. Empty where every column of the template
  // is null; one null among several is an empty string. A context value
  // outside the keyword's domain counts as null. Special tokens within a value
  // are dropped: data cannot forge the end of a slot.
  // `kinds`, unless null, grows by what each byte of the text is.
  // REQUIRES: row is of the keyword's side and has its schema's size.
  std::string Render(int keyword, const Row& row,
                     std::string* kinds = nullptr) const;
  std::vector<std::string> Render(std::span<const int> keywords,
                                  const Row& row) const;
  // The text that `Render` gives where `body` is what the template made.
  std::string Wrap(int keyword, std::string body) const;
  // Their concatenation: with KeywordsOf(POI) the comprehensive text P of
  // eq. 18.
  std::string Describe(std::span<const int> keywords, const Row& row,
                       std::string* kinds = nullptr) const;

  // Every text that a context keyword can have, in a fixed order.
  // REQUIRES: side(keyword) == CONTEXT
  std::vector<std::string> ContextTexts(int keyword) const;

 private:
  // A stretch of a template: literal text, then a column or -1.
  struct Piece {
    std::string literal;
    int column = -1;
    int domain = -1;  // In `Keyword::domains`.
  };
  // What a context column says: a value itself, or the label of its bucket.
  struct Domain {
    std::vector<std::string> texts;  // Every text, in order.
    std::vector<double> edges;       // Empty for values.
  };
  struct Keyword {
    std::string name;
    config::v1::Side side;
    std::vector<Piece> pieces;
    std::vector<Domain> domains;
  };

  explicit TextRenderer(const config::v1::DatasetSpec& spec);
  absl::Status AddKeyword(const config::v1::Keyword& proto);
  absl::Status AddDomains(const config::v1::Keyword& proto, Keyword& keyword);
  absl::Status AddScene(const std::string& name);
  // `texts[i]` is what piece i says; null pointers say nothing.
  std::string Assemble(const Keyword& keyword,
                       std::span<const std::string* const> texts,
                       std::string* kinds) const;
  void DropTokens(std::string& text, std::string* kinds) const;

  SpecSchemas schemas_;
  std::vector<Keyword> keywords_;
  std::vector<int> scene_;
  std::vector<std::string> tokens_;  // Every special token.
};

}  // namespace larr
