// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/grpc_status.h"

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"

namespace larr {
namespace {

// Answers every call with one status, over a socket.
class Failing final : public scoring::v1::ScoringService::Service {
 public:
  explicit Failing(absl::Status status) : status_(std::move(status)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    stub_ = scoring::v1::ScoringService::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                            grpc::InsecureChannelCredentials()));
  }
  grpc::Status Score(grpc::ServerContext*, const scoring::v1::ScoreRequest*,
                     scoring::v1::ScoreResponse*) override {
    return ToGrpc(status_);
  }
  grpc::Status Call() const {
    grpc::ClientContext context;
    scoring::v1::ScoreResponse response;
    return stub_->Score(&context, {}, &response);
  }

 private:
  const absl::Status status_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<scoring::v1::ScoringService::Stub> stub_;
};

}  // namespace

TEST_CASE("Statuses cross the border unchanged", "[rpc]") {
  for (int code = 0; code <= 16; ++code) {
    INFO(code);
    const absl::Status status(static_cast<absl::StatusCode>(code),
                              code == 0 ? "" : "why");
    CHECK(FromGrpc(ToGrpc(status)) == status);
    CHECK(static_cast<int>(ToGrpc(status).error_code()) == code);
  }
}

TEST_CASE("A caller reads the field that was wrong", "[rpc]") {
  const Failing server(InvalidField("candidates[3].poi_id", "is empty"));
  const grpc::Status status = server.Call();
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message() == "candidates[3].poi_id: is empty");
  google::rpc::Status details;
  REQUIRE(details.ParseFromString(status.error_details()));
  CHECK(details.code() == status.error_code());
  CHECK(details.message() == status.error_message());
  REQUIRE(details.details_size() == 1);
  google::rpc::BadRequest bad;
  REQUIRE(details.details(0).UnpackTo(&bad));
  REQUIRE(bad.field_violations_size() == 1);
  CHECK(bad.field_violations(0).field() == "candidates[3].poi_id");
  CHECK(bad.field_violations(0).description() == "is empty");
}

TEST_CASE("Metadata of any bytes can be quoted in an error", "[rpc]") {
  const Failing server(InvalidField("larr-arm", "no arm `caf\xe9`"));
  const absl::Status status = FromGrpc(server.Call());
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  REQUIRE(bad.has_value());
  CHECK(bad->field_violations(0).description() == "no arm `caf\xef\xbf\xbd`");
}

TEST_CASE("A caller reads when to try again", "[rpc]") {
  const Failing server(WithRetryDelay(absl::ResourceExhaustedError("full"),
                                      std::chrono::milliseconds(1500)));
  const absl::Status status = FromGrpc(server.Call());
  CHECK(absl::IsResourceExhausted(status));
  const auto info = DetailOf<google::rpc::RetryInfo>(status);
  REQUIRE(info.has_value());
  CHECK(info->retry_delay().seconds() == 1);
  CHECK(info->retry_delay().nanos() == 500'000'000);
  CHECK_FALSE(DetailOf<google::rpc::BadRequest>(status).has_value());
}

TEST_CASE("What is too long for metadata is cut between characters", "[rpc]") {
  std::string path = "p", description = "d";
  for (int i = 0; i < 5000; ++i) {
    path += "\u00e9";
    description += "\u20ac";
  }
  const Failing server(InvalidField(path, description));
  const grpc::Status status = server.Call();
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  const auto bad = DetailOf<google::rpc::BadRequest>(FromGrpc(status));
  REQUIRE(bad.has_value());
  const auto& violation = bad->field_violations(0);
  CHECK(violation.field() == path.substr(0, 253) + "...");
  CHECK(violation.description() == description.substr(0, 1021) + "...");
}

TEST_CASE("Details that do not parse leave code and message", "[rpc]") {
  const absl::Status status =
      FromGrpc({grpc::StatusCode::NOT_FOUND, "why", "\xff\xff"});
  CHECK(status == absl::NotFoundError("why"));
}

TEST_CASE("An answer fills the response, an error leaves it", "[rpc]") {
  std::string response = "before";
  const absl::StatusOr<std::string> error = absl::NotFoundError("why");
  CHECK(Fill(error, &response) == error.status());
  CHECK(response == "before");
  CHECK(Fill(absl::StatusOr<std::string>("after"), &response).ok());
  CHECK(response == "after");
}

}  // namespace larr
