// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/bundle_manager.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "services/scoring/scoring_metrics.h"
#include "tests/services/scoring/scoring_artifacts.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/program.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::Eventually;

struct Fixture {
  std::string alias() const {
    return (dir.path() / "alias.textproto").string();
  }
  void Point(const std::string& to, const std::string& at,
             int64_t token) const {
    config::v1::ServingBundle bundle;
    bundle.set_model_version("models/small/versions/" + std::to_string(token));
    bundle.set_model_path(to);
    bundle.set_snapshot_path(at);
    bundle.set_fencing_token(token);
    REQUIRE(WriteFileAtomically(alias(), ToTextProto(bundle)).ok());
  }

  // A folder that is not there before Appear.
  std::string late() const { return dir.path() / "late"; }
  void Appear() const {
    std::filesystem::copy(model, dir.path() / "copy");
    std::filesystem::rename(dir.path() / "copy", late());
  }
  // How many bundles counted as refused.
  int Refusals() const {
    return static_cast<int>(testing::MetricValue(
        registry, "larr_scoring_bundle_switches_total{result=\"refused\"}"));
  }

  testing::TempDir dir;
  const testing::Artifacts& artifacts = testing::SharedArtifacts();
  const std::string model = artifacts.model, other = artifacts.other,
                    snapshot = artifacts.snapshot, foreign = artifacts.foreign;
  prometheus::Registry registry;
  ScoringMetrics metrics{registry};
};

int64_t Token(const BundleManager& manager) {
  const auto bundle = manager.current();
  return bundle == nullptr ? -1 : bundle->state().fencing_token();
}

TEST_CASE("A switch changes what was named and keeps the rest", "[scoring]") {
  Fixture f;
  BundleManager manager("", f.metrics);
  CHECK(manager.current() == nullptr);
  CHECK_THAT(manager.WhyNothingIsServed(),
             Catch::Contains("larrctl serving switch"));
  CHECK(absl::IsInvalidArgument(manager.Switch(f.model, "").status()));

  const auto first = manager.Switch(f.model, f.snapshot);
  REQUIRE(first.ok());
  CHECK(first->switch_time().seconds() > 0);
  const auto second = manager.Switch(f.other, "");
  REQUIRE(second.ok());
  CHECK(second->model_path() == f.other);
  CHECK(second->snapshot_path() == f.snapshot);
  CHECK(second->model_version() != first->model_version());
  CHECK(manager.current()->state().model_path() == f.other);
}

TEST_CASE("A bundle that fails a check leaves the old one live", "[scoring]") {
  Fixture f;
  BundleManager manager("", f.metrics);
  CHECK(absl::IsNotFound(manager.Switch(f.model, "/nowhere").status()));
  CHECK(manager.current() == nullptr);
  REQUIRE(manager.Switch(f.model, f.snapshot).ok());
  const auto live = manager.current();
  const auto refused = manager.Switch("", f.foreign);
  CHECK(absl::IsFailedPrecondition(refused.status()));
  CHECK_THAT(std::string(refused.status().message()),
             Catch::Contains("fingerprint"));
  CHECK(absl::IsNotFound(manager.Switch("/nowhere", "").status()));
  CHECK(manager.current() == live);
}

