// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/slot_ledger.h"

namespace larr {

SlotLedger::SlotLedger(int cpu_slots, const std::vector<int>& gpus)
    : all_gpus_(gpus.begin(), gpus.end()),
      free_gpus_(all_gpus_),
      free_cpu_slots_(cpu_slots) {}

std::optional<Slot> SlotLedger::Reserve(bool gpu) {
  if (gpu) {
    if (free_gpus_.empty()) return std::nullopt;
    return Slot{free_gpus_.extract(free_gpus_.begin()).value()};
  }
  if (free_cpu_slots_ <= 0) return std::nullopt;
  --free_cpu_slots_;
  return Slot{};
}

void SlotLedger::Occupy(const Slot& slot) {
  if (slot.gpu) {
    free_gpus_.erase(*slot.gpu);
  } else {
    --free_cpu_slots_;
  }
}

void SlotLedger::Release(const Slot& slot) {
  if (!slot.gpu) {
    ++free_cpu_slots_;
  } else if (all_gpus_.contains(*slot.gpu)) {
    free_gpus_.insert(*slot.gpu);
  }
}

}  // namespace larr
