// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/grpc_status.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/util/time_util.h>

#include "common/base/invalid_argument.h"
#include "common/base/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace larr {
namespace {

// Both stand in the message and in the details.
constexpr size_t kMostPathBytes = 256;
constexpr size_t kMostDescriptionBytes = 1024;

template <typename Message>
void SetDetail(const Message& message, absl::Status& status) {
  status.SetPayload(DetailUrl<Message>(),
                    absl::Cord(message.SerializeAsString()));
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  google::rpc::Status details;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    google::protobuf::Any& detail = *details.add_details();
    detail.set_type_url(std::string(url));
    detail.set_value(std::string(payload));
  });
  if (details.details().empty()) {
    return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                        std::string(status.message()));
  }
  details.set_code(status.raw_code());
  details.set_message(ReplaceMalformedUtf8(std::string(status.message())));
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()),
                      details.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const google::protobuf::Any& detail : details.details())
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  return result;
}

absl::Status InvalidField(std::string_view path, std::string_view description) {
  google::rpc::BadRequest bad;
  auto& violation = *bad.add_field_violations();
  violation.set_field(CutUtf8(path, kMostPathBytes));
  violation.set_description(
      CutUtf8(ReplaceMalformedUtf8(description), kMostDescriptionBytes));
  absl::Status status =
      Invalid("{}: {}", violation.field(), violation.description());
  SetDetail(bad, status);
  return status;
}

absl::Status WithRetryDelay(absl::Status status,
                            std::chrono::nanoseconds delay) {
  google::rpc::RetryInfo info;
  *info.mutable_retry_delay() =
      google::protobuf::util::TimeUtil::NanosecondsToDuration(delay.count());
  SetDetail(info, status);
  return status;
}

}  // namespace larr
