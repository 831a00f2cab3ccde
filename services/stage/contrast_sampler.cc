// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <string_view>

#include "common/base/status_macros.h"
#include "services/stage/held_out_ids.h"
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

std::string Joined(const Slots& slots) {
  std::string text;
  for (const auto* slot : slots) text += *slot;
  return text;
}

Slots Reduced(std::mt19937_64& random, double dropout, const Slots& slots) {
  Slots kept;
  if (DrawUnit(random) >= dropout) {
    for (const auto* slot : slots) {
      if (DrawUnit(random) >= dropout) kept.push_back(slot);
    }
  }
  if (kept.empty()) return {slots[Draw(random, slots.size())]};
  Shuffle(random, kept);
  return kept;
}

// Texts i and j that have the same key are no negatives of each other.
void ExcludeEqual(const std::vector<std::string>& keys, PairBatch& batch) {
  const size_t n = keys.size();
  std::unordered_map<std::string_view, std::vector<size_t>> groups;
  for (size_t i = 0; i < n; ++i) groups[keys[i]].push_back(i);
  for (const auto& [key, group] : groups) {
    for (const size_t i : group) {
      for (const size_t j : group)
        if (i != j) batch.excluded[i * n + j] = 1;
    }
  }
}

void ExcludeEqualTexts(PairBatch& batch) {
  batch.excluded.assign(batch.a.size() * batch.a.size(), 0);
  ExcludeEqual(batch.a, batch);
  ExcludeEqual(batch.b, batch);
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
  const auto& known = sampler.data_;
  const auto users = HeldOutIds(known.users, config.held_out_pairs(), seed);
  const auto pois = HeldOutIds(known.pois, config.held_out_pairs(), seed);
  sampler.SplitEntities(known.users, sampler.profile_, sampler.action_, users,
                        &Pool::users);
  sampler.SplitEntities(known.pois, sampler.business_, sampler.basic_, pois,
                        &Pool::pois);
  for (const auto& [user, poi] : known.known_orders)
    sampler.orders_[user].insert(poi);
  LARR_RETURN_IF_ERROR(sampler.JoinPairs(users, pois));
  return sampler;
}

void ContrastSampler::SplitEntities(
    const std::vector<CorpusEntity>& entities,
    const std::vector<size_t>& one_side, const std::vector<size_t>& other_side,
    const std::unordered_set<std::string>& held_out,
    std::vector<Rows> Pool::*place) {
  for (Rows& rows : Pairable(entities, one_side, other_side)) {
    Pool& pool =
        held_out.contains(entities[rows[0]].id) ? held_out_ : training_;
    (pool.*place).push_back(std::move(rows));
  }
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

absl::Status ContrastSampler::JoinPairs(
    const std::unordered_set<std::string>& held_out_users,
    const std::unordered_set<std::string>& held_out_pois) {
  const auto users = ByDay(data_.users), pois = ByDay(data_.pois);
  for (size_t i = 0; i < data_.pairs.size(); ++i) {
    const CorpusPair& pair = data_.pairs[i];
    const auto user = users.find({pair.user_id, pair.date});
    const auto poi = pois.find({pair.poi_id, pair.date});
    if (user == users.end() || poi == pois.end()) {
      return absl::DataLossError(fmt::format(
          "the corpus lacks {} '{}' as of {}, of an order of pairs.parquet",
          user == users.end() ? "user" : "POI",
          user == users.end() ? pair.user_id : pair.poi_id, pair.date));
    }
    const Order order{i, user->second, poi->second};
    const auto [a, b] = SidesOf(order);
    if (a.empty() || b.empty()) continue;
    if (held_out_users.contains(pair.user_id)) {
      held_out_.orders.push_back(order);
    } else if (!held_out_pois.contains(pair.poi_id)) {
      by_value_[data_.pois[order.poi].same_value].push_back(
          training_.orders.size());
      training_.orders.push_back(order);
    }
  }
  return absl::OkStatus();
}

size_t ContrastSampler::Pool::Count(PairKind kind) const {
  return kind == PairKind::kUserPoi ? orders.size() : Entities(kind).size();
}

bool ContrastSampler::Has(PairKind kind) const {
  return training_.Count(kind) >= 2;
}

std::pair<Slots, Slots> ContrastSampler::SidesOf(PairKind kind,
                                                 size_t row) const {
  Slots a, b;
  if (kind == PairKind::kUserUser) {
    Collect(data_.users[row].texts, profile_, a);
    Collect(data_.users[row].texts, action_, b);
  } else {
    Collect(data_.pois[row].texts, business_, a);
    Collect(data_.pois[row].texts, basic_, b);
  }
  return {a, b};
}

std::pair<Slots, Slots> ContrastSampler::SidesOf(const Order& order) const {
  Slots a, b;
  Collect(data_.users[order.user].texts, profile_, a);
  Collect(data_.users[order.user].texts, action_, a);
  for (const auto& text : data_.pairs[order.pair].context)
    if (!text.empty()) a.push_back(&text);
  Collect(data_.pois[order.poi].texts, business_, b);
  Collect(data_.pois[order.poi].texts, basic_, b);
  return {a, b};
}

SlotPairSample ContrastSampler::DrawSlotPairs(size_t max_texts) const {
  SlotPairSample sample;
  std::unordered_map<std::string_view, int64_t> known;
  const auto add = [&](const Slots& slots) {
    std::vector<int64_t> positions;
    for (const auto* text : slots) {
      const auto [place, is_new] =
          known.emplace(*text, static_cast<int64_t>(known.size()));
      if (is_new) sample.texts.push_back(*text);
      positions.push_back(place->second);
    }
    return positions;
  };
  auto random = StepRandom(seed_, "slot_pairs", 0);
  std::array<std::vector<uint64_t>, kPairKinds.size()> order;
  size_t longest = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    const size_t count = training_.Count(kPairKinds[k]);
    order[k] = DrawDistinct(random, count, count);
    longest = std::max(longest, count);
  }
  for (size_t i = 0; i < longest; ++i) {
    for (size_t k = 0; k < order.size(); ++k) {
      if (sample.texts.size() >= max_texts) return sample;
      if (i >= order[k].size()) continue;
      const PairKind kind = kPairKinds[k];
      std::pair<Slots, Slots> sides;
      std::string same_value;
      if (kind == PairKind::kUserPoi) {
        const Order& pair = training_.orders[order[k][i]];
        sides = SidesOf(pair);
        same_value = data_.pois[pair.poi].same_value;
      } else {
        const Rows& rows = training_.Entities(kind)[order[k][i]];
        const size_t row = rows[Draw(random, rows.size())];
        sides = SidesOf(kind, row);
        if (kind == PairKind::kPoiPoi) same_value = data_.pois[row].same_value;
      }
      sample.pairs[k].push_back(
          {add(sides.first), add(sides.second), std::move(same_value)});
    }
  }
  return sample;
}

