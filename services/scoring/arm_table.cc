// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/arm_table.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "common/base/invalid_argument.h"
#include "common/base/lower_case_name.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using scoring::v1::Arm;
using scoring::v1::Arms;

constexpr char kDefaultArm[] = "default";
constexpr int kMostArms = 100;

uint64_t Hash(std::string_view text, uint64_t seed = 0) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

absl::Status CheckArm(const Arm& arm, const char* kind) {
  if (!IsLowerCaseName(arm.name())) {
    return Invalid(
        "{} `{}`: a name has lower-case letters, digits and `-`, at least one",
        kind, arm.name());
  }
  if (arm.weight() < 0 || arm.weight() > ArmTable::kBuckets) {
    return Invalid("{} `{}`: weight {} must be in [0, {}]", kind, arm.name(),
                   arm.weight(), ArmTable::kBuckets);
  }
  const bool by_path =
      !arm.model_path().empty() || !arm.snapshot_path().empty();
  if (by_path && !arm.alias_file().empty()) {
    return Invalid(
        "{} `{}`: set either alias_file, or model_path and snapshot_path", kind,
        arm.name());
  }
  if (arm.model_path().empty() != arm.snapshot_path().empty()) {
    return Invalid(
        "{} `{}`: model_path and snapshot_path go together; set {}, too", kind,
        arm.name(), arm.model_path().empty() ? "model_path" : "snapshot_path");
  }
  return absl::OkStatus();
}

absl::Status CheckShadow(const Arm& shadow, const Arms& arms) {
  if (!HasBundle(shadow)) {
    return Invalid(
        "shadow `{}`: needs a bundle of its own: set alias_file, or model_path "
        "and snapshot_path",
        shadow.name());
  }
  for (const Arm& arm : arms.arms()) {
    if (!SameBundle(arm, shadow)) continue;
    return Invalid(
        "shadow `{}`: has the bundle of arm `{}`, so there is nothing to "
        "compare; leave it out",
        shadow.name(), arm.name());
  }
  return absl::OkStatus();
}

absl::Status Check(const Arms& arms) {
  if (arms.arms_size() + arms.shadows_size() > kMostArms) {
    return Invalid("{} arms and shadows are more than {}; leave some out",
                   arms.arms_size() + arms.shadows_size(), kMostArms);
  }
  std::set<std::string> names;
  int64_t sum = 0;
  for (const auto* list : {&arms.arms(), &arms.shadows()}) {
    const char* const kind = list == &arms.arms() ? "arm" : "shadow";
    for (const Arm& arm : *list) {
      LARR_RETURN_IF_ERROR(CheckArm(arm, kind));
      if (!names.insert(arm.name()).second) {
        return Invalid("{} `{}`: the name is given twice; rename one", kind,
                       arm.name());
      }
      if (list == &arms.arms()) sum += arm.weight();
    }
  }
  for (const Arm& shadow : arms.shadows()) {
    LARR_RETURN_IF_ERROR(CheckShadow(shadow, arms));
  }
  if (arms.arms().empty()) return absl::OkStatus();
  if (arms.salt().empty()) {
    return Invalid(
        "salt is empty; set a word of this experiment's own, and keep it while "
        "the experiment lasts");
  }
  if (sum != ArmTable::kBuckets) {
    return Invalid(
        "the weights sum to {}, not to {} (ten-thousandths of the users): {} "
        "{} {} arm `{}`, whose users are the rest",
        sum, ArmTable::kBuckets, sum < ArmTable::kBuckets ? "give" : "take",
        std::abs(sum - ArmTable::kBuckets),
        sum < ArmTable::kBuckets ? "more to" : "from", arms.arms(0).name());
  }
  return absl::OkStatus();
}

// All buckets, in the order in which an arm takes them.
std::vector<uint32_t> Preferences(const std::string& name) {
  const uint64_t seed = Hash(name);
  std::vector<uint64_t> keys(ArmTable::kBuckets);
  for (uint32_t b = 0; b < keys.size(); ++b) {
    const std::array<char, 4> bytes = {
        static_cast<char>(b & 0xff), static_cast<char>(b >> 8 & 0xff),
        static_cast<char>(b >> 16 & 0xff), static_cast<char>(b >> 24)};
    keys[b] = Hash({bytes.data(), bytes.size()}, seed);
  }
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
  return order;
}

}  // namespace

bool HasBundle(const Arm& arm) {
  return !arm.alias_file().empty() || !arm.model_path().empty();
}

bool SameBundle(const Arm& a, const Arm& b) {
  return a.alias_file() == b.alias_file() && a.model_path() == b.model_path() &&
         a.snapshot_path() == b.snapshot_path();
}

ArmTable::ArmTable() : arm_of_(kBuckets, 0) {
  Arm& arm = *arms_.add_arms();
  arm.set_name(kDefaultArm);
  arm.set_weight(kBuckets);
}

absl::StatusOr<ArmTable> ArmTable::Create(const Arms& arms) {
  LARR_RETURN_IF_ERROR(Check(arms));
  ArmTable table;
  *table.arms_.mutable_shadows() = arms.shadows();
  if (arms.arms().empty()) return table;
  table.arms_ = arms;
  table.seed_ = Hash(arms.salt());
  std::vector<bool> taken(kBuckets);
  for (int i = 1; i < arms.arms_size(); ++i) {
    int left = arms.arms(i).weight();
    for (const uint32_t bucket : Preferences(arms.arms(i).name())) {
      if (left == 0) break;
      if (taken[bucket]) continue;
      taken[bucket] = true;
      table.arm_of_[bucket] = static_cast<uint16_t>(i);
      --left;
    }
  }
  return table;
}

int ArmTable::ArmOf(std::string_view user_id,
                    std::string_view request_id) const {
  const std::string_view key = user_id.empty() ? request_id : user_id;
  return key.empty() ? 0 : arm_of_[Hash(key, seed_) % kBuckets];
}

bool IsSampled(std::string_view sample, int weight, std::string_view request_id,
               std::string_view user_id,
               std::chrono::system_clock::time_point time) {
  uint64_t hash = Hash(sample);
  if (request_id.empty()) {
    const std::chrono::nanoseconds since = time.time_since_epoch();
    hash = Hash(user_id, hash ^ static_cast<uint64_t>(since.count()));
  } else {
    hash = Hash(request_id, hash);
  }
  return hash % ArmTable::kBuckets < static_cast<uint64_t>(weight);
}

}  // namespace larr
