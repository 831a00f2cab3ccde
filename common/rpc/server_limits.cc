// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/server_limits.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpc/grpc.h>
#include <grpcpp/resource_quota.h>

#include <climits>
#include <cstdint>
#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::ServerConfig;
using config::v1::ServerLimits;

constexpr int kDefaultDrainSeconds = 10;
constexpr int kDefaultMaxMessageBytes = 4 << 20;

absl::Status CheckNotNegative(std::string_view setting, int64_t value) {
  if (value >= 0) return absl::OkStatus();
  return Invalid("{} is {}; set a positive number, or none for the default",
                 setting, value);
}

absl::Status CheckNoneNegative(const ServerLimits& limits) {
  const google::protobuf::Reflection& values = *limits.GetReflection();
  const google::protobuf::Descriptor& type = *limits.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    const int64_t value =
        field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_INT64
            ? values.GetInt64(limits, &field)
            : values.GetInt32(limits, &field);
    LARR_RETURN_IF_ERROR(
        CheckNotNegative("server.limits." + field.name(), value));
  }
  return absl::OkStatus();
}

template <typename Number>
Number OrDefault(Number value, Number standard) {
  return value > 0 ? value : standard;
}

// A connection's life: found out when its client is gone, closed when idle.
void ApplyConnectionLimits(const ServerConfig& config,
                           grpc::ServerBuilder& builder) {
  const ServerLimits& limits = config.limits();
  const int timeout = OrDefault(limits.keepalive_timeout_ms(), 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             OrDefault(limits.keepalive_ms(), 30'000));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, timeout);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, timeout);
  // Also where no call is running, and as often as need be.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Clients may ask, too, without being taken for attackers.
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONNECTION_IDLE_MS,
      OrDefault(limits.max_connection_idle_ms(), 600'000));
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONNECTION_AGE_MS,
      OrDefault(limits.max_connection_age_ms(), INT_MAX));
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
      static_cast<int>(std::chrono::milliseconds(DrainTime(config)).count()));
}

}  // namespace

std::chrono::seconds DrainTime(const ServerConfig& config) {
  return std::chrono::seconds(
      OrDefault(config.drain_seconds(), kDefaultDrainSeconds));
}

int MaxMessageBytes(const ServerConfig& config) {
  return OrDefault(config.max_message_bytes(), kDefaultMaxMessageBytes);
}

absl::Status CheckLimits(const ServerConfig& config) {
  LARR_RETURN_IF_ERROR(
      CheckNotNegative("server.drain_seconds", config.drain_seconds()));
  LARR_RETURN_IF_ERROR(
      CheckNotNegative("server.max_message_bytes", config.max_message_bytes()));
  return CheckNoneNegative(config.limits());
}

void ApplyLimits(const ServerConfig& config, grpc::ServerBuilder& builder) {
  const ServerLimits& limits = config.limits();
  ApplyConnectionLimits(config, builder);
  builder.SetMaxReceiveMessageSize(MaxMessageBytes(config));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             OrDefault(limits.max_concurrent_streams(), 1000));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             OrDefault(limits.max_header_bytes(), 8192));
  grpc::ResourceQuota quota("server");
  quota.Resize(static_cast<size_t>(
      OrDefault<int64_t>(limits.max_memory_bytes(), int64_t{512} << 20)));
  quota.SetMaxThreads(OrDefault(limits.max_threads(), 64));
  builder.SetResourceQuota(quota);
}

}  // namespace larr
