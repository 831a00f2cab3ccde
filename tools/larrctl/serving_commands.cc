// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/service_client.h"
#include "tools/larrctl/serving_status.h"

namespace larr::ctl {
namespace {

using namespace scoring::v1;  // NOLINT: one service's messages

struct ServingArguments {
  std::string model;
  std::string snapshot;
  std::string arms;  // A file.
};

void PrintState(const ServingState& state) {
  fmt::print("{}", ServingStatusText(state));
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

void PrintArmsFile(const Arms& arms) { fmt::print("{}", ToTextProto(arms)); }

absl::Status GetArms(const Session& session, const ServingArguments&) {
  const ServiceClient<ScoringAdminService, Server::kScoringAdmin> client(
      session);
  return Show(session.json,
              client.Call(&ScoringAdminService::Stub::GetArms, {}),
              PrintArmsFile);
}

absl::Status SetArms(const Session& session,
                     const ServingArguments& arguments) {
  const ServiceClient<ScoringAdminService, Server::kScoringAdmin> client(
      session);
  SetArmsRequest request;
  LARR_ASSIGN_OR_RETURN(*request.mutable_arms(),
                        LoadTextProto<Arms>(arguments.arms));
  return Show(session.json,
              client.Call(&ScoringAdminService::Stub::SetArms, request),
              PrintArmsFile);
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
  serving.Add("arms", "Print how users are divided, as an arms file", GetArms);
  serving
      .Add(
          "set-arms",
          "Divide users as a file says, until the server ends or its arms_file "
          "changes",
          SetArms)
      ->add_option("file", args.arms, "Text proto of Arms; empty: no arms")
      ->required();
}

}  // namespace larr::ctl
