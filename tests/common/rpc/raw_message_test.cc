// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/raw_message.h"

#include <google/protobuf/util/message_differencer.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "common/rpc/grpc_status.h"
#include "google/rpc/error_details.pb.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {
namespace {

using scoring::v1::ScoreRequest;

// Bytes in slices of `size`.
grpc::ByteBuffer Sliced(const std::string& bytes, size_t size) {
  std::vector<grpc::Slice> slices;
  for (size_t i = 0; i < bytes.size(); i += size) {
    slices.emplace_back(bytes.substr(i, size));
  }
  return {slices.data(), slices.size()};
}

ScoreRequest Sample() {
  ScoreRequest request;
  request.set_user_id("u");
  for (int i = 0; i < 100; ++i) {
    request.add_candidates()->set_poi_id("p" + std::to_string(i));
  }
  return request;
}

}  // namespace

TEST_CASE("Messages are read from bytes in any number of slices", "[rpc]") {
  const ScoreRequest request = Sample();
  const std::string bytes = request.SerializeAsString();
  for (const size_t size : {size_t{1}, size_t{7}, bytes.size()}) {
    CAPTURE(size);
    const grpc::ByteBuffer buffer = Sliced(bytes, size);
    ScoreRequest read;
    REQUIRE(ParseMessage(buffer, read).ok());
    CHECK(google::protobuf::util::MessageDifferencer::Equals(read, request));
    CHECK(buffer.Length() == bytes.size());  // still there
  }
  ScoreRequest empty;
  CHECK(ParseMessage(Sliced("", 1), empty).ok());
}

TEST_CASE("What is written is read again", "[rpc]") {
  const ScoreRequest request = Sample();
  grpc::ByteBuffer bytes;
  REQUIRE(SerializeMessage(request, bytes).ok());
  ScoreRequest read;
  REQUIRE(ParseMessage(bytes, read).ok());
  CHECK(google::protobuf::util::MessageDifferencer::Equals(read, request));
}

TEST_CASE("Bytes that are no message are refused", "[rpc]") {
  const std::string bytes = Sample().SerializeAsString();
  for (const std::string& bad :
       {std::string("\xff\xff"), bytes.substr(0, bytes.size() - 1),
        std::string("\x0a\x02\xc3\x28")}) {
    ScoreRequest read;
    const absl::Status status = ParseMessage(Sliced(bad, 100), read);
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()),
               Catch::Contains("larr.scoring.v1.ScoreRequest"));
    const auto details = DetailOf<google::rpc::BadRequest>(status);
    REQUIRE(details.has_value());
    REQUIRE(details->field_violations_size() == 1);
    CHECK(details->field_violations(0).field() == kWholeRequest);
  }
}

}  // namespace larr
