// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/score_request.h"
#include "tools/larrctl/service_client.h"

namespace larr::ctl {
namespace {

struct ScoreArguments {
  std::string file;
  std::string user;
  std::vector<std::string> context;
  std::vector<std::string> pois;
};

using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using scoring::v1::ScoringService;

absl::StatusOr<ScoreRequest> FromFile(const std::string& file) {
  if (file == "-") {
    return ParseScoreRequest(
        std::string(std::istreambuf_iterator<char>(std::cin), {}));
  }
  LARR_ASSIGN_OR_RETURN(const std::string json, ReadFile(file));
  auto request = ParseScoreRequest(json);
  if (request.ok()) return request;
  return absl::InvalidArgumentError(
      fmt::format("{}: {}", file, std::string(request.status().message())));
}

absl::StatusOr<ScoreRequest> FromFlags(const ScoreArguments& arguments) {
  ScoreRequest request;
  request.set_user_id(arguments.user);
  for (const std::string& assignment : arguments.context) {
    LARR_RETURN_IF_ERROR(
        AddColumnValue(assignment, *request.mutable_context()));
  }
  for (const std::string& poi : arguments.pois) {
    LARR_ASSIGN_OR_RETURN(*request.add_candidates(), ParseCandidate(poi));
  }
  return request;
}

void PrintScores(const ScoreRequest& request, const ScoreResponse& response) {
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < response.scores_size(); ++i) {
    rows.push_back({request.candidates(i).poi_id(),
                    fmt::format("{:.6f}", response.scores(i).ctr()),
                    fmt::format("{:.6f}", response.scores(i).ctcvr())});
  }
  fmt::print("{}", Table({"POI", "CTR", "CTCVR"}, rows));
  const auto& missing = response.missing();
  fmt::print(
      "\nmodel {}\nsnapshot {}\n"
      "unknown: {} user, {} POIs; {} texts without a vector\n",
      response.model_version(), response.snapshot(), missing.users(),
      missing.pois(), missing.texts());
}

absl::Status Score(const Session& session, const ScoreArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const auto request, arguments.file.empty()
                                                ? FromFlags(arguments)
                                                : FromFile(arguments.file));
  const ServiceClient<ScoringService, Server::kScoring> client(session);
  return Show(
      session.json, client.Call(&ScoringService::Stub::Score, request),
      [&](const ScoreResponse& response) { PrintScores(request, response); });
}

}  // namespace

void AddScoreCommand(CLI::App& app, Session& session) {
  const auto arguments = std::make_shared<ScoreArguments>();
  CLI::App* const command = app.add_subcommand("score", "Score one request");
  CLI::Option* file =
      command->add_option("request", arguments->file,
                          "JSON file of a ScoreRequest, - for standard input");
  command->add_option("--user", arguments->user, "Key of the user")
      ->excludes(file);
  command
      ->add_option("--context", arguments->context,
                   "column=value of the moment; may be repeated. A string "
                   "that looks like a number needs quotes: code='\"12\"'")
      ->take_all()
      ->expected(1)
      ->excludes(file);
  command
      ->add_option("--poi", arguments->pois,
                   "Candidate: POI[,column=value...]; may be repeated")
      ->take_all()
      ->expected(1)
      ->excludes(file);
  command->callback([&session, arguments] {
    session.action = [&session, arguments] {
      return Score(session, *arguments);
    };
  });
}

}  // namespace larr::ctl
