// SPDX-License-Identifier: Apache-2.0
//
// The batches of stage 2 (paper section 3.2): pairs of texts of three kinds,
// and which texts of a batch are no negatives of each other.
//
//   user-user  U_p with U_a of the same user
//   POI-POI    P_d with P_b of the same POI
//   user-POI   U = [U_p, U_a, the moment of the order] with P = [P_d, P_b] of
//              an order
//
// As served, a slot's vector is read at its own end token, of the slot alone.
// So that each of them learns to end a text: with probability
// `keyword_dropout` a text is one of its slots alone; otherwise each slot is
// left out with that probability, and the others stand in random order.
//
// Not negatives of each other: the same user or POI, equal texts on either
// side, and a user and a POI of any order that training may know.
//
// Threads: const methods may be called concurrently.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/corpus_files.h"

namespace larr::stage {

enum class PairKind { kUserUser, kPoiPoi, kUserPoi };
inline constexpr std::array kPairKinds = {
    PairKind::kUserUser, PairKind::kPoiPoi, PairKind::kUserPoi};
const char* PairKindName(PairKind kind);

struct PairBatch {
  std::vector<std::string> a;     // users' or business texts
  std::vector<std::string> b;     // the partners
  std::vector<uint8_t> excluded;  // [n, n]: a_i and b_j are no negatives
};

// Pairs whose two descriptions are lists of slots' texts.
struct SlotPairSample {
  std::vector<std::string> texts;  // distinct, each of one slot
  struct Pair {
    std::vector<int64_t> a, b;  // positions within `texts`
  };
  std::array<std::vector<Pair>, kPairKinds.size()> pairs;  // by kind
};

// What the corpus knows.
struct ContrastData {
  std::vector<CorpusEntity> users;
  std::vector<CorpusEntity> pois;
  std::vector<CorpusPair> pairs;
  std::vector<std::pair<std::string, std::string>> known_orders;
};

class ContrastSampler {
 public:
  // Errors: kDataLoss  a pair's user or POI is not there
  static absl::StatusOr<ContrastSampler> Create(
      const config::v1::DatasetSpec& dataset,
      const config::v1::ContrastConfig& config, ContrastData data,
      uint64_t seed);

  // False where the dataset has fewer than two such pairs, for example because
  // it has no user texts.
  bool Has(PairKind kind) const;

  // A function of (seed, kind, step). At most `pairs_per_step` pairs, fewer
  // where the data (or the value drawn of `same_value_column`) has fewer.
  // REQUIRES: Has(kind)
  PairBatch Batch(PairKind kind, int64_t step) const;

  // Pairs of all kinds in turn, each once and in random order, until there are
  // `max_texts` texts or no more pairs. A function of the seed.
  SlotPairSample DrawSlotPairs(size_t max_texts) const;

 private:
  using Slots = std::vector<const std::string*>;
  // The rows of an entity that have texts on both sides of a pair.
  using Rows = std::vector<size_t>;

  explicit ContrastSampler(const config::v1::ContrastConfig& config,
                           ContrastData data, uint64_t seed)
      : config_(config), data_(std::move(data)), seed_(seed) {}
  void ReadKeywords(const config::v1::DatasetSpec& dataset);
  absl::Status JoinPairs();
  // How many pairs there are of a kind.
  size_t Count(PairKind kind) const;
  // The slots of both sides of a user, a POI, or an order, by its position.
  std::pair<Slots, Slots> SidesOf(PairKind kind, size_t row) const;
  std::pair<Slots, Slots> OrderSides(size_t user, size_t poi,
                                     const CorpusPair& pair) const;
  PairBatch EntityBatch(PairKind kind, int64_t step) const;
  PairBatch OrderBatch(int64_t step) const;

  config::v1::ContrastConfig config_;
  ContrastData data_;
  uint64_t seed_;
  // Positions within CorpusEntity::texts.
  std::vector<size_t> profile_, action_, business_, basic_;
  std::vector<Rows> users_, pois_;                 // By entity.
  std::vector<std::pair<size_t, size_t>> joined_;  // Of each pair: user, POI.
  std::unordered_map<std::string, std::vector<uint64_t>> by_value_;
  std::unordered_map<std::string, std::unordered_set<std::string>> orders_;
};

}  // namespace larr::stage
