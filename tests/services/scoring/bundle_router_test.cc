// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/bundle_router.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <thread>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "services/scoring/scoring_metrics.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using scoring::v1::Arm;
using scoring::v1::Arms;
using testing::Eventually;

Arm* Add(Arms& arms, const std::string& name, int weight) {
  arms.set_salt("s");
  Arm* const arm = arms.add_arms();
  arm->set_name(name);
  arm->set_weight(weight);
  return arm;
}

struct Fixture {
  std::string file() const { return dir.path() / "arms.textproto"; }
  void Write(const Arms& arms) const {
    REQUIRE(WriteFileAtomically(file(), ToTextProto(arms)).ok());
  }
  // Half of the users in `new`, with `model` and `snapshot`.
  static Arms Halves(const std::string& model, const std::string& snapshot) {
    Arms arms;
    Add(arms, "control", 5000);
    Arm* const arm = Add(arms, "new", 5000);
    arm->set_model_path(model);
    arm->set_snapshot_path(snapshot);
    return arms;
  }
  std::string Metrics() const { return testing::MetricsText(registry); }

  testing::TempDir dir;
  const testing::Artifacts& artifacts = testing::SharedArtifacts();
  const std::string model = artifacts.model, other = artifacts.other,
                    snapshot = artifacts.snapshot, fresh = artifacts.fresh,
                    foreign = artifacts.foreign;
  prometheus::Registry registry;
  ScoringMetrics metrics{registry};
  BundleManager main{"", metrics};
};

// The users of each arm, and that its bundle has the model.
std::map<std::string, int> Users(
    const BundleRouter& router,
    const std::map<std::string, std::string>& models) {
  std::map<std::string, int> users;
  for (int i = 0; i < 200; ++i) {
    const auto picked = router.Pick("user " + std::to_string(i), "", "");
    REQUIRE(picked.ok());
    CHECK(picked->bundle->state().model_path() == models.at(picked->arm));
    ++users[picked->arm];
  }
  return users;
}

std::string Refusal(const BundleRouter& router) {
  const auto state = router.State();
  return state.ok() ? state->refusal() : std::string(state.status().message());
}

