// SPDX-License-Identifier: Apache-2.0
//
// Switches while requests run, on bundles without a model (fake_bundle.cc): for
// the sanitizers. What real ones do is in bundle_manager_test.cc.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "services/scoring/bundle_manager.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

struct Counts : BundleMetrics {
  void CountSwitch(const scoring::v1::ServingState& /*state*/) override {
    ++switches;
  }
  void CountRefusedBundle() override { ++refusals; }
  std::atomic<int> switches = 0, refusals = 0;
};

TEST_CASE("Requests see whole bundles while others go live", "[scoring]") {
  constexpr int kSwitches = 50, kReaders = 3;
  const testing::TempDir dir;
  const std::string alias = dir.path() / "alias";
  Counts counts;
  BundleManager manager(alias, counts);
  REQUIRE(manager.Switch("model-0", "snapshot").ok());

  std::atomic<bool> done = false;
  std::atomic<int> requests = 0, torn = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const auto bundle = manager.current();
        scoring::v1::ScoreRequest request;
        request.add_candidates()->set_poi_id("p1");
        const auto encoded = bundle->encoder().EncodePois({});
        torn += !bundle->checker().Check(request, 1).ok() || !encoded.ok() ||
                bundle->state().snapshot_path() != "snapshot" ||
                bundle->state().switch_time().seconds() == 0;
        ++requests;
        static_cast<void>(manager.refusal());
        // The manager's thread has a low priority.
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    });
  }
  while (requests == 0) std::this_thread::yield();
  config::v1::ServingBundle pointed;
  pointed.set_model_path("damaged");
  pointed.set_snapshot_path("snapshot");
  pointed.set_fencing_token(1);
  CHECK(WriteFileAtomically(alias, ToTextProto(pointed)).ok());
  for (int i = 1; i <= kSwitches; ++i) {
    const auto state = manager.Switch("model-" + std::to_string(i), "");
    CHECK(state.ok());
    CHECK_FALSE(manager.Switch("damaged", "").ok());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(torn.load() == 0);
  CHECK(counts.switches.load() == kSwitches + 1);
  // Those by hand, and the alias's at most once: the next switch supersedes it.
  CHECK(counts.refusals.load() >= kSwitches);
  CHECK(counts.refusals.load() <= kSwitches + 1);
}

// Holds up the first switch, and counts the bundles that are alive at others.
struct Alive : Counts {
  void CountSwitch(const scoring::v1::ServingState& state) override {
    while (switches == 0 && !queued)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Counts::CountSwitch(state);
    live.push_back(manager->current());
    std::erase_if(live, [](const auto& bundle) { return bundle.expired(); });
    most = std::max(most, live.size());
  }
  BundleManager* manager = nullptr;
  std::atomic<bool> queued = false;
  std::vector<std::weak_ptr<const Bundle>> live;
  size_t most = 0;
};

TEST_CASE("Switches that wait do not keep what each replaced", "[scoring]") {
  Alive alive;
  BundleManager manager("", alive);
  alive.manager = &manager;
  std::vector<std::future<absl::Status>> switches;
  for (int i = 0; i < 20; ++i)
    switches.push_back(std::async(std::launch::async, [&, i] {
      return manager.Switch("model-" + std::to_string(i), "snapshot").status();
    }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  alive.queued = true;
  for (auto& one : switches) CHECK(one.get().ok());
  CHECK(alive.switches == 20);
  CHECK(alive.most <= 3);
}

TEST_CASE("A load in work is given up when the manager goes", "[scoring]") {
  const testing::TempDir dir;
  const std::string alias = dir.path() / "alias";
  Counts counts;
  std::atomic<bool> signalled = false;
  std::future<absl::Status> waiting;
  {
    BundleManager manager(alias, counts,
                          {.stop = [&] { return signalled.load(); }});
    REQUIRE(manager.Switch("model", "snapshot").ok());
    const auto live = manager.current();
    SECTION("by a switch, which is told so") {
      waiting = std::async(std::launch::async, [&] {
        return manager.Switch("endless", "").status();
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      CHECK(waiting.wait_for(std::chrono::seconds(0)) ==
            std::future_status::timeout);
      signalled = true;
      CHECK(absl::IsUnavailable(waiting.get()));
      CHECK(absl::IsUnavailable(manager.Switch("endless", "").status()));
    }
    SECTION("by the alias") {
      config::v1::ServingBundle pointed;
      pointed.set_model_path("endless");
      pointed.set_snapshot_path("snapshot");
      pointed.set_fencing_token(1);
      REQUIRE(WriteFileAtomically(alias, ToTextProto(pointed)).ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    CHECK(manager.current() == live);
  }
  CHECK(counts.switches == 1);
  CHECK(counts.refusals == 0);
}

}  // namespace
}  // namespace larr
