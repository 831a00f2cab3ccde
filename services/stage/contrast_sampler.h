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
// As served, a slot's vector is of the slot alone. So that each of them learns
// to be one: with probability `keyword_dropout` a text is one of its slots
// alone; otherwise each slot is left out with that probability, and the others
// stand in random order.
//
// Not negatives of each other: the same user or POI, equal texts on either
// side, and a user and a POI of any order that training may know.
//
// Held out: some users and POIs (held_out_ids.h) are in no batch and no sample.
// Orders of held-out users are held out; other orders at held-out POIs are not
// used at all.
//
// Threads: const methods may be called concurrently.
#pragma once

#include <array>
#include <cstdint>
#include <random>
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
    std::string same_value;     // of the POI; "" for users
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

  // The held-out pairs, at most `held_out_pairs`, and fewer than two where the
  // data has too few. A function of (seed, kind): composed as batches are, or,
  // `complete`, of all their slots in the dataset's order.
  PairBatch HeldOut(PairKind kind, bool complete) const;

  // Pairs of all kinds in turn, each once and in random order, until there are
  // `max_texts` texts or no more pairs. A function of the seed.
  SlotPairSample DrawSlotPairs(size_t max_texts) const;

 private:
  using Slots = std::vector<const std::string*>;
  // The rows of an entity that have texts on both sides of a pair.
  using Rows = std::vector<size_t>;
  // An order: rows of data_.pairs, users and pois.
  struct Order {
    size_t pair, user, poi;
  };
  // Pairs of all kinds: those to train on, or those held out.
  struct Pool {
    std::vector<Rows> users, pois;  // By entity.
    std::vector<Order> orders;

    // How many pairs there are of a kind.
    size_t Count(PairKind kind) const;
    const std::vector<Rows>& Entities(PairKind kind) const {
      return kind == PairKind::kUserUser ? users : pois;
    }
  };

  explicit ContrastSampler(const config::v1::ContrastConfig& config,
                           ContrastData data, uint64_t seed)
      : config_(config), data_(std::move(data)), seed_(seed) {}
  void ReadKeywords(const config::v1::DatasetSpec& dataset);
  void SplitEntities(const std::vector<CorpusEntity>& entities,
                     const std::vector<size_t>& one_side,
                     const std::vector<size_t>& other_side,
                     const std::unordered_set<std::string>& held_out,
                     std::vector<Rows> Pool::*place);
  absl::Status JoinPairs(const std::unordered_set<std::string>& held_out_users,
                         const std::unordered_set<std::string>& held_out_pois);
  // The slots of both sides of a user or a POI, and of an order.
  std::pair<Slots, Slots> SidesOf(PairKind kind, size_t row) const;
  std::pair<Slots, Slots> SidesOf(const Order& order) const;
  // Of entities or orders of a pool, by their positions.
  PairBatch EntityBatch(PairKind kind, const Pool& pool,
                        const std::vector<uint64_t>& chosen, bool complete,
                        std::mt19937_64& random) const;
  PairBatch OrderBatch(const Pool& pool, const std::vector<uint64_t>& chosen,
                       bool complete, std::mt19937_64& random) const;
  // Adds a pair of texts.
  void Compose(const std::pair<Slots, Slots>& sides, bool complete,
               std::mt19937_64& random, PairBatch& batch) const;
  std::vector<uint64_t> ChooseOrders(std::mt19937_64& random) const;

  config::v1::ContrastConfig config_;
  ContrastData data_;
  uint64_t seed_;
  // Positions within CorpusEntity::texts.
  std::vector<size_t> profile_, action_, business_, basic_;
  Pool training_, held_out_;
  // Of `same_value_column`: positions within training_.orders.
  std::unordered_map<std::string, std::vector<uint64_t>> by_value_;
  std::unordered_map<std::string, std::unordered_set<std::string>> orders_;
};

}  // namespace larr::stage
