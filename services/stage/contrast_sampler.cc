// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_sampler.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <random>

#include "common/base/status_macros.h"
#include "services/stage/sampling.h"

namespace larr::stage {
namespace {

using config::v1::Keyword;
using Slots = std::vector<const std::string*>;

// The texts at `positions` that are there.
void Collect(const std::vector<std::string>& texts,
             const std::vector<size_t>& positions, Slots& slots) {
  for (const size_t i : positions) {
    if (i < texts.size() && !texts[i].empty()) slots.push_back(&texts[i]);
  }
}

bool HasAny(const std::vector<std::string>& texts,
            const std::vector<size_t>& positions) {
  Slots slots;
  Collect(texts, positions, slots);
  return !slots.empty();
}

std::string Compose(std::mt19937_64& random, double dropout,
                    const Slots& slots) {
  Slots kept;
  if (DrawUnit(random) < dropout) {
    kept = {slots[Draw(random, slots.size())]};
  } else {
    for (const auto* slot : slots) {
      if (DrawUnit(random) >= dropout) kept.push_back(slot);
    }
    if (kept.empty()) kept = {slots[Draw(random, slots.size())]};
    Shuffle(random, kept);
  }
  std::string text;
  for (const auto* slot : kept) text += *slot;
  return text;
}

// Fills in `excluded`: where same(i, j), or a text of the two is equal.
void Exclude(PairBatch& batch,
             const std::function<bool(size_t, size_t)>& same) {
  const size_t n = batch.a.size();
  batch.excluded.assign(n * n, 0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      batch.excluded[i * n + j] =
          i != j &&
          (batch.a[i] == batch.a[j] || batch.b[i] == batch.b[j] || same(i, j));
    }
  }
}

// Rows that have both texts, by entity, in the order of their first rows.
std::vector<std::vector<size_t>> Pairable(
    const std::vector<CorpusEntity>& entities,
    const std::vector<size_t>& one_side,
    const std::vector<size_t>& other_side) {
  std::vector<std::vector<size_t>> out;
  std::unordered_map<std::string, size_t> place;
  for (size_t row = 0; row < entities.size(); ++row) {
    if (!HasAny(entities[row].texts, one_side) ||
        !HasAny(entities[row].texts, other_side))
      continue;
    const auto [found, is_new] = place.emplace(entities[row].id, out.size());
    if (is_new) out.emplace_back();
    out[found->second].push_back(row);
  }
  return out;
}

std::map<std::pair<std::string, std::string>, size_t> ByDay(
    const std::vector<CorpusEntity>& entities) {
  std::map<std::pair<std::string, std::string>, size_t> rows;
  for (size_t row = 0; row < entities.size(); ++row)
    rows.emplace(std::pair(entities[row].id, entities[row].date), row);
  return rows;
}

}  // namespace

const char* PairKindName(PairKind kind) {
  switch (kind) {
    case PairKind::kUserUser:
      return "user_user";
    case PairKind::kPoiPoi:
      return "poi_poi";
    default:
      return "user_poi";
  }
}

absl::StatusOr<ContrastSampler> ContrastSampler::Create(
    const config::v1::DatasetSpec& dataset,
    const config::v1::ContrastConfig& config, ContrastData data,
    uint64_t seed) {
  ContrastSampler sampler(config, std::move(data), seed);
  sampler.ReadKeywords(dataset);
  auto& known = sampler.data_;
  sampler.users_ = Pairable(known.users, sampler.profile_, sampler.action_);
  sampler.pois_ = Pairable(known.pois, sampler.business_, sampler.basic_);
  for (const auto& [user, poi] : known.known_orders)
    sampler.orders_[user].insert(poi);
  LARR_RETURN_IF_ERROR(sampler.JoinPairs());
  return sampler;
}

void ContrastSampler::ReadKeywords(const config::v1::DatasetSpec& dataset) {
  size_t user = 0, poi = 0;
  for (const Keyword& keyword : dataset.keywords()) {
    if (keyword.side() == config::v1::USER) {
      auto& group =
          keyword.group() == Keyword::USER_PROFILE ? profile_ : action_;
      group.push_back(user++);
    } else if (keyword.side() == config::v1::POI) {
      auto& group =
          keyword.group() == Keyword::POI_BUSINESS ? business_ : basic_;
      group.push_back(poi++);
    }
  }
}

