// SPDX-License-Identifier: Apache-2.0
#include "services/stage/description_report.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/status_macros.h"
#include "common/features/text_renderer.h"
#include "common/tensors/torch_status.h"
#include "services/stage/pretrain_batches.h"

namespace larr::stage {
namespace {

using Kind = TokenOrigin::Kind;

// Tokens that the model sees at once, unless one text has more; and rows whose
// logits are held at once.
constexpr int64_t kPassTokens = 4096;
constexpr int64_t kLogitRows = 256;

int64_t CommonPrefix(const TokenIds& a, const TokenIds& b) {
  const auto [end, other] =
      std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return end - a.begin();
}

int64_t CommonSuffix(const TokenIds& a, const TokenIds& b) {
  const auto [end, other] =
      std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  return end - a.rbegin();
}

// Marks the tokens that lie in a stretch of template.
absl::Status MarkTemplate(const Tokenizer& tokenizer, const std::string& y,
                          const std::string& kinds, const TokenIds& ids,
                          std::vector<TokenOrigin>& origins) {
  for (size_t from = 0; from < y.size();) {
    const size_t to =
        std::min(kinds.find_first_not_of(kTemplateByte, from), y.size());
    if (to == from) {
      from = std::min(kinds.find(kTemplateByte, from), y.size());
      continue;
    }
    const std::string parts[] = {y.substr(from), y.substr(0, to)};
    LARR_ASSIGN_OR_RETURN(const auto encoded, tokenizer.Encode(parts));
    const int64_t begin =
        static_cast<int64_t>(ids.size()) - CommonSuffix(encoded[0], ids);
    const int64_t end = CommonPrefix(encoded[1], ids);
    for (int64_t i = begin; i < end; ++i) origins[i].kind = Kind::kTemplate;
    from = to;
  }
  return absl::OkStatus();
}

std::string KindName(Kind kind) {
  if (kind == Kind::kSpecial) return "special";
  return kind == Kind::kTemplate ? "template" : "content";
}

}  // namespace

absl::StatusOr<std::vector<TokenOrigin>> FindOrigins(
    const Tokenizer& tokenizer, std::span<const std::string> slots,
    const std::string& y, const std::string& kinds) {
  LARR_ASSIGN_OR_RETURN(const auto encoded, tokenizer.Encode({&y, 1}));
  const TokenIds& ids = encoded[0];
  std::map<int32_t, int> begins, ends;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (const auto id = tokenizer.IdOf(BeginToken(slots[i])))
      begins[*id] = static_cast<int>(i);
    if (const auto id = tokenizer.IdOf(EndToken(slots[i])))
      ends[*id] = static_cast<int>(i);
  }
  std::vector<TokenOrigin> origins(ids.size());
  LARR_RETURN_IF_ERROR(MarkTemplate(tokenizer, y, kinds, ids, origins));
  int keyword = -1;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto begin = begins.find(ids[i]);
    if (begin != begins.end()) keyword = begin->second;
    if (keyword < 0) {
      return absl::InvalidArgumentError(
          "a description's y does not begin with a keyword's special token");
    }
    origins[i].keyword = keyword;
    if (begin != begins.end() || ends.contains(ids[i]))
      origins[i].kind = Kind::kSpecial;
  }
  return origins;
}

nlohmann::json ToJson(const Measures& measures) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, measure] : measures)
    json[name] = {{"loss", measure.loss}, {"tokens", measure.tokens}};
  return json;
}

absl::StatusOr<HeldOutTexts> HeldOutTexts::Make(
    const Tokenizer& tokenizer, std::span<const std::string> slots,
    std::span<const CorpusDescription> descriptions,
    std::span<const GeneralDocument> documents, int32_t max_tokens) {
  HeldOutTexts out;
  out.slots_.assign(slots.begin(), slots.end());
  for (const CorpusDescription& text : descriptions) {
    LARR_ASSIGN_OR_RETURN(auto description,
                          TokenizeDescription(tokenizer, text, max_tokens));
    if (text.y_kinds.size() != text.y.size()) {
      return absl::InvalidArgumentError(
          "descriptions.parquet: `y_kinds` does not fit `y`; make the corpus "
          "anew");
    }
    LARR_ASSIGN_OR_RETURN(auto origins,
                          FindOrigins(tokenizer, slots, text.y, text.y_kinds));
    const auto given = std::min<int64_t>(
        description.given, static_cast<int64_t>(description.ids.size()));
    // Without x the first token of y is no target; the cut leaves out others.
    const int64_t from = std::max<int64_t>(1, given) - given;
    const int64_t targets = Targets(description);
    if (targets == 0) continue;
    origins.erase(origins.begin(), origins.begin() + from);
    origins.resize(targets);
    out.descriptions_.push_back(std::move(description));
    out.origins_.push_back(std::move(origins));
  }
  for (const GeneralDocument& document : documents) {
    LARR_ASSIGN_OR_RETURN(auto ids, TokenizeDocument(tokenizer, document));
    if (static_cast<int64_t>(ids.size()) > max_tokens) ids.resize(max_tokens);
    if (ids.size() >= 2) out.documents_.push_back({std::move(ids), 0});
  }
  return out;
}

