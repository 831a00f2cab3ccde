// SPDX-License-Identifier: Apache-2.0
#include "bench/llm_material.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <iterator>
#include <map>
#include <random>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/dataset/parquet_writer.h"
#include "common/llm/checkpoint.h"
#include "common/tensors/safetensors.h"

namespace larr::bench {
namespace {

constexpr char kModel[] = ".deps/models/smollm2-135m";
constexpr int kDim = 128;
constexpr int kMaxTokens = 512;  // Longer than any of the texts.
constexpr int kKnownTokens = 49'152;

// Scene features: short contexts, POIs of medium length, long user histories.
struct Kind {
  const char* slot;
  unsigned min_words;
  unsigned max_words;
  unsigned share;
};
constexpr Kind kKinds[] = {
    {"ctx", 4, 14, 1}, {"poi", 30, 90, 2}, {"user", 20, 160, 2}};
constexpr Kind kShort = {"ctx", 1, 4, 0};

constexpr const char* kWords[] = {
    "noodle",  "rice",     "spicy",    "hotpot",   "grilled", "chicken",
    "milk",    "tea",      "iced",     "lemon",    "soup",    "beef",
    "broth",   "tofu",     "salad",    "burger",   "pizza",   "cake",
    "dessert", "fried",    "fish",     "curry",    "sushi",   "ramen",
    "bowl",    "fresh",    "local",    "famous",   "crispy",  "sweet",
    "sour",    "garlic",   "chili",    "family",   "set",     "lunch",
    "dinner",  "snack",    "midnight", "fast",     "cheap",   "premium",
    "order",   "delivery", "click",    "last",     "week",    "price",
    "rating",  "average",  "dumpling", "breakfast"};

Text MakeText(const Kind& kind, std::mt19937& random) {
  const unsigned words =
      kind.min_words + random() % (kind.max_words - kind.min_words + 1);
  Text text{kind.slot, ""};
  for (unsigned word = 0; word < words; ++word)
    text.value += fmt::format("{}{}", word == 0 ? "" : " ",
                              kWords[random() % std::size(kWords)]);
  return text;
}

absl::Status WriteEmbedder(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  LARR_ASSIGN_OR_RETURN(Checkpoint checkpoint,
                        ReadCheckpoint(kModel, torch::kBFloat16));
  EmbedderHead head;
  std::vector<std::string> slots;
  for (const Kind& kind : kKinds) {
    slots.emplace_back(kind.slot);
    head.config.add_slots(kind.slot);
  }
  LARR_RETURN_IF_ERROR(AddSlots(slots, 1, checkpoint).status());
  head.config.set_max_tokens(kMaxTokens);
  torch::manual_seed(1);
  head.projection = torch::randn({kDim, checkpoint.config.hidden_size});
  return WriteCheckpoint(folder, checkpoint, torch::kBFloat16, &head);
}

absl::Status WriteTrainingIds(const std::filesystem::path& file) {
  std::vector<int64_t> ids;
  for (const TokenIds& text : MakeTrainingIds())
    ids.insert(ids.end(), text.begin(), text.end());
  return WriteSafetensors(
      file, {{"ids", torch::tensor(ids, torch::kInt64)
                         .view({kTrainingTexts, kTrainingTokens})}});
}

constexpr char kDay[] = "2026-01-02";
constexpr char kDataset[] = R"(
name: "bench"
impressions { path: "impressions" user_key: "user_id" poi_key: "poi_id"
              click_column: "click" }
users { path: "users" key: "id" }
pois { path: "pois" key: "id" }
split { dates { pairs_begin: "2026-01-01" train_begin: "2026-01-02"
                validation_begin: "2026-01-03" test_begin: "2026-01-04" } }
gauc_group_column: "user_id"
keywords { name: "ctx" side: USER group: USER_PROFILE template: "{ctx}" }
keywords { name: "user" side: USER group: USER_ACTION template: "{user}" }
keywords { name: "poi" side: POI group: POI_BASIC template: "{poi}" }
scene_features: "ctx" scene_features: "user" scene_features: "poi"
)";

using Rows = std::vector<std::vector<ParquetWriter::Cell>>;

absl::Status WriteTable(const std::filesystem::path& folder,
                        const std::vector<ParquetWriter::Column>& columns,
                        const Rows& rows) {
  const auto day = folder / fmt::format("date={}", kDay);
  std::filesystem::create_directories(day);
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ParquetWriter::Create(day / "part-0.parquet", columns));
  for (const auto& row : rows) LARR_RETURN_IF_ERROR(writer.Append(row));
  return writer.Finish();
}

// Text i of a slot is row i's; users without one have a null.
absl::Status WriteDataset(const std::filesystem::path& folder) {
  using enum ColumnType;
  std::map<std::string, std::vector<ParquetWriter::Cell>> values;
  for (const Text& text : MakeTexts(kTexts))
    values[text.slot].emplace_back(text.value);
  values["ctx"].resize(values["user"].size());
  Rows users, pois;
  for (size_t i = 0; i < values["user"].size(); ++i) {
    users.push_back(
        {fmt::format("u{}", i), values["ctx"][i], values["user"][i]});
  }
  for (size_t i = 0; i < values["poi"].size(); ++i)
    pois.push_back({fmt::format("p{}", i), values["poi"][i]});
  LARR_RETURN_IF_ERROR(WriteTable(
      folder / "users", {{"id", kString}, {"ctx", kString}, {"user", kString}},
      users));
  LARR_RETURN_IF_ERROR(
      WriteTable(folder / "pois", {{"id", kString}, {"poi", kString}}, pois));
  LARR_RETURN_IF_ERROR(WriteTable(
      folder / "impressions",
      {{"user_id", kString}, {"poi_id", kString}, {"click", kInteger}},
      {{std::string("u0"), std::string("p0"), int64_t{1}}}));
  return WriteFileAtomically(folder / "dataset.textproto", kDataset);
}

}  // namespace

std::string Text::whole() const {
  return fmt::format("<{}>{}</{}>", slot, value, slot);
}

std::vector<Text> MakeTexts(int count) {
  std::mt19937 random(1);
  std::vector<const Kind*> kinds;
  for (const Kind& kind : kKinds) kinds.insert(kinds.end(), kind.share, &kind);
  std::vector<Text> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back(MakeText(
        i < kTexts ? *kinds[random() % kinds.size()] : kShort, random));
  }
  return texts;
}

std::vector<std::string> WholeTexts(int count) {
  std::vector<std::string> whole;
  for (const Text& text : MakeTexts(count)) whole.push_back(text.whole());
  return whole;
}

std::vector<TokenIds> MakeTrainingIds() {
  std::mt19937 random(2);
  std::vector<TokenIds> texts(kTrainingTexts);
  for (TokenIds& text : texts) {
    for (int64_t i = 0; i < kTrainingTokens; ++i)
      text.push_back(static_cast<int32_t>(random() % kKnownTokens));
  }
  return texts;
}

absl::Status PrepareLlm(const std::filesystem::path& folder) {
  LARR_RETURN_IF_ERROR(WriteEmbedder(folder / "embedder"));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(
      folder / "texts.txt",
      fmt::format("{}\n", fmt::join(WholeTexts(kTexts), "\n"))));
  LARR_RETURN_IF_ERROR(WriteTrainingIds(folder / "training.safetensors"));
  return WriteDataset(folder / "dataset");
}

}  // namespace larr::bench