TEST_CASE("The old bundle lives as long as its last request", "[scoring]") {
  Fixture f;
  BundleManager manager("", f.metrics);
  REQUIRE(manager.Switch(f.model, f.snapshot).ok());
  std::weak_ptr<const Bundle> idle = manager.current();
  REQUIRE(manager.Switch(f.other, "").ok());
  CHECK(Eventually([&] { return idle.expired(); }));

  auto busy = manager.current();
  const std::weak_ptr<const Bundle> watched = busy;
  REQUIRE(manager.Switch(f.model, "").ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK_FALSE(watched.expired());
  busy.reset();  // the manager's thread frees it, not this one
  CHECK(Eventually([&] { return watched.expired(); }));
}

TEST_CASE("The manager follows the alias, never back in time", "[scoring]") {
  Fixture f;
  BundleManager manager(f.alias(), f.metrics);
  CHECK(Eventually([&] {
    return manager.WhyNothingIsServed().find(f.alias()) != std::string::npos;
  }));
  f.Point(f.model, f.snapshot, 5);
  REQUIRE(Eventually([&] { return Token(manager) == 5; }));
  CHECK(manager.current()->state().model_version() ==
        "models/small/versions/5");

  f.Point(f.other, f.snapshot, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  CHECK(Token(manager) == 5);

  f.Point(f.other, f.foreign, 6);  // does not fit: the old one stays
  REQUIRE(Eventually([&] {
    return manager.refusal().find("fingerprint") != std::string::npos;
  }));
  CHECK(Token(manager) == 5);

  f.Point(f.other, f.snapshot, 7);
  REQUIRE(Eventually([&] { return Token(manager) == 7; }));

  REQUIRE(manager.Switch(f.model, "").ok());  // by hand: until the next move
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(Token(manager) == 0);
  f.Point(f.other, f.snapshot, 8);
  REQUIRE(Eventually([&] { return Token(manager) == 8; }));
}

TEST_CASE("An alias that cannot be used is told, and gone on from",
          "[scoring]") {
  Fixture f;
  f.Point(f.model, f.snapshot, 5);
  BundleManager manager(f.alias(), f.metrics);
  REQUIRE(Eventually([&] { return Token(manager) == 5; }));
  std::string reason;
  SECTION("without a token") {
    f.Point(f.other, f.snapshot, 0);
    reason = "`fencing_token` is 0";
  }
  SECTION("not read: a folder is in its place") {
    std::filesystem::remove(f.alias());
    std::filesystem::create_directory(f.alias());
    reason = f.alias();
  }
  REQUIRE(Eventually(
      [&] { return manager.refusal().find(reason) != std::string::npos; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(manager.refusal().find(reason) != std::string::npos);
  CHECK(f.Refusals() == 1);
  CHECK(Token(manager) == 5);
  std::filesystem::remove(f.alias());
  f.Point(f.other, f.snapshot, 6);
  REQUIRE(Eventually([&] { return Token(manager) == 6; }));
  CHECK(manager.refusal().empty());
}

TEST_CASE("A bundle of the alias is tried again until it is there",
          "[scoring]") {
  Fixture f;
  f.Point(f.late(), f.snapshot, 1);
  BundleManager manager(f.alias(), f.metrics);
  REQUIRE(Eventually([&] { return f.Refusals() > 0; }));
  CHECK_THAT(manager.WhyNothingIsServed(), Catch::Contains(f.late()));
  // Several tries later it is one refusal still; others are one more each:
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  CHECK(f.Refusals() == 1);
  f.Point(f.late(), f.foreign, 2);  // another bundle
  REQUIRE(Eventually([&] { return f.Refusals() == 2; }));
  f.Appear();  // another reason
  REQUIRE(Eventually([&] { return f.Refusals() == 3; }));
  CHECK_THAT(manager.refusal(), Catch::Contains("fingerprint"));
  f.Point(f.late(), f.snapshot, 3);
  CHECK(Eventually([&] { return Token(manager) == 3; }));
  CHECK(f.Refusals() == 3);
}

TEST_CASE("A switch by hand wins over the tries of the alias", "[scoring]") {
  Fixture f;
  f.Point(f.late(), f.snapshot, 1);
  BundleManager manager(f.alias(), f.metrics);
  REQUIRE(Eventually([&] { return f.Refusals() > 0; }));
  CHECK_FALSE(manager.Switch("/nowhere", f.snapshot).ok());
  CHECK(f.Refusals() == 2);
  REQUIRE(manager.Switch(f.model, f.snapshot).ok());
  f.Appear();
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  CHECK(Token(manager) == 0);

  // What the alias named before the call is not newer than the call.
  f.Point(f.late(), f.snapshot, 2);
  REQUIRE(manager.Switch(f.other, "").ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(manager.current()->state().model_path() == f.other);
  f.Point(f.late(), f.snapshot, 3);
  CHECK(Eventually([&] { return Token(manager) == 3; }));
}

}  // namespace
}  // namespace larr
