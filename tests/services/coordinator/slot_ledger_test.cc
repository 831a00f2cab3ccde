// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/slot_ledger.h"

#include <catch2/catch.hpp>

namespace larr {
namespace {

TEST_CASE("SlotLedger never lends a slot twice", "[coordinator]") {
  SlotLedger ledger(/*cpu_slots=*/2, /*gpus=*/{3, 1});
  CHECK(ledger.has_gpus());
  CHECK(ledger.Reserve(true)->gpu == 1);
  CHECK(ledger.Reserve(true)->gpu == 3);
  CHECK_FALSE(ledger.Reserve(true).has_value());
  CHECK_FALSE(ledger.Reserve(false)->gpu.has_value());
  CHECK(ledger.free_cpu_slots() == 1);

  ledger.Release({1});
  ledger.Release({1});
  CHECK(ledger.free_gpus() == 1);
  CHECK(ledger.Reserve(true)->gpu == 1);
}

TEST_CASE("SlotLedger takes in slots that the settings no longer have",
          "[coordinator]") {
  SlotLedger ledger(/*cpu_slots=*/1, /*gpus=*/{0});
  ledger.Occupy({});
  ledger.Occupy({});
  ledger.Occupy({7});
  CHECK_FALSE(ledger.Reserve(false).has_value());
  ledger.Release({});
  CHECK_FALSE(ledger.Reserve(false).has_value());
  ledger.Release({});
  CHECK(ledger.Reserve(false).has_value());
  ledger.Release({7});
  CHECK(ledger.free_gpus() == 1);
}

}  // namespace
}  // namespace larr
