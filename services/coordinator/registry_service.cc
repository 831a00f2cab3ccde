// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/registry_service.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/resource_requests.h"

namespace larr {
namespace {

using coordinator::v1::AliasMove;
using coordinator::v1::GetModelRequest;
using coordinator::v1::ListAliasMovesRequest;
using coordinator::v1::ListAliasMovesResponse;
using coordinator::v1::ListModelVersionsRequest;
using coordinator::v1::ListModelVersionsResponse;
using coordinator::v1::Model;
using coordinator::v1::ModelVersion;
using coordinator::v1::PromoteModelVersionRequest;
using coordinator::v1::RollbackAliasRequest;

absl::Status CheckParent(const std::string& parent, bool all_allowed) {
  if (IsModelName(parent) || (all_allowed && parent == "models/-"))
    return absl::OkStatus();
  return Invalid("`parent` is `{}`; it must be models/{{model}}{}", parent,
                 all_allowed ? " or models/-" : "");
}

}  // namespace

RegistryServiceImpl::RegistryServiceImpl(Registry& registry,
                                         const RunStore& store,
                                         CoordinatorMetrics& metrics)
    : registry_(registry), store_(store), metrics_(metrics) {}

grpc::Status RegistryServiceImpl::AnswerMove(const char* method,
                                             absl::StatusOr<Model> model,
                                             Model* response) {
  const absl::Status moved = Fill(std::move(model), response);
  if (moved.ok()) {
    const absl::Status synced = registry_.SyncAliasFiles();
    if (!synced.ok()) {
      // The move stands; the coordinator's loop tries the file again.
      metrics_.alias_file_errors.Increment();
      spdlog::warn("alias_files_not_written error={}", synced.ToString());
    }
  }
  return metrics_.Answer(method, moved);
}

grpc::Status RegistryServiceImpl::GetModel(grpc::ServerContext*,
                                           const GetModelRequest* request,
                                           Model* response) {
  return metrics_.Answer("GetModel",
                         Fill(registry_.GetModel(request->name()), response));
}

grpc::Status RegistryServiceImpl::ListModelVersions(
    grpc::ServerContext*, const ListModelVersionsRequest* request,
    ListModelVersionsResponse* response) {
  const auto list = [&]() -> absl::Status {
    LARR_RETURN_IF_ERROR(CheckParent(request->parent(), /*all_allowed=*/true));
    LARR_ASSIGN_OR_RETURN(const int size, PageSize(request->page_size()));
    LARR_ASSIGN_OR_RETURN(
        auto page,
        store_.ListVersions(request->parent(), size, request->page_token()));
    for (ModelVersion& version : page.items) {
      *response->add_model_versions() = std::move(version);
    }
    response->set_next_page_token(page.next_token);
    return absl::OkStatus();
  };
  return metrics_.Answer("ListModelVersions", list());
}

grpc::Status RegistryServiceImpl::PromoteModelVersion(
    grpc::ServerContext*, const PromoteModelVersionRequest* request,
    Model* response) {
  return AnswerMove("PromoteModelVersion",
                    registry_.Promote(*request, absl::Now()), response);
}

grpc::Status RegistryServiceImpl::RollbackAlias(
    grpc::ServerContext*, const RollbackAliasRequest* request,
    Model* response) {
  return AnswerMove("RollbackAlias", registry_.Rollback(*request, absl::Now()),
                    response);
}

grpc::Status RegistryServiceImpl::ListAliasMoves(
    grpc::ServerContext*, const ListAliasMovesRequest* request,
    ListAliasMovesResponse* response) {
  const auto list = [&]() -> absl::Status {
    LARR_RETURN_IF_ERROR(CheckParent(request->parent(), /*all_allowed=*/false));
    LARR_ASSIGN_OR_RETURN(const int size, PageSize(request->page_size()));
    LARR_ASSIGN_OR_RETURN(auto page, store_.ListMoves(request->parent(), size,
                                                      request->page_token()));
    for (AliasMove& move : page.items) {
      *response->add_alias_moves() = std::move(move);
    }
    response->set_next_page_token(page.next_token);
    return absl::OkStatus();
  };
  return metrics_.Answer("ListAliasMoves", list());
}

}  // namespace larr
