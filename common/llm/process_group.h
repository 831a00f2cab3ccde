// SPDX-License-Identifier: Apache-2.0
//
// The ranks that train one model together, and how they talk: c10d out of the
// LibTorch wheel, over Gloo. With one process there is nothing to talk to, and
// every operation returns at once.
//
// All ranks must call the same operations in the same order.
//
// A rank that ends breaks its connections, and the others know at once; one
// that falls silent is lost after 30 s (heartbeat.h), whatever it was doing. A
// rank that is merely slow is waited for, 30 minutes at most. Once an operation
// has failed the group is of no more use: the process reports and ends.
//
// Sums are in the order of ranks where that matters (ReduceScatter), so that
// equal inputs give equal bits.
//
// Ownership:  tensors of a Pending must live until its Wait().
// Threads:    one at a time.
// Errors:     kUnavailable      another rank is gone, or did not come; start
//                               all of them again
//             kInvalidArgument  the environment (launch.h)
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/llm/heartbeat.h"
#include "common/llm/launch.h"

namespace c10d {
class Work;
}

namespace larr {

struct ProcessGroupOptions {
  // How long ranks may come after each other.
  std::chrono::seconds start{300};
  // The longest wait for a rank that lives.
  std::chrono::seconds wait{1800};
  HeartbeatOptions heartbeat;
};

class ProcessGroup {
 public:
  // Of one process.
  ProcessGroup();
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  // Returns when all ranks are there.
  static absl::StatusOr<std::unique_ptr<ProcessGroup>> Join(
      const Launch& launch, const ProcessGroupOptions& options = {});

  int rank() const { return launch_.rank; }
  int size() const { return launch_.world_size; }
  bool alone() const { return size() == 1; }
  // Where this rank computes: the one place that would say otherwise.
  torch::Device device() const { return torch::kCPU; }

  // An operation under way.
  class Pending {
   public:
    Pending();
    ~Pending();
    Pending(Pending&&) noexcept;
    Pending& operator=(Pending&&) noexcept;
    // Once.
    absl::Status Wait();

   private:
    friend class ProcessGroup;
    ProcessGroup* group_ = nullptr;
    const char* what_ = "";
    c10::intrusive_ptr<c10d::Work> work_;
    std::function<void()> finish_;
  };

  // output [n] = sum over ranks of their row `rank` of input [size, n];
  // contiguous float32.
  Pending ReduceScatter(const torch::Tensor& output,
                        const torch::Tensor& input);
  // output [size, ...] = every rank's input [...]; contiguous, of any dtype.
  Pending AllGather(const torch::Tensor& output, const torch::Tensor& input);
  // The sum over ranks, in place; equal bits on all of them.
  absl::Status AllReduce(const torch::Tensor& tensor);
  // Of numbers: targets of a step, squares of a norm.
  absl::StatusOr<double> Sum(double value);
  // Overwrites the others' with rank 0's.
  absl::Status Broadcast(const torch::Tensor& tensor);
  absl::Status Barrier();

 private:
  struct Connection;
  template <typename Start>
  Pending Begin(const char* what, Start&& start);
  absl::Status Wait(const char* what, c10d::Work& work);
  absl::Status Fail(const char* what, const std::string& why);

  Launch launch_;
  std::unique_ptr<Connection> connection_;  // null with one process
  absl::Status failed_;
};

}  // namespace larr
