// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
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
  int top_k = 0;
  int explain = -1;  // Index of a candidate; -1: none.
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
  return Invalid("{}: {}", file, std::string(request.status().message()));
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

absl::StatusOr<ScoreRequest> MakeRequest(const ScoreArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(ScoreRequest request, arguments.file.empty()
                                                  ? FromFlags(arguments)
                                                  : FromFile(arguments.file));
  if (arguments.top_k > 0) request.set_top_k(arguments.top_k);
  if (arguments.explain >= 0) request.set_explain_candidate(arguments.explain);
  return request;
}

void PrintExplanation(const ScoreRequest& request,
                      const scoring::v1::Explanation& explanation) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& text : explanation.texts()) {
    rows.push_back({text.feature(), text.found() ? "found" : "default",
                    fmt::format("{:.3f}", text.attention())});
  }
  fmt::print("\nexplanation of candidate {}, {}\n", explanation.candidate(),
             request.candidates(explanation.candidate()).poi_id());
  if (!rows.empty()) {
    fmt::print("{}\n", Table({"TEXT", "VECTOR", "ATTENTION"}, rows));
  }
  rows.clear();
  for (const auto& feature : explanation.contributions()) {
    rows.push_back({feature.feature(), feature.is_text() ? "text" : "tabular",
                    fmt::format("{:+.6f}", feature.ctr()),
                    fmt::format("{:+.6f}", feature.ctcvr())});
  }
  fmt::print("{}", Table({"FEATURE", "KIND", "CTR", "CTCVR"}, rows));
}

void PrintScores(const ScoreRequest& request, const ScoreResponse& response) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& score : response.scores()) {
    rows.push_back({request.candidates(score.candidate()).poi_id(),
                    fmt::format("{:.6f}", score.ctr()),
                    fmt::format("{:.6f}", score.ctcvr())});
  }
  fmt::print("{}", Table({"POI", "CTR", "CTCVR"}, rows));
  const auto& missing = response.missing();
  fmt::print(
      "\nmodel {}\nsnapshot {}\n"
      "unknown: {} user, {} POIs; {} texts without a vector\n",
      response.model_version(), response.snapshot(), missing.users(),
      missing.pois(), missing.texts());
  if (response.has_explanation()) {
    PrintExplanation(request, response.explanation());
  }
}

absl::Status Score(const Session& session, const ScoreArguments& arguments) {
  LARR_ASSIGN_OR_RETURN(const auto request, MakeRequest(arguments));
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
  command
      ->add_option("--top-k", arguments->top_k,
                   "Answer with the best so many candidates, best first")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--explain", arguments->explain,
                   "Also explain the score of this candidate; 0 is the first")
      ->check(CLI::NonNegativeNumber);
  command->callback([&session, arguments] {
    session.action = [&session, arguments] {
      return Score(session, *arguments);
    };
  });
}

}  // namespace larr::ctl
