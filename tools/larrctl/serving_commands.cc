// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/service_client.h"

namespace larr::ctl {
namespace {

using namespace scoring::v1;  // NOLINT: one service's messages

struct ServingArguments {
  std::string model;
  std::string snapshot;
};

void PrintState(const ServingState& state) {
  fmt::print(
      "model        {}\nmodel path   {}\nsnapshot     {}\nsnapshot at  {}\n"
      "embedder     {}\nlive since   {} UTC ({} ago)\nfencing      {}\n",
      state.model_version(), state.model_path(), state.snapshot(),
      state.snapshot_path(), state.embedder_fingerprint(),
      TimeText(state.switch_time()),
      DurationText(SecondsBetween(state.switch_time(), {})),
      state.fencing_token());
  if (!state.refusal().empty()) {
    fmt::print("refused      {}\n", state.refusal());
  }
}

absl::Status Status(const Session& session, const ServingArguments&) {
  const ServiceClient<ScoringService, Server::kScoring> client(session);
  return Show(session.json,
              client.Call(&ScoringService::Stub::GetServingState, {}),
              PrintState);
}

std::string Absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

absl::Status Switch(const Session& session, const ServingArguments& arguments) {
  const ServiceClient<ScoringAdminService, Server::kScoringAdmin> client(
      session);
  SwitchBundleRequest request;
  request.set_model_path(Absolute(arguments.model));
  request.set_snapshot_path(Absolute(arguments.snapshot));
  return Show(session.json,
              client.Call(&ScoringAdminService::Stub::SwitchBundle, request),
              PrintState);
}

}  // namespace

void AddServingCommands(CLI::App& app, Session& session) {
  CommandGroup<ServingArguments> serving(app, session, "serving",
                                         "What is served");
  serving.Add("status", "Show what is served", Status);
  CLI::App* const change = serving.Add(
      "switch", "Serve another model, another snapshot, or both", Switch);
  CLI::Option_group* const paths = change->add_option_group("what");
  ServingArguments& args = serving.arguments();
  paths->add_option("--model", args.model, "Folder of a CTR model");
  paths->add_option("--snapshot", args.snapshot, "Folder of a snapshot");
  paths->require_option(1, 2);
}

}  // namespace larr::ctl
