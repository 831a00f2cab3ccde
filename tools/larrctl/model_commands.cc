// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <set>

#include "common/base/status_macros.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/larrctl/command_group.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/output.h"
#include "tools/larrctl/service_client.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages
using RegistryClient =
    ServiceClient<ModelRegistryService, Server::kCoordinator>;
using Stub = ModelRegistryService::Stub;

constexpr char kCollection[] = "models";

struct ModelArguments {
  std::string model;
  std::string version;
  std::string alias = "champion";
  std::string actor;
  std::string reason;
};

std::string UserName() {
  const char* user = std::getenv("USER");
  return user == nullptr || *user == '\0' ? "larrctl" : user;
}

// The model that a version belongs to.
std::string ModelOf(const std::string& version) {
  return version.substr(0, version.find("/versions/"));
}

void PrintAliases(const Model& model) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [alias, version] : model.aliases()) {
    rows.push_back({alias, version});
  }
  fmt::print("{}", Table({"ALIAS", "VERSION"}, rows));
}

// What points at each version, as `champion,canary`.
absl::StatusOr<std::map<std::string, std::string>> AliasesByVersion(
    const RegistryClient& registry, const ListModelVersionsResponse& all) {
  std::map<std::string, std::string> aliases;
  std::set<std::string> models;
  for (const ModelVersion& version : all.model_versions()) {
    const std::string name = ModelOf(version.name());
    if (!models.insert(name).second) continue;
    LARR_ASSIGN_OR_RETURN(
        const Model model,
        registry.Call(&Stub::GetModel,
                      Named<GetModelRequest>(kCollection, name)));
    for (const auto& [alias, target] : model.aliases()) {
      std::string& list = aliases[target];
      list += (list.empty() ? "" : ",") + alias;
    }
  }
  return aliases;
}

absl::Status List(const Session& session, const ModelArguments& arguments) {
  const RegistryClient registry(session);
  ListModelVersionsRequest request;
  request.set_parent(
      FullName(kCollection, arguments.model.empty() ? "-" : arguments.model));
  LARR_ASSIGN_OR_RETURN(const auto all,
                        registry.ListAll(&Stub::ListModelVersions, request));
  if (session.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
  LARR_ASSIGN_OR_RETURN(auto aliases, AliasesByVersion(registry, all));
  std::vector<std::vector<std::string>> rows;
  for (const ModelVersion& version : all.model_versions()) {
    rows.push_back({version.name(), aliases[version.name()],
                    fmt::format("{:.4f}", version.validation_ctr_auc()),
                    TimeText(version.create_time()), version.training_run()});
  }
  fmt::print("{}", Table({"VERSION", "ALIASES", "VALIDATION AUC",
                          "CREATED (UTC)", "RUN"},
                         rows));
  return absl::OkStatus();
}

// Moves an alias by `method`.
template <typename Request>
absl::Status Move(const Session& session, const ModelArguments& arguments,
                  grpc::Status (Stub::*method)(grpc::ClientContext*,
                                               const Request&, Model*),
                  Request request) {
  request.set_alias(arguments.alias);
  request.set_actor(arguments.actor);
  request.set_reason(arguments.reason);
  return Show(session.json, RegistryClient(session).Call(method, request),
              PrintAliases);
}

absl::Status Promote(const Session& session, const ModelArguments& arguments) {
  PromoteModelVersionRequest request;
  LARR_ASSIGN_OR_RETURN(*request.mutable_name(),
                        FullVersionName(arguments.version));
  return Move(session, arguments, &Stub::PromoteModelVersion, request);
}

absl::Status Rollback(const Session& session, const ModelArguments& arguments) {
  RollbackAliasRequest request;
  request.set_model(FullName(kCollection, arguments.model));
  return Move(session, arguments, &Stub::RollbackAlias, request);
}

void PrintMoves(const ListAliasMovesResponse& all) {
  std::vector<std::vector<std::string>> rows;
  for (const AliasMove& move : all.alias_moves()) {
    rows.push_back({TimeText(move.move_time()), move.alias(),
                    move.from_version().empty() ? "-" : move.from_version(),
                    move.to_version(), move.actor(), move.reason()});
  }
  fmt::print(
      "{}", Table({"TIME (UTC)", "ALIAS", "FROM", "TO", "BY", "REASON"}, rows));
}

absl::Status History(const Session& session, const ModelArguments& arguments) {
  ListAliasMovesRequest request;
  request.set_parent(FullName(kCollection, arguments.model));
  const auto all =
      RegistryClient(session).ListAll(&Stub::ListAliasMoves, request);
  return Show(session.json, all, PrintMoves);
}

void AddMoveOptions(CLI::App* command, ModelArguments& arguments) {
  command->add_option("--alias", arguments.alias, "The alias to move")
      ->capture_default_str();
  command
      ->add_option("--actor", arguments.actor, "Who moves it, for the record")
      ->capture_default_str();
  command->add_option("--reason", arguments.reason, "Why, for the record");
}

}  // namespace

void AddModelCommands(CLI::App& app, Session& session) {
  CommandGroup<ModelArguments> models(app, session, "model",
                                      "Model versions, aliases");
  ModelArguments& args = models.arguments();
  args.actor = UserName();

  models.Add("list", "List versions, newest first", List)
      ->add_option("model", args.model, "Of this model only");
  CLI::App* promote =
      models.Add("promote", "Point an alias at a version", Promote);
  promote->add_option("version", args.version, "MODEL/VERSION, e.g. city/3")
      ->required();
  AddMoveOptions(promote, args);
  CLI::App* rollback =
      models.Add("rollback", "Point an alias at the version before", Rollback);
  rollback->add_option("model", args.model, "e.g. city")->required();
  AddMoveOptions(rollback, args);
  models.Add("history", "Who moved what when", History)
      ->add_option("model", args.model, "e.g. city")
      ->required();
}

}  // namespace larr::ctl
