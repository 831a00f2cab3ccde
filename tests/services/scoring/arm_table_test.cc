// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/arm_table.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <random>

#include "google/protobuf/text_format.h"

namespace larr {
namespace {

using scoring::v1::Arms;

constexpr int kUsers = 200'000;

Arms Weights(const std::vector<int>& weights, const std::string& salt = "s") {
  Arms arms;
  arms.set_salt(salt);
  for (const int weight : weights) {
    auto& arm = *arms.add_arms();
    arm.set_name("arm-" + std::to_string(arms.arms_size() - 1));
    arm.set_weight(weight);
  }
  return arms;
}

ArmTable Table(const Arms& arms) {
  auto table = ArmTable::Create(arms);
  INFO(table.status().ToString());
  REQUIRE(table.ok());
  return *std::move(table);
}

std::string User(int i) { return "user-" + std::to_string(i); }

// moved[from][to]: users of a sample.
std::vector<std::vector<int>> Moved(const ArmTable& before,
                                    const ArmTable& after) {
  std::vector<std::vector<int>> moved(
      before.arms().arms_size(), std::vector<int>(after.arms().arms_size()));
  for (int i = 0; i < kUsers; ++i) {
    ++moved[before.ArmOf(User(i), "")][after.ArmOf(User(i), "")];
  }
  return moved;
}

// |x - n p| within five standard deviations of a binomial.
bool IsShare(int x, int n, double p) {
  return std::abs(x - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1;
}

TEST_CASE("A user's arm is the same for all time", "[scoring]") {
  // Of another implementation of arm_table.h's rule; never change these.
  const ArmTable table = Table(Weights({5000, 3000, 1500, 500}, "autumn"));
  const std::pair<const char*, int> golden[] = {
      {"u1", 0},       {"u2", 1},
      {"u3", 0},       {"user-1", 2},
      {"user-2", 0},   {"user-3", 2},
      {"7", 0},        {"42", 3},
      {"1000000", 1},  {"a3f0c2de-0000-4000-8000-000000000001", 0},
      {"用户", 0},     {"é", 0},
      {"member 53", 3}};
  for (const auto& [user, arm] : golden) {
    CAPTURE(user);
    CHECK(table.ArmOf(user, "") == arm);
  }
}

TEST_CASE("Arms have their shares of users", "[scoring]") {
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    std::vector<int> weights = {10'000};
    const int arms = 2 + static_cast<int>(random() % 6);
    for (int i = 1; i < arms; ++i) {
      weights.push_back(static_cast<int>(random() % (weights[0] + 1)));
      weights[0] -= weights.back();
    }
    const ArmTable table =
        Table(Weights(weights, "round " + std::to_string(round)));
    std::vector<int> users(arms);
    for (int i = 0; i < kUsers; ++i) ++users[table.ArmOf(User(i), "")];
    for (int i = 0; i < arms; ++i) {
      CAPTURE(round, i, weights[i], users[i]);
      CHECK(IsShare(users[i], kUsers, weights[i] / 1e4));
    }
  }
}

TEST_CASE("A changed weight moves the users that must move", "[scoring]") {
  const std::vector<int> weights = {6000, 2000, 1000, 1000};
  const ArmTable before = Table(Weights(weights));
  for (const int arm : {1, 2, 3}) {
    for (const int change : {-500, 500, -1000}) {
      CAPTURE(arm, change);
      std::vector<int> changed = weights;
      changed[arm] += change;
      changed[0] -= change;
      const auto moved = Moved(before, Table(Weights(changed)));
      int strangers = 0;  // that move between arms without need
      for (int from = 0; from < 4; ++from) {
        for (int to = 0; to < 4; ++to) {
          if (from == to) continue;
          CAPTURE(from, to, moved[from][to]);
          // An arm before the changed one neither gains nor loses.
          CHECK((moved[from][to] == 0 ||
                 ((from == 0 || from >= arm) && (to == 0 || to >= arm))));
          // What grows loses none, what shrinks gains none.
          if (change > 0) CHECK((from != arm || moved[from][to] == 0));
          if (change < 0) CHECK((to != arm || moved[from][to] == 0));
          if ((change > 0 ? to : from) != arm) strangers += moved[from][to];
        }
      }
      // Those of later arms that both would take: about this share of the
      // change; none if the changed arm is the last.
      double later = 0;
      for (int i = arm + 1; i < 4; ++i) later += weights[i] / 1e4;
      const double must = std::abs(change) / 1e4 * kUsers;
      CAPTURE(strangers, must);
      CHECK(strangers <= 2 * later * must);
      if (arm == 3) CHECK(strangers == 0);
    }
  }
}

TEST_CASE("Experiments of different salts are independent", "[scoring]") {
  const std::vector<int> weights = {5000, 3000, 2000};
  const auto both =
      Moved(Table(Weights(weights, "a")), Table(Weights(weights, "b")));
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      CAPTURE(i, j);
      CHECK(IsShare(both[i][j], kUsers, weights[i] / 1e4 * weights[j] / 1e4));
    }
  }
}

TEST_CASE("A request without a user is divided by its own id", "[scoring]") {
  const ArmTable table = Table(Weights({5000, 5000}));
  CHECK(table.ArmOf("", "") == 0);
  int second = 0;
  for (int i = 0; i < 10'000; ++i) {
    second += table.ArmOf("", "request " + std::to_string(i));
    CHECK(table.ArmOf("u1", User(i)) == table.ArmOf("u1", ""));
  }
  CHECK(IsShare(second, 10'000, 0.5));
}

TEST_CASE("Without arms everybody is in `default`", "[scoring]") {
  for (const ArmTable& table : {ArmTable(), Table({})}) {
    REQUIRE(table.arms().arms_size() == 1);
    CHECK(table.arms().arms(0).name() == "default");
    CHECK(table.arms().arms(0).weight() == 10'000);
    CHECK(table.ArmOf("u1", "r1") == 0);
  }
}

TEST_CASE("Arms that are wrong say what to do", "[scoring]") {
  const std::pair<const char*, const char*> cases[] = {
      {"salt: 's' arms { name: 'a' weight: 9000 }",
       "sum to 9000, not to 10000 (ten-thousandths of the users): give 1000 "
       "more to arm `a`"},
      {"salt: 's' arms { name: 'a' weight: 9000 } arms { name: 'b' weight: "
       "2000 }",
       "sum to 11000, not to 10000 (ten-thousandths of the users): take 1000 "
       "from arm `a`"},
      {"arms { name: 'a' weight: 10000 }", "salt is empty"},
      {"salt: 's' arms { name: 'a' weight: 10001 }", "weight 10001"},
      {"salt: 's' arms { name: 'a' weight: -1 }", "weight -1"},
      {"salt: 's' arms { name: 'A b' weight: 10000 }", "arm `A b`: a name has"},
      {"salt: 's' arms { weight: 10000 }", "arm ``: a name has"},
      {"salt: 's' arms { name: 'a' weight: 10000 } arms { name: 'a' }",
       "given twice"},
      {"salt: 's' arms { name: 'a' weight: 10000 model_path: 'm' }",
       "set snapshot_path, too"},
      {"salt: 's' arms { name: 'a' weight: 10000 model_path: 'm' "
       "snapshot_path: 's' alias_file: 'f' }",
       "either alias_file"},
      {"shadows { name: 'a' weight: 10 }", "needs a bundle of its own"},
      {"salt: 's' arms { name: 'a' weight: 10000 alias_file: 'f' } "
       "shadows { name: 'b' weight: 10 alias_file: 'f' }",
       "nothing to compare"},
  };
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    Arms arms;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &arms));
    const auto table = ArmTable::Create(arms);
    REQUIRE(absl::IsInvalidArgument(table.status()));
    CHECK_THAT(std::string(table.status().message()), Catch::Contains(message));
  }
}

TEST_CASE("Samples have their shares and are independent", "[scoring]") {
  int log = 0, shadow = 0, both = 0, unnamed = 0;
  constexpr int kRequests = 100'000;
  const auto at = [](int64_t milliseconds) {
    return std::chrono::system_clock::time_point(
        std::chrono::milliseconds(milliseconds));
  };
  for (int i = 0; i < kRequests; ++i) {
    const std::string id = "request " + std::to_string(i);
    const bool a = IsSampled("log", 1000, id, "u1", at(5));
    const bool b = IsSampled("shadow", 2000, id, "u1", at(5));
    log += a;
    shadow += b;
    both += a && b;
    unnamed += IsSampled("log", 1000, "", "u1", at(i));
    CHECK(a == IsSampled("log", 1000, id, "u2", at(i)));  // by its id alone
  }
  CHECK(IsShare(log, kRequests, 0.1));
  CHECK(IsShare(shadow, kRequests, 0.2));
  CHECK(IsShare(both, kRequests, 0.02));
  CHECK(IsShare(unnamed, kRequests, 0.1));
  CHECK_FALSE(IsSampled("log", 0, "r", "u", at(1)));
  CHECK(IsSampled("log", 10'000, "r", "u", at(1)));
}

}  // namespace
}  // namespace larr
