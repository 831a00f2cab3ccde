// SPDX-License-Identifier: Apache-2.0
#include "common/features/text_renderer.h"

#include <absl/status/status.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::ColumnDomain;
using config::v1::DatasetSpec;
using config::v1::Side;
using KeywordProto = config::v1::Keyword;

// All of a context keyword's texts are encoded ahead of requests.
constexpr size_t kMaxContextTexts = 100'000;

bool IsKeywordName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
}

// What does not depend on the template: values, or edges and their labels.
absl::Status CheckDomain(const std::string& keyword,
                         const ColumnDomain& domain) {
  const auto& edges = domain.edges();
  const bool buckets = !edges.empty();
  if (buckets &&
      (domain.labels_size() != edges.size() + 1 || !domain.values().empty())) {
    return Invalid(
        "keyword {}: the domain of `{}` has {} edges, so it needs {} labels "
        "and no values; it has {} labels and {} values",
        keyword, domain.column(), edges.size(), edges.size() + 1,
        domain.labels_size(), domain.values_size());
  }
  if (!std::is_sorted(edges.begin(), edges.end(), std::less_equal<>())) {
    return Invalid("keyword {}: the edges of `{}` are not ascending", keyword,
                   domain.column());
  }
  const auto& texts = buckets ? domain.labels() : domain.values();
  const std::set<std::string> distinct(texts.begin(), texts.end());
  // Two buckets may say the same.
  if (texts.empty() || distinct.count("") > 0 ||
      (!buckets && static_cast<int>(distinct.size()) != texts.size())) {
    return Invalid(
        "keyword {}: the domain of `{}` needs distinct, non-empty values",
        keyword, domain.column());
  }
  return absl::OkStatus();
}

}  // namespace

std::string TextId(std::string_view text) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data(), text.size()));
  return std::string(reinterpret_cast<const char*>(canonical.digest),
                     sizeof(canonical.digest));
}

std::string BeginToken(std::string_view keyword_name) {
  return fmt::format("<{}>", keyword_name);
}

std::string EndToken(std::string_view keyword_name) {
  return fmt::format("</{}>", keyword_name);
}

TextRenderer::TextRenderer(const DatasetSpec& spec) : schemas_(spec) {
  for (const auto& keyword : spec.keywords()) {
    tokens_.push_back(BeginToken(keyword.name()));
    tokens_.push_back(EndToken(keyword.name()));
  }
}

absl::StatusOr<TextRenderer> TextRenderer::Create(const DatasetSpec& spec) {
  TextRenderer renderer(spec);
  std::set<std::string> names;
  for (const auto& keyword : spec.keywords()) {
    if (!names.insert(keyword.name()).second) {
      return Invalid("keywords: `{}` appears twice; give each its own name",
                     keyword.name());
    }
    LARR_RETURN_IF_ERROR(renderer.AddKeyword(keyword));
  }
  for (const std::string& name : spec.scene_features()) {
    LARR_RETURN_IF_ERROR(renderer.AddScene(name));
  }
  return renderer;
}

absl::Status TextRenderer::AddKeyword(const KeywordProto& proto) {
  const std::string& name = proto.name();
  if (!IsKeywordName(name)) {
    return Invalid(
        "keywords: the name `{}` is not made of letters, digits and `_`", name);
  }
  if (proto.side() != Side::USER && proto.side() != Side::POI &&
      proto.side() != Side::CONTEXT) {
    return Invalid("keyword {}: side must be USER, POI or CONTEXT", name);
  }
  if (proto.group() == KeywordProto::GROUP_UNSPECIFIED) {
    return Invalid(
        "keyword {}: group is missing; use USER_PROFILE or USER_ACTION for "
        "USER, USER_ACTION for CONTEXT, POI_BUSINESS or POI_BASIC for POI",
        name);
  }
  const bool poi_group = proto.group() == KeywordProto::POI_BUSINESS ||
                         proto.group() == KeywordProto::POI_BASIC;
  if (poi_group != (proto.side() == Side::POI) ||
      (proto.side() == Side::CONTEXT &&
       proto.group() != KeywordProto::USER_ACTION)) {
    return Invalid("keyword {}: group {} does not belong to side {}", name,
                   KeywordProto::Group_Name(proto.group()),
                   config::v1::Side_Name(proto.side()));
  }
  const auto columns = TemplateColumns(proto.template_());
  if (!columns || columns->empty()) {
    return Invalid(
        "keyword {}: the template `{}` needs at least one {{column}}; a brace "
        "itself is written twice",
        name, proto.template_());
  }
  Keyword keyword{name, proto.side(), {}, {}};
  const Schema& schema = schemas_.of(TableOf(proto.side()));
  Piece piece;
  const std::string& text = proto.template_();
  size_t next_column = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{' && text[i] != '}') {
      piece.literal += text[i];
    } else if (text[i + 1] == text[i]) {
      piece.literal += text[i++];
    } else {
      piece.column = schema.Find((*columns)[next_column++]);
      keyword.pieces.push_back(std::exchange(piece, Piece()));
      i = text.find('}', i);
    }
  }
  keyword.pieces.push_back(piece);
  LARR_RETURN_IF_ERROR(AddDomains(proto, keyword));
  keywords_.push_back(std::move(keyword));
  return absl::OkStatus();
}

