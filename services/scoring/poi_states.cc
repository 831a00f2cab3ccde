// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/poi_states.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace larr {

PoiStates::PoiStates(const Scorer& scorer, const RequestEncoder& encoder,
                     size_t cache_bytes)
    : scorer_(scorer), encoder_(encoder), cache_(cache_bytes) {}

absl::StatusOr<std::unique_ptr<PoiStates>> PoiStates::Create(
    const Scorer& scorer, const RequestEncoder& encoder, size_t cache_bytes) {
  std::unique_ptr<PoiStates> states(
      new PoiStates(scorer, encoder, cache_bytes));
  // No entity has an empty id.
  const std::string_view nobody;
  LARR_ASSIGN_OR_RETURN(Pois pois, states->Prepare({&nobody, 1}));
  states->unknown_ = std::move(pois[0]);
  return states;
}

absl::StatusOr<PoiStates::Pois> PoiStates::Prepare(
    std::span<const std::string_view> ids,
    std::span<const TextMap* const> texts) const {
  LARR_ASSIGN_OR_RETURN(EncodedPois encoded, encoder_.EncodePois(ids, texts));
  const size_t bytes = scorer_.poi_state_bytes();
  std::vector<std::byte> states(ids.size() * bytes);
  LARR_RETURN_IF_ERROR(scorer_.MakePoiStates(encoded.columns, states));
  Pois pois;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto first = states.begin() + static_cast<ptrdiff_t>(i * bytes);
    pois.push_back(std::make_shared<const PreparedPoi>(
        PreparedPoi{std::move(encoded.pois[i]),
                    {first, first + static_cast<ptrdiff_t>(bytes)}}));
  }
  return pois;
}

absl::StatusOr<PoiStates::Found> PoiStates::Get(
    std::span<const std::string_view> ids) {
  Found found;
  Pois& pois = found.pois;
  if (!encoder_.has_pois()) {  // Nobody is known, and all are alike.
    pois.assign(ids.size(), unknown_);
    return found;
  }
  std::vector<size_t> places;
  std::vector<std::string_view> missed;
  for (const std::string_view id : ids) {
    pois.push_back(cache_.Find(id));
    if (pois.back() != nullptr) continue;
    places.push_back(pois.size() - 1);
    missed.push_back(id);
  }
  found.prepared = static_cast<int>(missed.size());
  if (missed.empty()) return found;
  LARR_ASSIGN_OR_RETURN(const Pois prepared, Prepare(missed));
  for (size_t i = 0; i < missed.size(); ++i) {
    // Ids that nobody knows must not push out those that are.
    if (!prepared[i]->encoded.known) {
      pois[places[i]] = unknown_;
      continue;
    }
    pois[places[i]] = prepared[i];
    cache_.Insert(missed[i], prepared[i]);
  }
  return found;
}

absl::Status PoiStates::Warm(const std::vector<std::string>& ids,
                             const StopCheck& stop) {
  constexpr size_t kTogether = 256;
  for (size_t first = 0; first < ids.size(); first += kTogether) {
    LARR_RETURN_IF_ERROR(CheckStop(stop));
    const std::vector<std::string_view> some(
        ids.begin() + static_cast<ptrdiff_t>(first),
        ids.begin() +
            static_cast<ptrdiff_t>(std::min(first + kTogether, ids.size())));
    LARR_RETURN_IF_ERROR(Get(some).status());
  }
  return absl::OkStatus();
}

}  // namespace larr
