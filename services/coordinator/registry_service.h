// SPDX-License-Identifier: Apache-2.0
//
// ModelRegistryService over gRPC: each call is checked, handed to the Registry,
// counted and translated. See the proto for what each one does.
//
// Ownership:  registry, store and metrics must outlive the service.
// Threads:    safe.
#pragma once

#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "services/coordinator/coordinator_metrics.h"
#include "services/coordinator/registry.h"
#include "services/coordinator/run_store.h"

namespace larr {

class RegistryServiceImpl final
    : public coordinator::v1::ModelRegistryService::Service {
 public:
  RegistryServiceImpl(Registry& registry, const RunStore& store,
                      CoordinatorMetrics& metrics);

  grpc::Status GetModel(grpc::ServerContext* context,
                        const coordinator::v1::GetModelRequest* request,
                        coordinator::v1::Model* response) override;
  grpc::Status ListModelVersions(
      grpc::ServerContext* context,
      const coordinator::v1::ListModelVersionsRequest* request,
      coordinator::v1::ListModelVersionsResponse* response) override;
  grpc::Status PromoteModelVersion(
      grpc::ServerContext* context,
      const coordinator::v1::PromoteModelVersionRequest* request,
      coordinator::v1::Model* response) override;
  grpc::Status RollbackAlias(
      grpc::ServerContext* context,
      const coordinator::v1::RollbackAliasRequest* request,
      coordinator::v1::Model* response) override;
  grpc::Status ListAliasMoves(
      grpc::ServerContext* context,
      const coordinator::v1::ListAliasMovesRequest* request,
      coordinator::v1::ListAliasMovesResponse* response) override;

 private:
  // Answers a move; the alias's file follows before the caller is told.
  grpc::Status AnswerMove(const char* method,
                          absl::StatusOr<coordinator::v1::Model> model,
                          coordinator::v1::Model* response);

  Registry& registry_;
  const RunStore& store_;
  CoordinatorMetrics& metrics_;
};

}  // namespace larr