absl::Status TextRenderer::AddDomains(const KeywordProto& proto,
                                      Keyword& keyword) {
  const std::string& name = proto.name();
  if (proto.side() != Side::CONTEXT) {
    if (proto.domains().empty()) return absl::OkStatus();
    return Invalid("keyword {}: domains belong to side CONTEXT alone", name);
  }
  const Schema& schema = schemas_.impressions;
  size_t texts = 1;
  std::set<int> seen;
  for (const ColumnDomain& proto_domain : proto.domains()) {
    const int column = schema.Find(proto_domain.column());
    Domain domain;
    domain.edges.assign(proto_domain.edges().begin(),
                        proto_domain.edges().end());
    const bool buckets = !domain.edges.empty();
    const auto& source =
        buckets ? proto_domain.labels() : proto_domain.values();
    domain.texts.assign(source.begin(), source.end());
    bool used = false;
    for (Piece& piece : keyword.pieces) {
      if (column < 0 || piece.column != column) continue;
      piece.domain = static_cast<int>(keyword.domains.size());
      used = true;
    }
    if (!used || !seen.insert(column).second) {
      return Invalid(
          "keyword {}: the domain of `{}` must belong to one column of the "
          "template, once",
          name, proto_domain.column());
    }
    LARR_RETURN_IF_ERROR(CheckDomain(name, proto_domain));
    texts *= domain.texts.size() + 1;
    if (texts > kMaxContextTexts) {
      return Invalid(
          "keyword {}: its domains make more than {} texts; split it into "
          "several keywords or use fewer buckets",
          name, kMaxContextTexts);
    }
    keyword.domains.push_back(std::move(domain));
  }
  for (const Piece& piece : keyword.pieces) {
    if (piece.column >= 0 && piece.domain < 0) {
      return Invalid(
          "keyword {}: column `{}` has no domain; list its values, or its "
          "edges and labels, so that every text can be encoded ahead",
          name, schema.name(piece.column));
    }
  }
  return absl::OkStatus();
}

absl::Status TextRenderer::AddScene(const std::string& name) {
  const auto found = std::find_if(
      keywords_.begin(), keywords_.end(),
      [&](const Keyword& keyword) { return keyword.name == name; });
  if (found == keywords_.end()) {
    return Invalid("scene_features: `{}` is not the name of a keyword", name);
  }
  const int keyword = static_cast<int>(found - keywords_.begin());
  if (std::count(scene_.begin(), scene_.end(), keyword) > 0) {
    return Invalid("scene_features: `{}` appears twice", name);
  }
  scene_.push_back(keyword);
  return absl::OkStatus();
}

std::vector<int> TextRenderer::KeywordsOf(Side side) const {
  std::vector<int> found;
  for (int i = 0; i < keyword_count(); ++i) {
    if (keywords_[i].side == side) found.push_back(i);
  }
  return found;
}

std::vector<int> TextRenderer::SceneFeaturesOf(Side side) const {
  std::vector<int> found;
  for (const int keyword : scene_) {
    if (keywords_[keyword].side == side) found.push_back(keyword);
  }
  return found;
}

