// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdlib>

#include "common/base/status_macros.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/larrctl/client.h"
#include "tools/larrctl/names.h"
#include "tools/larrctl/output.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages

struct ModelArguments {
  std::string model;
  std::string version;
  std::string alias = "champion";
  std::string actor;
  std::string reason;
};

struct ModelClient {
  explicit ModelClient(const Session& session)
      : client(session, Server::kCoordinator),
        stub(ModelRegistryService::NewStub(client.channel())) {}
  Client client;
  std::unique_ptr<ModelRegistryService::Stub> stub;
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

absl::Status List(const Session& session, const ModelArguments& arguments) {
  const ModelClient registry(session);
  ListModelVersionsRequest request;
  request.set_parent(
      FullName("models", arguments.model.empty() ? "-" : arguments.model));
  ListModelVersionsResponse all;
  do {
    ListModelVersionsResponse page;
    LARR_RETURN_IF_ERROR(registry.client.Call([&](auto* context) {
      return registry.stub->ListModelVersions(context, request, &page);
    }));
    all.mutable_model_versions()->MergeFrom(page.model_versions());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (session.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
  std::map<std::string, std::string> aliases;  // by version
  std::map<std::string, Model> models;
  for (const ModelVersion& version : all.model_versions()) {
    const std::string name = ModelOf(version.name());
    if (models.contains(name)) continue;
    GetModelRequest get;
    get.set_name(name);
    LARR_RETURN_IF_ERROR(registry.client.Call([&](auto* context) {
      return registry.stub->GetModel(context, get, &models[name]);
    }));
    for (const auto& [alias, target] : models[name].aliases()) {
      std::string& list = aliases[target];
      list += (list.empty() ? "" : ",") + alias;
    }
  }
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

absl::Status Promote(const Session& session, const ModelArguments& arguments) {
  PromoteModelVersionRequest request;
  LARR_ASSIGN_OR_RETURN(*request.mutable_name(),
                        FullVersionName(arguments.version));
  request.set_alias(arguments.alias);
  request.set_actor(arguments.actor);
  request.set_reason(arguments.reason);
  const ModelClient registry(session);
  Model model;
  LARR_RETURN_IF_ERROR(registry.client.Call([&](auto* context) {
    return registry.stub->PromoteModelVersion(context, request, &model);
  }));
  session.json ? PrintJson(model) : PrintAliases(model);
  return absl::OkStatus();
}

absl::Status Rollback(const Session& session, const ModelArguments& arguments) {
  RollbackAliasRequest request;
  request.set_model(FullName("models", arguments.model));
  request.set_alias(arguments.alias);
  request.set_actor(arguments.actor);
  request.set_reason(arguments.reason);
  const ModelClient registry(session);
  Model model;
  LARR_RETURN_IF_ERROR(registry.client.Call([&](auto* context) {
    return registry.stub->RollbackAlias(context, request, &model);
  }));
  session.json ? PrintJson(model) : PrintAliases(model);
  return absl::OkStatus();
}

absl::Status History(const Session& session, const ModelArguments& arguments) {
  const ModelClient registry(session);
  ListAliasMovesRequest request;
  request.set_parent(FullName("models", arguments.model));
  ListAliasMovesResponse all;
  do {
    ListAliasMovesResponse page;
    LARR_RETURN_IF_ERROR(registry.client.Call([&](auto* context) {
      return registry.stub->ListAliasMoves(context, request, &page);
    }));
    all.mutable_alias_moves()->MergeFrom(page.alias_moves());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (session.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const AliasMove& move : all.alias_moves()) {
    rows.push_back({TimeText(move.move_time()), move.alias(),
                    move.from_version().empty() ? "-" : move.from_version(),
                    move.to_version(), move.actor(), move.reason()});
  }
  fmt::print(
      "{}", Table({"TIME (UTC)", "ALIAS", "FROM", "TO", "BY", "REASON"}, rows));
  return absl::OkStatus();
}

void AddMoveOptions(CLI::App* command, ModelArguments* arguments) {
  command->add_option("--alias", arguments->alias, "The alias to move")
      ->capture_default_str();
  command
      ->add_option("--actor", arguments->actor, "Who moves it, for the record")
      ->capture_default_str();
  command->add_option("--reason", arguments->reason, "Why, for the record");
}

}  // namespace

void AddModelCommands(CLI::App& app, Session& session) {
  const auto arguments = std::make_shared<ModelArguments>();
  arguments->actor = UserName();
  ModelArguments* const args = arguments.get();
  CLI::App* const group =
      app.add_subcommand("model", "Model versions, aliases");
  group->require_subcommand(1);
  const auto act = [&session, arguments](CLI::App* command, auto work) {
    command->callback([&session, arguments, work] {
      session.action = [&session, arguments, work] {
        return work(session, *arguments);
      };
    });
  };

  CLI::App* list = group->add_subcommand("list", "List versions, newest first");
  list->add_option("model", args->model, "Of this model only");
  act(list, List);
  CLI::App* promote =
      group->add_subcommand("promote", "Point an alias at a version");
  promote->add_option("version", args->version, "MODEL/VERSION, e.g. city/3")
      ->required();
  AddMoveOptions(promote, args);
  act(promote, Promote);
  CLI::App* rollback =
      group->add_subcommand("rollback", "Point an alias at the version before");
  rollback->add_option("model", args->model, "e.g. city")->required();
  AddMoveOptions(rollback, args);
  act(rollback, Rollback);
  CLI::App* history = group->add_subcommand("history", "Who moved what when");
  history->add_option("model", args->model, "e.g. city")->required();
  act(history, History);
}

}  // namespace larr::ctl
