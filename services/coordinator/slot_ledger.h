// SPDX-License-Identifier: Apache-2.0
//
// A SlotLedger knows which CPU slots and GPUs are lent to stages. A slot is
// either one GPU or one CPU slot, never both: a stage on a GPU does not count
// against the CPU slots.
//
// Ownership:  a value; copies are independent.
// Threads:    none of its own; not synchronised.
#pragma once

#include <optional>
#include <set>
#include <vector>

namespace larr {

struct Slot {
  std::optional<int> gpu;  // Absent: a CPU slot.
};

class SlotLedger {
 public:
  SlotLedger(int cpu_slots, const std::vector<int>& gpus);

  bool has_gpus() const { return !all_gpus_.empty(); }
  int free_cpu_slots() const { return free_cpu_slots_; }
  int free_gpus() const { return static_cast<int>(free_gpus_.size()); }

  // Lends the GPU of the lowest number, or a CPU slot; nothing if none is free.
  std::optional<Slot> Reserve(bool gpu);

  // Marks a slot as lent that a stage was found to hold. It may be more than
  // there is, after the settings shrank: then nothing is free until enough of
  // them came back.
  void Occupy(const Slot& slot);

  // Takes back a slot from `Reserve` or `Occupy`.
  void Release(const Slot& slot);

 private:
  std::set<int> all_gpus_;
  std::set<int> free_gpus_;
  int free_cpu_slots_;  // Negative while more are lent than there are.
};

}  // namespace larr
