// SPDX-License-Identifier: Apache-2.0
//
// What a recommendation backend needs of gRPC to have candidates ranked, in one
// file: a channel that is kept, a deadline, retries, and errors read.
//
//   larr_score_client ADDRESS USER POI...
//
// Prints the candidates best first, each with P(click) and P(click and order).
// Exits with 2 if the request was wrong, with 3 if there were no scores: then
// the candidates are printed as they came, the order that a page falls back to.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"

namespace {

using larr::scoring::v1::ScoreRequest;
using larr::scoring::v1::ScoreResponse;
using larr::scoring::v1::ScoringService;

// Of a call, its retries included. A page gives about three times its p99.
constexpr auto kDeadline = std::chrono::seconds(2);

// Waits between tries are random up to these bounds, so that backends do not
// come back all at once. Where the server sends `grpc-retry-pushback-ms`, gRPC
// waits just so long. Where many calls fail, none is tried again.
constexpr char kServiceConfig[] = R"({
  "methodConfig": [{
    "name": [{"service": "larr.scoring.v1.ScoringService"}],
    "retryPolicy": {
      "maxAttempts": 3,
      "initialBackoff": "0.01s",
      "maxBackoff": "0.1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.5}
})";

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a file holds that a variable of the environment names; empty without.
std::string FileOf(const char* variable) {
  const char* path = std::getenv(variable);
  return path == nullptr ? "" : ReadAll(path);
}

// TLS where LARR_TLS_CA is set; with LARR_TLS_CERT and LARR_TLS_KEY the server
// learns who calls.
std::shared_ptr<grpc::ChannelCredentials> Credentials() {
  if (std::getenv("LARR_TLS_CA") == nullptr) {
    return grpc::InsecureChannelCredentials();
  }
  return grpc::SslCredentials({.pem_root_certs = FileOf("LARR_TLS_CA"),
                               .pem_private_key = FileOf("LARR_TLS_KEY"),
                               .pem_cert_chain = FileOf("LARR_TLS_CERT")});
}

// One for a process: safe for all threads, and costly to make.
std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  // Finds a server that is gone without a word, also between calls.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  return grpc::CreateCustomChannel(address, Credentials(), arguments);
}

ScoreRequest MakeRequest(const std::string& user,
                         const std::vector<std::string>& pois) {
  ScoreRequest request;
  request.set_user_id(user);
  const std::time_t now = std::time(nullptr);
  (*request.mutable_context())["hour"].set_int_value(
      std::localtime(&now)->tm_hour);
  for (const std::string& poi : pois) request.add_candidates()->set_poi_id(poi);
  request.set_top_k(static_cast<int>(pois.size()));
  return request;
}

// The fields that were wrong, each with what is wrong.
void PrintViolations(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) {
    google::rpc::BadRequest bad;
    if (!detail.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) {
      std::cerr << "wrong field " << violation.field() << ": "
                << violation.description() << "\n";
    }
  }
}

int Rank(ScoringService::Stub& stub, const ScoreRequest& request) {
  grpc::ClientContext context;  // a new one for each call
  const std::string token = FileOf("LARR_TOKEN_FILE");
  if (!token.empty()) {  // only over TLS, or on a network that is trusted
    context.AddMetadata(
        "authorization",
        "Bearer " + token.substr(0, token.find_first_of("\r\n")));
  }
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  ScoreResponse response;
  const grpc::Status status = stub.Score(&context, request, &response);
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
    PrintViolations(status);  // a bug of the caller: never to be tried again
    return 2;
  }
  if (!status.ok()) {
    std::cerr << "falling back, code " << status.error_code() << ": "
              << status.error_message() << "\n";
    for (const auto& candidate : request.candidates())
      std::cout << candidate.poi_id() << "\n";
    return 3;
  }
  for (const auto& score : response.scores()) {
    std::printf("%s %.6f %.6f\n",
                request.candidates(score.candidate()).poi_id().c_str(),
                score.ctr(), score.ctcvr());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "use: larr_score_client ADDRESS USER POI...\n";
    return 2;
  }
  const auto stub = ScoringService::NewStub(Connect(argv[1]));
  return Rank(*stub, MakeRequest(argv[2], {argv + 3, argv + argc}));
}