void TextRenderer::DropTokens(std::string& text, std::string* kinds) const {
  if (text.find('<') == std::string::npos) return;
  // A token ends at its only `>`. What is left after a cut may form a token
  // anew, with what follows: so the end of what is kept is looked at.
  size_t kept = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    text[kept] = text[i];
    if (kinds != nullptr) (*kinds)[kept] = (*kinds)[i];
    ++kept;
    if (text[kept - 1] != '>') continue;
    const std::string_view so_far(text.data(), kept);
    for (const std::string& token : tokens_) {
      if (!so_far.ends_with(token)) continue;
      kept -= token.size();
      break;
    }
  }
  text.resize(kept);
  if (kinds != nullptr) kinds->resize(kept);
}

std::string TextRenderer::Assemble(const Keyword& keyword,
                                   std::span<const std::string* const> texts,
                                   std::string* kinds) const {
  std::string body, of_body;
  bool any = false;
  for (size_t i = 0; i < keyword.pieces.size(); ++i) {
    body += keyword.pieces[i].literal;
    if (kinds != nullptr) of_body.resize(body.size(), kTemplateByte);
    if (texts[i] == nullptr) continue;
    body += *texts[i];
    if (kinds != nullptr) of_body.resize(body.size(), kValueByte);
    any = true;
  }
  if (!any) return "";
  DropTokens(body, kinds != nullptr ? &of_body : nullptr);
  const std::string begin = BeginToken(keyword.name);
  const std::string end = EndToken(keyword.name);
  if (kinds != nullptr) {
    kinds->append(begin.size(), kSpecialByte);
    kinds->append(of_body);
    kinds->append(end.size(), kSpecialByte);
  }
  return begin + body + end;
}

std::string TextRenderer::Render(int keyword_index, const Row& row,
                                 std::string* kinds) const {
  const Keyword& keyword = keywords_[keyword_index];
  std::vector<std::string> values(keyword.pieces.size());
  std::vector<const std::string*> texts(keyword.pieces.size(), nullptr);
  for (size_t i = 0; i < keyword.pieces.size(); ++i) {
    const Piece& piece = keyword.pieces[i];
    if (piece.column < 0 || IsNull(row[piece.column])) continue;
    const Value& value = row[piece.column];
    if (piece.domain < 0) {
      values[i] = ToText(value);
      texts[i] = &values[i];
      continue;
    }
    const Domain& domain = keyword.domains[piece.domain];
    if (domain.edges.empty()) {
      const auto found =
          std::find(domain.texts.begin(), domain.texts.end(), ToText(value));
      if (found != domain.texts.end()) texts[i] = &*found;
    } else if (const auto number = ToNumber(value)) {
      const auto bucket =
          std::upper_bound(domain.edges.begin(), domain.edges.end(), *number);
      texts[i] = &domain.texts[bucket - domain.edges.begin()];
    }
  }
  return Assemble(keyword, texts, kinds);
}

std::string TextRenderer::Wrap(int keyword, std::string body) const {
  DropTokens(body, nullptr);
  return BeginToken(name(keyword)) + body + EndToken(name(keyword));
}

std::vector<std::string> TextRenderer::Render(std::span<const int> keywords,
                                              const Row& row) const {
  std::vector<std::string> texts;
  texts.reserve(keywords.size());
  for (const int keyword : keywords) texts.push_back(Render(keyword, row));
  return texts;
}

std::string TextRenderer::Describe(std::span<const int> keywords,
                                   const Row& row, std::string* kinds) const {
  std::string text;
  for (const int keyword : keywords) text += Render(keyword, row, kinds);
  return text;
}

std::vector<std::string> TextRenderer::ContextTexts(int keyword_index) const {
  const Keyword& keyword = keywords_[keyword_index];
  std::vector<std::string> all;
  std::set<std::string> seen;
  // An odometer over the domains; the position past the end is null.
  std::vector<size_t> position(keyword.domains.size(), 0);
  std::vector<const std::string*> texts(keyword.pieces.size());
  for (bool more = true; more;) {
    for (size_t i = 0; i < texts.size(); ++i) {
      const int d = keyword.pieces[i].domain;
      const bool null = d < 0 || position[d] == keyword.domains[d].texts.size();
      texts[i] = null ? nullptr : &keyword.domains[d].texts[position[d]];
    }
    std::string text = Assemble(keyword, texts, nullptr);
    if (!text.empty() && seen.insert(text).second) {
      all.push_back(std::move(text));
    }
    more = false;
    for (size_t d = 0; d < position.size() && !more; ++d) {
      more = ++position[d] <= keyword.domains[d].texts.size();
      if (!more) position[d] = 0;
    }
  }
  return all;
}

}  // namespace larr