TEST_CASE("Without arms there is one, the server's own bundle", "[scoring]") {
  Fixture f;
  std::atomic<int> ready = 0;
  const BundleRouter router({.arms_file = "", .on_ready = [&] { ++ready; }},
                            f.main, f.registry);
  const auto nothing = router.Pick("u1", "", "");
  CHECK(absl::IsUnavailable(nothing.status()));
  CHECK_THAT(std::string(nothing.status().message()),
             Catch::Contains("larrctl serving switch"));
  CHECK(absl::IsUnavailable(router.State().status()));
  CHECK(ready == 0);

  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  CHECK(Eventually([&] { return ready == 1; }));
  CHECK(Users(router, {{"default", f.model}})["default"] == 200);
  const auto state = router.State();
  REQUIRE(state.ok());
  CHECK(state->model_path() == f.model);
  REQUIRE(state->arms_size() == 1);
  CHECK(state->arms(0).name() == "default");
  CHECK(state->arms(0).weight() == 10'000);
  CHECK(state->shadows_size() == 0);
}

TEST_CASE("Users are divided between bundles", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  Arms arms = f.Halves(f.other, f.snapshot);
  f.Write(arms);
  BundleRouter router({.arms_file = f.file()}, f.main, f.registry);
  // At once: nobody was in another arm before.
  auto users = Users(router, {{"control", f.model}, {"new", f.other}});
  CHECK(users["control"] > 60);
  CHECK(users["new"] > 60);
  CHECK_THAT(f.Metrics(),
             Catch::Contains("larr_scoring_arm_weight{arm=\"new\",role="
                             "\"arm\"} 5000"));
  const auto before = router.Pick("", "", "new")->bundle;

  // Other weights: the bundles stay.
  arms.mutable_arms(0)->set_weight(10'000);
  arms.mutable_arms(1)->set_weight(0);
  f.Write(arms);
  REQUIRE(Eventually([&] { return router.arms().arms(1).weight() == 0; }));
  CHECK(Users(router, {{"control", f.model}})["control"] == 200);
  CHECK(router.Pick("", "", "new")->bundle == before);

  // The server's own bundle is switched: the arms on it follow.
  REQUIRE(f.main.Switch(f.other, "").ok());
  CHECK(Users(router, {{"control", f.other}})["control"] == 200);
}

TEST_CASE("Testers name an arm or a shadow", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  BundleRouter router({}, f.main, f.registry);
  Arms arms;
  Add(arms, "control", 10'000);
  Arm& shadow = *arms.add_shadows();
  shadow.set_name("next");
  shadow.set_model_path(f.other);
  shadow.set_snapshot_path(f.snapshot);
  REQUIRE(router.SetArms(arms).ok());
  CHECK(router.Pick("u1", "", "control")->arm == "control");
  const auto tested = router.Pick("u1", "", "next");
  REQUIRE(tested.ok());
  CHECK(tested->arm == "next");
  CHECK(tested->bundle->state().model_path() == f.other);
  const auto unknown = router.Pick("u1", "", "old");
  CHECK(absl::IsInvalidArgument(unknown.status()));
  CHECK_THAT(std::string(unknown.status().message()),
             Catch::Contains("larr-arm") && Catch::Contains("`old`") &&
                 Catch::Contains("control, next"));
}

TEST_CASE("Shadows have their sample of requests", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  BundleRouter router({}, f.main, f.registry);
  CHECK(router.SampledShadows("r", "u", {}).empty());
  Arms arms;
  Arm& shadow = *arms.add_shadows();
  shadow.set_name("next");
  shadow.set_model_path(f.other);
  shadow.set_snapshot_path(f.snapshot);
  shadow.set_weight(5000);
  REQUIRE(router.SetArms(arms).ok());
  CHECK(router.arms().arms(0).name() == "default");
  int sampled = 0;
  for (int i = 0; i < 1000; ++i) {
    for (const auto& one :
         router.SampledShadows("r" + std::to_string(i), "u", {})) {
      CHECK(one.arm == "next");
      CHECK(one.bundle->state().model_path() == f.other);
      ++sampled;
    }
  }
  CHECK(sampled > 400);
  CHECK(sampled < 600);
  REQUIRE(router.State().ok());
  CHECK(router.State()->shadows(0).weight() == 5000);
  CHECK_FALSE(router.State()->shadows(0).model_version().empty());
}

TEST_CASE("Shadows read through a block cache of their own", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  BundleRouter router({}, f.main, f.registry);
  const auto cache_of = [&](const std::string& name) {
    const auto picked = router.Pick("u1", "", name);
    REQUIRE(picked.ok());
    return picked->bundle->snapshot().block_cache();
  };
  Arms arms = f.Halves(f.other, f.snapshot);
  Arm& shadow = *arms.add_shadows();
  shadow.set_name("next");
  shadow.set_model_path(f.model);
  shadow.set_snapshot_path(f.snapshot);
  REQUIRE(router.SetArms(arms).ok());
  CHECK(cache_of("control") == BlockCache::kMain);
  CHECK(cache_of("new") == BlockCache::kMain);
  CHECK(cache_of("next") == BlockCache::kAside);
  // They change roles.
  std::swap(*arms.mutable_arms(1), *arms.mutable_shadows(0));
  arms.mutable_arms(1)->set_weight(5000);
  REQUIRE(router.SetArms(arms).ok());
  CHECK(cache_of("next") == BlockCache::kMain);
  CHECK(cache_of("new") == BlockCache::kAside);
}

TEST_CASE("Arms that cannot be served leave the present ones", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  BundleRouter router({}, f.main, f.registry);
  const Arms good = f.Halves(f.other, f.snapshot);
  REQUIRE(router.SetArms(good).ok());
  const auto missing = router.SetArms(f.Halves("/nowhere", f.snapshot));
  CHECK(absl::IsNotFound(missing.status()));
  CHECK_THAT(std::string(missing.status().message()),
             Catch::Contains("`new`") && Catch::Contains("/nowhere"));
  CHECK_THAT(Refusal(router), Catch::Contains("arms: `new`"));
  CHECK(absl::IsFailedPrecondition(
      router.SetArms(f.Halves(f.other, f.foreign)).status()));
  Arms sum = good;
  sum.mutable_arms(0)->set_weight(1);
  CHECK(absl::IsInvalidArgument(router.SetArms(sum).status()));
  Arms alias = good;
  alias.mutable_arms(1)->clear_model_path();
  alias.mutable_arms(1)->clear_snapshot_path();
  alias.mutable_arms(1)->set_alias_file(f.dir.path() / "no.textproto");
  const auto no_alias = router.SetArms(alias);
  CHECK_THAT(std::string(no_alias.status().message()),
             Catch::Contains("no.textproto"));
  CHECK(ToTextProto(router.arms()) == ToTextProto(good));
  Users(router, {{"control", f.model}, {"new", f.other}});
  CHECK_THAT(f.Metrics(), Catch::Contains("arms_changes_total{result="
                                          "\"refused\"} 4"));

  REQUIRE(router.SetArms({}).ok());
  CHECK(Refusal(router).empty());
  CHECK(Users(router, {{"default", f.model}})["default"] == 200);
}

TEST_CASE("An arm follows an alias of its own", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  const std::string alias = f.dir.path() / "candidate.textproto";
  const auto point = [&](const std::string& to, int64_t token) {
    config::v1::ServingBundle bundle;
    bundle.set_model_version("models/small/versions/" + std::to_string(token));
    bundle.set_model_path(to);
    bundle.set_snapshot_path(f.snapshot);
    bundle.set_fencing_token(token);
    REQUIRE(WriteFileAtomically(alias, ToTextProto(bundle)).ok());
  };
  point(f.other, 1);
  BundleRouter router({}, f.main, f.registry);
  Arms arms;
  Add(arms, "control", 5000);
  Add(arms, "new", 5000)->set_alias_file(alias);
  REQUIRE(router.SetArms(arms).ok());
  Users(router, {{"control", f.model}, {"new", f.other}});
  point(f.model, 2);
  CHECK(Eventually([&] {
    return router.State()->arms(1).model_version() == "models/small/versions/2";
  }));
  CHECK(Eventually([&] {
    return f.Metrics().find("model_version=\"models/small/versions/2\"") !=
           std::string::npos;
  }));
}

TEST_CASE("The file is tried again until its bundles are there", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  const std::string late = f.dir.path() / "late";
  f.Write(f.Halves(late, f.snapshot));
  BundleRouter router({.arms_file = f.file()}, f.main, f.registry);
  CHECK_THAT(Refusal(router), Catch::Contains(late));
  CHECK(Users(router, {{"default", f.model}})["default"] == 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));  // more tries
  std::filesystem::copy(f.other, f.dir.path() / "copy");
  std::filesystem::rename(f.dir.path() / "copy", late);
  CHECK(Eventually([&] { return router.arms().arms_size() == 2; }));
  CHECK(Refusal(router).empty());
  // The same refusal several times is one.
  CHECK_THAT(f.Metrics(), Catch::Contains("arms_changes_total{result="
                                          "\"refused\"} 1") &&
                              Catch::Contains("arm_bundle_switches_total{"
                                              "result=\"refused\"} 1"));

  REQUIRE(WriteFileAtomically(f.file(), "salt 's'").ok());  // no text proto
  REQUIRE(Eventually([&] { return !Refusal(router).empty(); }));
  CHECK(router.arms().arms_size() == 2);
  std::filesystem::remove(f.file());
  REQUIRE(Eventually([&] {
    return Refusal(router).find("cannot read") != std::string::npos;
  }));
  CHECK(router.arms().arms_size() == 2);

  REQUIRE(router.SetArms({}).ok());  // by hand: until the file changes
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(router.arms().arms_size() == 1);
  f.Write(f.Halves(late, f.snapshot));
  CHECK(Eventually([&] { return router.arms().arms_size() == 2; }));

  // A file that is gone for a moment says nothing new when it is back.
  REQUIRE(router.SetArms({}).ok());
  const std::string away = f.dir.path() / "away";
  std::filesystem::rename(f.file(), away);
  REQUIRE(Eventually([&] {
    return Refusal(router).find("cannot read") != std::string::npos;
  }));
  std::filesystem::rename(away, f.file());
  CHECK(Eventually([&] { return Refusal(router).empty(); }));
  CHECK(router.arms().arms_size() == 1);
}

TEST_CASE("Arms with bundles of their own need no other", "[scoring]") {
  Fixture f;
  std::atomic<int> ready = 0;
  Arms arms;
  Arm* const only = Add(arms, "only", 10'000);
  only->set_model_path(f.model);
  only->set_snapshot_path(f.snapshot);
  f.Write(arms);
  const BundleRouter router(
      {.arms_file = f.file(), .on_ready = [&] { ++ready; }}, f.main,
      f.registry);
  CHECK(ready == 1);
  Users(router, {{"only", f.model}});
  const auto state = router.State();
  REQUIRE(state.ok());
  CHECK(state->model_path().empty());
  CHECK_FALSE(state->arms(0).model_version().empty());
}

TEST_CASE("A bundle of arms that are gone is freed, not by a request",
          "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  BundleRouter router({}, f.main, f.registry);
  Arms arms = f.Halves(f.other, f.snapshot);
  SECTION("of one arm") {}
  SECTION("of two arms that share it") {
    *arms.add_arms() = arms.arms(1);
    arms.mutable_arms(2)->set_name("third");
    arms.mutable_arms(2)->set_weight(0);
  }
  REQUIRE(router.SetArms(arms).ok());
  auto busy = router.Pick("", "", "new")->bundle;
  const std::weak_ptr<const Bundle> watched = busy;
  REQUIRE(router.SetArms({}).ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  CHECK(watched.use_count() == 2);  // the request's, and the router's
  busy.reset();
  CHECK_FALSE(watched.expired());
  CHECK(Eventually([&] { return watched.expired(); }));
}

TEST_CASE("A server that stops refuses no arms, and loads none", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  f.Write(f.Halves(f.other, f.snapshot));
  std::atomic<bool> signalled = true;
  BundleRouter router({.arms_file = f.file(),
                       .bundle = {.stop = [&] { return signalled.load(); }}},
                      f.main, f.registry);
  CHECK(Users(router, {{"default", f.model}})["default"] == 200);
  CHECK(absl::IsUnavailable(
      router.SetArms(f.Halves(f.other, f.snapshot)).status()));
  CHECK(Refusal(router).empty());
  CHECK_THAT(f.Metrics(),
             Catch::Contains("arms_changes_total{result="
                             "\"refused\"} 0") &&
                 Catch::Contains("arm_bundle_switches_total{result="
                                 "\"refused\"} 0"));
}

TEST_CASE("Arms change while requests are routed", "[scoring]") {
  Fixture f;
  REQUIRE(f.main.Switch(f.model, f.snapshot).ok());
  BundleRouter router({}, f.main, f.registry);
  std::atomic<bool> done = false;
  std::atomic<int> failures = 0, picks = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; !done; ++i) {
        const auto picked = router.Pick("user " + std::to_string(i), "", "");
        ++picks;
        if (!picked.ok()) {
          ++failures;
          continue;
        }
        const std::string& path = picked->bundle->state().model_path();
        if (path != (picked->arm == "new" ? f.other : f.model)) ++failures;
        // Bundles are loaded in the time that is left.
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    CHECK(router.SetArms(f.Halves(f.other, i % 2 ? f.snapshot : f.fresh)).ok());
    CHECK(router.SetArms({}).ok());
  }
  done = true;
  for (std::thread& caller : callers) caller.join();
  CHECK(failures == 0);
  CHECK(picks > 0);
}

}  // namespace
}  // namespace larr