absl::Status ContrastSampler::JoinPairs() {
  const auto users = ByDay(data_.users), pois = ByDay(data_.pois);
  std::vector<CorpusPair> kept;
  for (CorpusPair& pair : data_.pairs) {
    const auto user = users.find({pair.user_id, pair.date});
    const auto poi = pois.find({pair.poi_id, pair.date});
    if (user == users.end() || poi == pois.end()) {
      return absl::DataLossError(fmt::format(
          "the corpus lacks {} '{}' as of {}, of an order of pairs.parquet",
          user == users.end() ? "user" : "POI",
          user == users.end() ? pair.user_id : pair.poi_id, pair.date));
    }
    Slots user_slots, poi_slots;
    Collect(data_.users[user->second].texts, profile_, user_slots);
    Collect(data_.users[user->second].texts, action_, user_slots);
    for (const auto& text : pair.context)
      if (!text.empty()) user_slots.push_back(&text);
    Collect(data_.pois[poi->second].texts, business_, poi_slots);
    Collect(data_.pois[poi->second].texts, basic_, poi_slots);
    if (user_slots.empty() || poi_slots.empty()) continue;
    by_value_[data_.pois[poi->second].same_value].push_back(kept.size());
    joined_.emplace_back(user->second, poi->second);
    kept.push_back(std::move(pair));
  }
  data_.pairs = std::move(kept);
  return absl::OkStatus();
}

bool ContrastSampler::Has(PairKind kind) const {
  switch (kind) {
    case PairKind::kUserUser:
      return users_.size() >= 2;
    case PairKind::kPoiPoi:
      return pois_.size() >= 2;
    default:
      return joined_.size() >= 2;
  }
}

PairBatch ContrastSampler::Batch(PairKind kind, int64_t step) const {
  return kind == PairKind::kUserPoi ? OrderBatch(step)
                                    : EntityBatch(kind, step);
}

PairBatch ContrastSampler::EntityBatch(PairKind kind, int64_t step) const {
  const bool of_users = kind == PairKind::kUserUser;
  auto random = StepRandom(seed_, PairKindName(kind), step);
  const auto& entities = of_users ? users_ : pois_;
  PairBatch batch;
  for (const uint64_t i :
       DrawDistinct(random, entities.size(), config_.pairs_per_step())) {
    const size_t row = entities[i][Draw(random, entities[i].size())];
    const auto& texts = (of_users ? data_.users : data_.pois)[row].texts;
    Slots a, b;
    Collect(texts, of_users ? profile_ : business_, a);
    Collect(texts, of_users ? action_ : basic_, b);
    batch.a.push_back(Compose(random, config_.keyword_dropout(), a));
    batch.b.push_back(Compose(random, config_.keyword_dropout(), b));
  }
  // Entities are drawn without repetition: only their texts can be equal.
  Exclude(batch, [](size_t, size_t) { return false; });
  return batch;
}

PairBatch ContrastSampler::OrderBatch(int64_t step) const {
  auto random = StepRandom(seed_, PairKindName(PairKind::kUserPoi), step);
  std::vector<uint64_t> chosen;
  if (!config_.same_value_column().empty() &&
      DrawUnit(random) < config_.same_value_fraction()) {
    const auto& poi = data_.pois[joined_[Draw(random, joined_.size())].second];
    const auto& rows = by_value_.at(poi.same_value);
    for (const uint64_t i :
         DrawDistinct(random, rows.size(), config_.pairs_per_step()))
      chosen.push_back(rows[i]);
  }
  if (chosen.size() < 2)
    chosen = DrawDistinct(random, joined_.size(), config_.pairs_per_step());
  PairBatch batch;
  for (const uint64_t i : chosen) {
    const auto& user = data_.users[joined_[i].first].texts;
    const auto& poi = data_.pois[joined_[i].second].texts;
    Slots a, b;
    Collect(user, profile_, a);
    Collect(user, action_, a);
    for (const auto& text : data_.pairs[i].context)
      if (!text.empty()) a.push_back(&text);
    Collect(poi, business_, b);
    Collect(poi, basic_, b);
    batch.a.push_back(Compose(random, config_.keyword_dropout(), a));
    batch.b.push_back(Compose(random, config_.keyword_dropout(), b));
  }
  Exclude(batch, [&](size_t i, size_t j) {
    const CorpusPair& one = data_.pairs[chosen[i]];
    const CorpusPair& other = data_.pairs[chosen[j]];
    if (one.user_id == other.user_id || one.poi_id == other.poi_id) return true;
    const auto orders = orders_.find(one.user_id);
    return orders != orders_.end() && orders->second.count(other.poi_id) > 0;
  });
  return batch;
}

}  // namespace larr::stage
