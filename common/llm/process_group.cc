// SPDX-License-Identifier: Apache-2.0
#include "common/llm/process_group.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

// The wheel has Gloo compiled in; its headers ask.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "common/base/status_macros.h"

namespace larr {
namespace {

using torch::Tensor;

// Between two looks at the heartbeat.
constexpr std::chrono::milliseconds kLook{500};

// Gloo does not know every dtype, but all have bytes.
Tensor Bytes(const Tensor& tensor) {
  return tensor.view({-1}).view(torch::kUInt8);
}

c10::intrusive_ptr<c10d::Store> Connect(const Launch& launch,
                                        const ProcessGroupOptions& options) {
  c10d::TCPStoreOptions store;
  store.port = launch.port;
  store.isServer = launch.rank == 0;
  store.numWorkers = launch.world_size;
  store.waitWorkers = true;
  store.timeout = options.start;
  return c10::make_intrusive<c10d::TCPStore>(launch.address, store);
}

}  // namespace

struct ProcessGroup::Connection {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
  std::unique_ptr<Heartbeat> heartbeat;
};

ProcessGroup::ProcessGroup() = default;

ProcessGroup::~ProcessGroup() {
  // Gloo's threads may wait for a rank that is gone: the process ends soon,
  // and they with it.
  if (!failed_.ok()) (void)connection_.release();
}

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Join(
    const Launch& launch, const ProcessGroupOptions& options) {
  auto group = std::make_unique<ProcessGroup>();
  group->launch_ = launch;
  if (group->alone()) return group;
  try {
    group->connection_ = std::make_unique<Connection>();
    Connection& connection = *group->connection_;
    connection.store = Connect(launch, options);
    auto gloo = c10d::ProcessGroupGloo::Options::create_default(options.wait);
    connection.backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
        connection.store, launch.rank, launch.world_size, std::move(gloo));
    connection.heartbeat =
        std::make_unique<Heartbeat>(connection.store->clone(), launch.rank,
                                    launch.world_size, options.heartbeat);
  } catch (const std::exception& error) {
    return absl::UnavailableError(fmt::format(
        "rank {} of {}: the ranks did not all meet at {}:{} within {} s ({}); "
        "see that each is started, with the same MASTER_ADDR and MASTER_PORT, "
        "and that the port is free",
        launch.rank, launch.world_size, launch.address, launch.port,
        options.start.count(), error.what()));
  }
  return group;
}

absl::Status ProcessGroup::Fail(const char* what, const std::string& why) {
  if (failed_.ok()) {
    failed_ = absl::UnavailableError(fmt::format(
        "rank {} of {} lost the others in {}: {}. The log of the rank that "
        "ended first says why; start all ranks again: they go on from the last "
        "checkpoint",
        rank(), size(), what, why.substr(0, why.find('\n'))));
  }
  return failed_;
}

absl::Status ProcessGroup::Wait(const char* what, c10d::Work& work) {
  try {
    for (;;) {
      try {
        work.wait(kLook);
        return absl::OkStatus();
      } catch (const std::exception&) {
        if (work.isCompleted()) break;
      }
      const std::string lost = connection_->heartbeat->Lost();
      if (!lost.empty()) return Fail(what, lost);
    }
    work.wait();  // completed, well or not
  } catch (const std::exception& error) {
    return Fail(what, error.what());
  }
  return absl::OkStatus();
}

ProcessGroup::Pending::Pending() = default;
ProcessGroup::Pending::~Pending() = default;
ProcessGroup::Pending::Pending(Pending&&) noexcept = default;
ProcessGroup::Pending& ProcessGroup::Pending::operator=(Pending&&) noexcept =
    default;

absl::Status ProcessGroup::Pending::Wait() {
  if (group_ == nullptr) return absl::OkStatus();
  ProcessGroup* group = std::exchange(group_, nullptr);
  LARR_RETURN_IF_ERROR(group->failed_);
  const auto work = std::exchange(work_, nullptr);
  LARR_RETURN_IF_ERROR(group->Wait(what_, *work));
  if (finish_) std::exchange(finish_, nullptr)();
  return absl::OkStatus();
}

template <typename Start>
ProcessGroup::Pending ProcessGroup::Begin(const char* what, Start&& start) {
  Pending pending;
  if (alone()) return pending;
  pending.group_ = this;
  pending.what_ = what;
  if (!failed_.ok()) return pending;
  try {
    pending.work_ = start(*connection_->backend);
  } catch (const std::exception& error) {
    (void)Fail(what, error.what());
  }
  return pending;
}

ProcessGroup::Pending ProcessGroup::ReduceScatter(const Tensor& output,
                                                  const Tensor& input) {
  if (alone()) {
    output.copy_(input.view(output.sizes()));
    return {};
  }
  // Gloo's own is an all-reduce of everything: twice the traffic.
  Tensor rows = torch::empty({size(), output.numel()}, output.options());
  Pending pending = Begin("summing gradients", [&](c10d::Backend& backend) {
    Tensor send = input.view({-1}), receive = rows.view({-1});
    std::vector<int64_t> equal;
    return backend.alltoall_base(receive, send, equal, equal);
  });
  pending.finish_ = [rows, sum = output.view({-1}), input] {
    sum.copy_(rows[0]);
    for (int64_t r = 1; r < rows.size(0); ++r) sum.add_(rows[r]);
  };
  return pending;
}

ProcessGroup::Pending ProcessGroup::AllGather(const Tensor& output,
                                              const Tensor& input) {
  if (alone()) {
    output.copy_(input.view(output.sizes()));
    return {};
  }
  Tensor receive = Bytes(output), send = Bytes(input);
  Pending pending = Begin("gathering", [&](c10d::Backend& backend) {
    return backend._allgather_base(receive, send);
  });
  pending.finish_ = [receive, send] {};
  return pending;
}

absl::Status ProcessGroup::AllReduce(const Tensor& tensor) {
  return Begin("a sum",
               [&](c10d::Backend& backend) {
                 std::vector<Tensor> tensors = {tensor};
                 return backend.allreduce(tensors);
               })
      .Wait();
}

absl::StatusOr<double> ProcessGroup::Sum(double value) {
  if (alone()) return value;
  const Tensor tensor = torch::full(
      {1}, value, torch::TensorOptions(torch::kFloat64).device(device()));
  LARR_RETURN_IF_ERROR(AllReduce(tensor));
  return tensor.item<double>();
}

absl::Status ProcessGroup::Broadcast(const Tensor& tensor) {
  return Begin("a broadcast",
               [&](c10d::Backend& backend) {
                 std::vector<Tensor> tensors = {Bytes(tensor)};
                 return backend.broadcast(tensors);
               })
      .Wait();
}

absl::Status ProcessGroup::Barrier() { return Sum(0).status(); }

}  // namespace larr
