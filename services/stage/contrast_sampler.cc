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
    const auto [a, b] = OrderSides(user->second, poi->second, pair);
    if (a.empty() || b.empty()) continue;
    by_value_[data_.pois[poi->second].same_value].push_back(kept.size());
    joined_.emplace_back(user->second, poi->second);
    kept.push_back(std::move(pair));
  }
  data_.pairs = std::move(kept);
  return absl::OkStatus();
}

size_t ContrastSampler::Count(PairKind kind) const {
  switch (kind) {
    case PairKind::kUserUser:
      return users_.size();
    case PairKind::kPoiPoi:
      return pois_.size();
    default:
      return joined_.size();
  }
}

bool ContrastSampler::Has(PairKind kind) const { return Count(kind) >= 2; }

std::pair<Slots, Slots> ContrastSampler::SidesOf(PairKind kind,
                                                 size_t row) const {
  Slots a, b;
  if (kind == PairKind::kUserUser) {
    Collect(data_.users[row].texts, profile_, a);
    Collect(data_.users[row].texts, action_, b);
  } else if (kind == PairKind::kPoiPoi) {
    Collect(data_.pois[row].texts, business_, a);
    Collect(data_.pois[row].texts, basic_, b);
  } else {
    return OrderSides(joined_[row].first, joined_[row].second,
                      data_.pairs[row]);
  }
  return {a, b};
}

std::pair<Slots, Slots> ContrastSampler::OrderSides(
    size_t user, size_t poi, const CorpusPair& pair) const {
  Slots a, b;
  Collect(data_.users[user].texts, profile_, a);
  Collect(data_.users[user].texts, action_, a);
  for (const auto& text : pair.context)
    if (!text.empty()) a.push_back(&text);
  Collect(data_.pois[poi].texts, business_, b);
  Collect(data_.pois[poi].texts, basic_, b);
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
    const size_t count = Count(kPairKinds[k]);
    order[k] = DrawDistinct(random, count, count);
    longest = std::max(longest, count);
  }
  for (size_t i = 0; i < longest; ++i) {
    for (size_t k = 0; k < order.size(); ++k) {
      if (sample.texts.size() >= max_texts) return sample;
      if (i >= order[k].size()) continue;
      const PairKind kind = kPairKinds[k];
      size_t row = order[k][i];
      if (kind != PairKind::kUserPoi) {
        const Rows& rows = (kind == PairKind::kUserUser ? users_ : pois_)[row];
        row = rows[Draw(random, rows.size())];
      }
      const auto [a, b] = SidesOf(kind, row);
      sample.pairs[k].push_back({add(a), add(b)});
    }
  }
  return sample;
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
    const auto [a, b] =
        SidesOf(kind, entities[i][Draw(random, entities[i].size())]);
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
    const auto [a, b] = SidesOf(PairKind::kUserPoi, i);
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