PairBatch ContrastSampler::Batch(PairKind kind, int64_t step) const {
  auto random = StepRandom(seed_, PairKindName(kind), step);
  if (kind == PairKind::kUserPoi)
    return OrderBatch(training_, ChooseOrders(random), false, random);
  const auto chosen =
      DrawDistinct(random, training_.Count(kind), config_.pairs_per_step());
  return EntityBatch(kind, training_, chosen, false, random);
}

PairBatch ContrastSampler::HeldOut(PairKind kind, bool complete) const {
  auto random =
      StepRandom(seed_, fmt::format("held_out {}", PairKindName(kind)), 0);
  const auto chosen =
      DrawDistinct(random, held_out_.Count(kind), config_.held_out_pairs());
  return kind == PairKind::kUserPoi
             ? OrderBatch(held_out_, chosen, complete, random)
             : EntityBatch(kind, held_out_, chosen, complete, random);
}

std::vector<uint64_t> ContrastSampler::ChooseOrders(
    std::mt19937_64& random) const {
  const auto& orders = training_.orders;
  std::vector<uint64_t> chosen;
  if (!config_.same_value_column().empty() &&
      DrawUnit(random) < config_.same_value_fraction()) {
    const Order& order = orders[Draw(random, orders.size())];
    const auto& rows = by_value_.at(data_.pois[order.poi].same_value);
    for (const uint64_t i :
         DrawDistinct(random, rows.size(), config_.pairs_per_step()))
      chosen.push_back(rows[i]);
  }
  if (chosen.size() < 2)
    chosen = DrawDistinct(random, orders.size(), config_.pairs_per_step());
  return chosen;
}

void ContrastSampler::Compose(const std::pair<Slots, Slots>& sides,
                              bool complete, std::mt19937_64& random,
                              PairBatch& batch) const {
  auto [a, b] = sides;
  const double dropout = config_.keyword_dropout();
  if (!complete) {
    for (Slots* slots : {&a, &b}) *slots = Reduced(random, dropout, *slots);
  }
  batch.a.push_back(Joined(a));
  batch.b.push_back(Joined(b));
}

PairBatch ContrastSampler::EntityBatch(PairKind kind, const Pool& pool,
                                       const std::vector<uint64_t>& chosen,
                                       bool complete,
                                       std::mt19937_64& random) const {
  PairBatch batch;
  for (const uint64_t i : chosen) {
    const Rows& rows = pool.Entities(kind)[i];
    Compose(SidesOf(kind, rows[Draw(random, rows.size())]), complete, random,
            batch);
  }
  // Entities are chosen without repetition: only their texts can be equal.
  ExcludeEqualTexts(batch);
  return batch;
}

PairBatch ContrastSampler::OrderBatch(const Pool& pool,
                                      const std::vector<uint64_t>& chosen,
                                      bool complete,
                                      std::mt19937_64& random) const {
  PairBatch batch;
  std::vector<std::string> users, pois;
  for (const uint64_t i : chosen) {
    const Order& order = pool.orders[i];
    users.push_back(data_.pairs[order.pair].user_id);
    pois.push_back(data_.pairs[order.pair].poi_id);
    Compose(SidesOf(order), complete, random, batch);
  }
  ExcludeEqualTexts(batch);
  ExcludeEqual(users, batch);
  ExcludeEqual(pois, batch);
  const size_t n = chosen.size();
  std::unordered_map<std::string_view, std::vector<size_t>> of_poi;
  for (size_t j = 0; j < n; ++j) of_poi[pois[j]].push_back(j);
  for (size_t i = 0; i < n; ++i) {
    const auto known = orders_.find(users[i]);
    if (known == orders_.end()) continue;
    for (const std::string& poi : known->second) {
      const auto found = of_poi.find(poi);
      if (found == of_poi.end()) continue;
      for (const size_t j : found->second)
        if (i != j) batch.excluded[i * n + j] = 1;
    }
  }
  return batch;
}

}  // namespace larr::stage
