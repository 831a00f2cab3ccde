// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_sampler.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "common/config/text_proto.h"
#include "tests/services/stage/tiny_corpus.h"

namespace larr::stage {
namespace {

using testing::Slot;

config::v1::DatasetSpec Dataset() {
  return *ParseTextProto<config::v1::DatasetSpec>(testing::kTinyDataset);
}

// Users and POIs, half of them in each city; user i ordered at POI i.
ContrastData Data(int count = 12) {
  ContrastData data;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    data.users.push_back(
        {"u" + n, "d", {Slot("profile", n), Slot("history", n)}, ""});
    data.pois.push_back(
        {"p" + n,
         "d",
         {Slot("POI_name", n), Slot("POI_place", n), "", Slot("POI_tags", n)},
         i < count / 2 ? "Rome" : "Oslo"});
    data.pairs.push_back({"u" + n, "p" + n, "d", {Slot("weather", "hot")}});
    data.known_orders.emplace_back("u" + n, "p" + n);
  }
  return data;
}

config::v1::ContrastConfig Config(double dropout, double same_value) {
  config::v1::ContrastConfig config;
  config.set_pairs_per_step(5);
  config.set_keyword_dropout(dropout);
  config.set_same_value_fraction(same_value);
  config.set_same_value_column("city");
  return config;
}

ContrastSampler Sampler(ContrastData data, double dropout,
                        double same_value = 0) {
  auto sampler = ContrastSampler::Create(Dataset(), Config(dropout, same_value),
                                         std::move(data), 1);
  INFO(sampler.status().ToString());
  REQUIRE(sampler.ok());
  return *std::move(sampler);
}

// The number that all slots of a text of Data() are about.
std::string Number(const std::string& text) {
  const auto begin = text.find('>') + 1;
  return text.substr(begin, text.find('<', begin) - begin);
}

TEST_CASE("Partners are of the same entity, slots of their own group") {
  const auto sampler = Sampler(Data(), 0);
  for (int64_t step = 0; step < 20; ++step) {
    const auto users = sampler.Batch(PairKind::kUserUser, step);
    REQUIRE(users.a.size() == 5);
    CHECK(std::set(users.a.begin(), users.a.end()).size() == 5);
    for (size_t i = 0; i < 5; ++i) {
      CHECK(Number(users.a[i]) == Number(users.b[i]));
      CHECK(users.a[i].starts_with("<profile>"));
      CHECK(users.b[i].starts_with("<history>"));
    }
    const auto pois = sampler.Batch(PairKind::kPoiPoi, step);
    for (size_t i = 0; i < 5; ++i) {
      CHECK(pois.b[i] == Slot("POI_tags", Number(pois.a[i])));
      CHECK_THAT(pois.a[i], Catch::Contains("<POI_name>"));
      CHECK_THAT(pois.a[i], Catch::Contains("<POI_place>"));
    }
    const auto orders = sampler.Batch(PairKind::kUserPoi, step);
    for (size_t i = 0; i < 5; ++i) {
      for (const char* slot : {"<profile>", "<history>", "<weather>hot<"})
        CHECK_THAT(orders.a[i], Catch::Contains(slot));
      for (const char* slot : {"<POI_name>", "<POI_place>", "<POI_tags>"})
        CHECK_THAT(orders.b[i], Catch::Contains(slot));
    }
  }
}

TEST_CASE("A batch follows from its step; every slot ends some text") {
  const auto sampler = Sampler(Data(), 0.3), again = Sampler(Data(), 0.3);
  std::set<std::string> last, alone;
  for (int64_t step = 0; step < 60; ++step) {
    const auto batch = sampler.Batch(PairKind::kUserPoi, step);
    CHECK(batch.a == again.Batch(PairKind::kUserPoi, step).a);
    for (const auto* side : {&batch.a, &batch.b}) {
      for (const auto& text : *side) {
        REQUIRE(!text.empty());
        const auto end = text.rfind("</");
        last.insert(text.substr(end));
        if (text.find("</") == end) alone.insert(text.substr(end));
      }
    }
  }
  const std::set<std::string> all = {"</profile>",   "</history>",
                                     "</weather>",   "</POI_name>",
                                     "</POI_place>", "</POI_tags>"};
  CHECK(last == all);
  CHECK(alone == all);
}

TEST_CASE("Held-out users and POIs are in no batch and no sample") {
  auto data = Data(60);
  // Everybody ordered at each of six POIs, too.
  for (int user = 0; user < 60; ++user) {
    for (int poi = 0; poi < 6; ++poi) {
      if (user == poi) continue;
      const std::string u = "u" + std::to_string(user);
      const std::string p = "p" + std::to_string(poi);
      data.pairs.push_back({u, p, "d", {}});
      data.known_orders.emplace_back(u, p);
    }
  }
  auto config = Config(0.3, 0.5);
  config.set_held_out_pairs(5);
  const auto created = ContrastSampler::Create(Dataset(), config, data, 1);
  REQUIRE(created.ok());
  const ContrastSampler& sampler = *created;

  const auto numbers = [](const std::vector<std::string>& texts) {
    std::set<std::string> out;
    for (const auto& text : texts) out.insert(Number(text));
    return out;
  };
  const auto users = numbers(sampler.HeldOut(PairKind::kUserUser, true).a);
  const auto pois = numbers(sampler.HeldOut(PairKind::kPoiPoi, true).a);
  REQUIRE(users.size() == 5);
  REQUIRE(pois.size() == 5);
  const auto orders = sampler.HeldOut(PairKind::kUserPoi, true);
  CHECK(orders.a.size() == 5);
  for (const auto& text : orders.a) {
    CHECK(users.contains(Number(text)));
    CHECK(text.starts_with("<profile>"));  // In the dataset's order.
  }
  const std::string weather = Slot("weather", "hot");
  const auto check = [&](const std::string& text, bool of_user) {
    const auto& kept = of_user ? users : pois;
    // A weather is nobody's.
    if (text != weather && !text.starts_with(weather))
      CHECK_FALSE(kept.contains(Number(text)));
  };
  for (int64_t step = -20; step < 100; ++step) {
    for (const PairKind kind : kPairKinds) {
      const auto batch = sampler.Batch(kind, step);
      for (const auto& text : batch.a) check(text, kind != PairKind::kPoiPoi);
      for (const auto& text : batch.b) check(text, kind == PairKind::kUserUser);
    }
  }
  for (const auto& text : sampler.DrawSlotPairs(10000).texts)
    check(text, text.find("POI_") == std::string::npos);

  // The same each time, whatever a step draws; composed as batches are.
  const auto composed = sampler.HeldOut(PairKind::kUserUser, false);
  CHECK(composed.a == sampler.HeldOut(PairKind::kUserUser, false).a);
  CHECK(numbers(composed.a) == users);
  // What is no negative is none here, either.
  bool excluded = false;
  for (const uint8_t mark : orders.excluded) excluded |= mark != 0;
  CHECK(excluded);
}

bool Excluded(const PairBatch& batch, size_t i, size_t j) {
  return batch.excluded[i * batch.a.size() + j] != 0;
}

TEST_CASE("What is no negative is excluded") {
  auto data = Data();
  data.known_orders.emplace_back("u0", "p1");   // ordered there before, too
  data.pairs.push_back({"u2", "p3", "d", {}});  // user 2 and POI 3 again
  data.users[5].texts = data.users[4].texts;    // a twin
  const auto sampler = Sampler(std::move(data), 0);
  int known = 0, same_user = 0, same_poi = 0, twins = 0;
  for (int64_t step = 0; step < 400; ++step) {
    const auto batch = sampler.Batch(PairKind::kUserPoi, step);
    for (size_t i = 0; i < batch.a.size(); ++i) {
      CHECK(!Excluded(batch, i, i));
      for (size_t j = 0; j < batch.a.size(); ++j) {
        if (i == j) continue;
        const auto has = [&](const std::string& text, const char* part) {
          return text.find(part) != std::string::npos;
        };
        const bool u0 = has(batch.a[i], "<profile>0<");
        const bool p1 = has(batch.b[j], "<POI_name>1<");
        const bool u2 =
            has(batch.a[i], "<profile>2<") && has(batch.a[j], "<profile>2<");
        const bool p3 =
            has(batch.b[i], "<POI_name>3<") && has(batch.b[j], "<POI_name>3<");
        const bool twins_text = batch.a[i] == batch.a[j];
        known += u0 && p1;
        same_user += u2;
        same_poi += p3;
        twins += twins_text;
        CHECK(Excluded(batch, i, j) == ((u0 && p1) || u2 || p3 || twins_text));
      }
    }
  }
  CHECK(known > 0);
  CHECK(same_user > 0);
  CHECK(same_poi > 0);
  CHECK(twins > 0);
}

TEST_CASE("Batches of one value come as often as asked") {
  const auto sampler = Sampler(Data(), 0, 0.5);
  int pure = 0;
  for (int64_t step = 0; step < 400; ++step) {
    const auto batch = sampler.Batch(PairKind::kUserPoi, step);
    int rome = 0;
    for (const auto& text : batch.b) {
      const auto name = text.find("<POI_name>");
      rome += std::stoi(text.substr(name + 10)) < 6;
    }
    pure += rome == 0 || rome == static_cast<int>(batch.b.size());
  }
  // Half of them, and a mixed batch is of one city by chance with 1.5 %.
  CHECK(pure > 160);
  CHECK(pure < 250);
}

TEST_CASE("Datasets without a kind of pair say so") {
  auto data = Data();
  data.users.clear();
  data.pairs.clear();
  const auto sampler = Sampler(std::move(data), 0);
  CHECK(!sampler.Has(PairKind::kUserUser));
  CHECK(sampler.Has(PairKind::kPoiPoi));
  CHECK(!sampler.Has(PairKind::kUserPoi));

  data = Data();
  data.pairs[3].date = "another";
  const auto status =
      ContrastSampler::Create(Dataset(), Config(0, 0), data, 1).status();
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(status.ToString(), Catch::Contains("'u3' as of another"));
}

TEST_CASE("Slot pairs: every pair once, as lists of distinct slot texts") {
  const auto sampler = Sampler(Data(), 0.3);
  const SlotPairSample all = sampler.DrawSlotPairs(1000);
  // 12 users with 2 slots, 12 POIs with 3, and the weather that all share.
  CHECK(all.texts.size() == 12 * 5 + 1);
  CHECK(std::set(all.texts.begin(), all.texts.end()).size() ==
        all.texts.size());
  for (const auto& pairs : all.pairs) {
    REQUIRE(pairs.size() == 12);
    std::set<std::string> seen;
    for (const auto& pair : pairs) {
      seen.insert(Number(all.texts[pair.a.front()]));
      CHECK(Number(all.texts[pair.a.front()]) ==
            Number(all.texts[pair.b.front()]));
    }
    CHECK(seen.size() == 12);
  }
  const auto& order = all.pairs[2].front();
  CHECK(order.a.size() == 3);  // Profile, history, weather.
  CHECK(order.b.size() == 3);
  for (const auto& pair : all.pairs[0]) CHECK(pair.same_value.empty());
  for (const size_t kind : {1, 2})
    for (const auto& pair : all.pairs[kind]) CHECK(!pair.same_value.empty());

  // Stops at the bound, having taken all kinds in turn.
  const SlotPairSample some = sampler.DrawSlotPairs(20);
  CHECK(some.texts.size() >= 20);
  CHECK(some.texts.size() < 30);
  for (const auto& pairs : some.pairs) CHECK(!pairs.empty());
  CHECK(some.texts == sampler.DrawSlotPairs(20).texts);
}

}  // namespace
}  // namespace larr::stage