std::vector<double> TokenLosses(const Decoder& decoder,
                                std::span<const Description> texts) {
  const torch::NoGradGuard no_grad;
  const LanguageBatch batch = MakeLanguageBatch(texts);
  const torch::Tensor hidden =
      decoder.Hidden(batch.batch).index_select(0, batch.rows);
  std::vector<double> losses;
  for (int64_t from = 0; from < hidden.size(0); from += kLogitRows) {
    const int64_t rows = std::min(kLogitRows, hidden.size(0) - from);
    const torch::Tensor logits = decoder.Logits(hidden.narrow(0, from, rows));
    const torch::Tensor own =
        logits.gather(1, batch.targets.narrow(0, from, rows).unsqueeze(1));
    const torch::Tensor part =
        (logits.logsumexp(1, true) - own).to(torch::kFloat64).contiguous();
    losses.insert(losses.end(), part.data_ptr<double>(),
                  part.data_ptr<double>() + rows);
  }
  return losses;
}

absl::StatusOr<Measures> HeldOutTexts::Measure(const Decoder& decoder) const {
  Measures measures;
  const auto add = [&](const std::string& name, double loss) {
    auto& measure = measures[name];
    measure.loss += loss;
    ++measure.tokens;
  };
  LARR_RETURN_IF_ERROR(GuardTorch("held-out loss", [&] {
    size_t text = 0;
    for (const auto pass : SplitPasses(descriptions_, kPassTokens)) {
      const auto losses = TokenLosses(decoder, pass);
      auto loss = losses.begin();
      for (size_t i = 0; i < pass.size(); ++i, ++text) {
        for (const TokenOrigin& origin : origins_[text]) {
          add("all", *loss);
          add(KindName(origin.kind), *loss);
          const std::string keyword = "keyword/" + slots_.at(origin.keyword);
          add(keyword, *loss);
          if (origin.kind == Kind::kContent) add(keyword + "/content", *loss);
          ++loss;
        }
      }
    }
    for (const auto pass : SplitPasses(documents_, kPassTokens)) {
      for (const double loss : TokenLosses(decoder, pass)) add("general", loss);
    }
    return absl::OkStatus();
  }));
  return measures;
}

absl::StatusOr<double> HeldOutTexts::DescriptionLoss(
    const Decoder& decoder) const {
  double sum = 0;
  int64_t tokens = 0;
  LARR_RETURN_IF_ERROR(GuardTorch("held-out loss", [&] {
    for (const auto pass : SplitPasses(descriptions_, kPassTokens)) {
      for (const double loss : TokenLosses(decoder, pass)) {
        sum += loss;
        ++tokens;
      }
    }
    return absl::OkStatus();
  }));
  return tokens == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : sum / static_cast<double>(tokens);
}

nlohmann::ordered_json CompareMeasures(const nlohmann::json& before,
                                       const Measures& after) {
  nlohmann::ordered_json comparison = nlohmann::ordered_json::object();
  for (const auto& [name, measure] : after) {
    const auto tokens = static_cast<double>(measure.tokens);
    const double loss_before =
        before.at(name).at("loss").get<double>() / tokens;
    const double loss_after = measure.loss / tokens;
    comparison[name] = {{"tokens", measure.tokens},
                        {"loss_before", loss_before},
                        {"loss_after", loss_after},
                        {"perplexity_before", std::exp(loss_before)},
                        {"perplexity_after", std::exp(loss_after)}};
  }
  return comparison;
}

std::string MeasureTable(const nlohmann::ordered_json& comparison) {
  std::string table = fmt::format("{:<32} {:>8} {:>17} {:>21}\n", "held out",
                                  "tokens", "loss a token", "perplexity");
  for (const auto& [name, row] : comparison.items()) {
    table += fmt::format(
        "{:<32} {:>8} {:>7.3f} -> {:>6.3f} {:>8.1f} -> {:>8.1f}\n", name,
        row["tokens"].get<int64_t>(), row["loss_before"].get<double>(),
        row["loss_after"].get<double>(), row["perplexity_before"].get<double>(),
        row["perplexity_after"].get<double>());
  }
  return table;
}

}  // namespace larr::stage
