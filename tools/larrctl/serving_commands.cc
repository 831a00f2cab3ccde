// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "common/base/status_macros.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tools/larrctl/client.h"
#include "tools/larrctl/output.h"

namespace larr::ctl {
namespace {

using namespace scoring::v1;  // NOLINT: one service's messages

void Print(const Session& session, const ServingState& state) {
  if (session.json) return PrintJson(state);
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

absl::Status Status(const Session& session) {
  const Client client(session, Server::kScoring);
  const auto stub = ScoringService::NewStub(client.channel());
  ServingState state;
  LARR_RETURN_IF_ERROR(client.Call([&](auto* context) {
    return stub->GetServingState(context, {}, &state);
  }));
  Print(session, state);
  return absl::OkStatus();
}

std::string Absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

absl::Status Switch(const Session& session, const std::string& model,
                    const std::string& snapshot) {
  const Client client(session, Server::kScoringAdmin);
  const auto stub = ScoringAdminService::NewStub(client.channel());
  SwitchBundleRequest request;
  request.set_model_path(Absolute(model));
  request.set_snapshot_path(Absolute(snapshot));
  ServingState state;
  LARR_RETURN_IF_ERROR(client.Call([&](auto* context) {
    return stub->SwitchBundle(context, request, &state);
  }));
  Print(session, state);
  return absl::OkStatus();
}

}  // namespace

void AddServingCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("serving", "What is served");
  group->require_subcommand(1);
  group->add_subcommand("status", "Show what is served")->callback([&session] {
    session.action = [&session] { return Status(session); };
  });
  const auto model = std::make_shared<std::string>();
  const auto snapshot = std::make_shared<std::string>();
  CLI::App* const change = group->add_subcommand(
      "switch", "Serve another model, another snapshot, or both");
  CLI::Option_group* const paths = change->add_option_group("what");
  paths->add_option("--model", *model, "Folder of a CTR model");
  paths->add_option("--snapshot", *snapshot, "Folder of a snapshot");
  paths->require_option(1, 2);
  change->callback([&session, model, snapshot] {
    session.action = [&session, model, snapshot] {
      return Switch(session, *model, *snapshot);
    };
  });
}

}  // namespace larr::ctl
