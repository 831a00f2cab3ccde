// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/registry_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>

#include <catch2/catch.hpp>

#include "common/config/text_proto.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using coordinator::v1::GetModelRequest;
using coordinator::v1::ListAliasMovesRequest;
using coordinator::v1::ListAliasMovesResponse;
using coordinator::v1::ListModelVersionsRequest;
using coordinator::v1::ListModelVersionsResponse;
using coordinator::v1::Model;
using coordinator::v1::ModelRegistryService;
using coordinator::v1::PromoteModelVersionRequest;
using coordinator::v1::RollbackAliasRequest;

class RegistryServiceTest {
 public:
  RegistryServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = ModelRegistryService::NewStub(server_->InProcessChannel({}));
  }

 protected:
  template <typename Request, typename Response>
  grpc::StatusCode Call(grpc::Status (ModelRegistryService::Stub::*method)(
                            grpc::ClientContext*, const Request&, Response*),
                        const Request& request, Response* response) {
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, response).error_code();
  }

  void AddVersions(int count) {
    for (int i = 1; i <= count; ++i) {
      coordinator::v1::ModelVersion version;
      version.set_name("models/city/versions/" + std::to_string(i));
      REQUIRE(store_->Commit({.version = version}).ok());
    }
  }

  testing::TempDir dir_;
  std::unique_ptr<RunStore> store_ = *RunStore::Open(dir_.path() / "db");
  Registry registry_{*store_, dir_.path()};
  prometheus::Registry prometheus_;
  CoordinatorMetrics metrics_{prometheus_};
  RegistryServiceImpl service_{registry_, *store_, metrics_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ModelRegistryService::Stub> stub_;
};

TEST_CASE_METHOD(RegistryServiceTest, "Calls say what is wrong", "[service]") {
  Model model;
  GetModelRequest get;
  get.set_name("models/city");
  CHECK(Call(&ModelRegistryService::Stub::GetModel, get, &model) ==
        grpc::StatusCode::NOT_FOUND);
  ListModelVersionsRequest versions;
  ListModelVersionsResponse versions_page;
  CHECK(Call(&ModelRegistryService::Stub::ListModelVersions, versions,
             &versions_page) == grpc::StatusCode::INVALID_ARGUMENT);
  versions.set_parent("models/-");
  CHECK(Call(&ModelRegistryService::Stub::ListModelVersions, versions,
             &versions_page) == grpc::StatusCode::OK);
  ListAliasMovesRequest moves;
  ListAliasMovesResponse moves_page;
  moves.set_parent("models/-");
  CHECK(Call(&ModelRegistryService::Stub::ListAliasMoves, moves, &moves_page) ==
        grpc::StatusCode::INVALID_ARGUMENT);
  RollbackAliasRequest rollback;
  rollback.set_model("models/city");
  rollback.set_actor("ada");
  CHECK(Call(&ModelRegistryService::Stub::RollbackAlias, rollback, &model) ==
        grpc::StatusCode::NOT_FOUND);
}

TEST_CASE_METHOD(RegistryServiceTest, "Versions come in pages", "[service]") {
  AddVersions(3);
  ListModelVersionsRequest request;
  request.set_parent("models/city");
  request.set_page_size(2);
  ListModelVersionsResponse page;
  REQUIRE(Call(&ModelRegistryService::Stub::ListModelVersions, request,
               &page) == grpc::StatusCode::OK);
  REQUIRE(page.model_versions_size() == 2);
  CHECK(page.model_versions(0).name() == "models/city/versions/3");
  request.set_page_token(page.next_page_token());
  page.Clear();
  REQUIRE(Call(&ModelRegistryService::Stub::ListModelVersions, request,
               &page) == grpc::StatusCode::OK);
  REQUIRE(page.model_versions_size() == 1);
  CHECK(page.model_versions(0).name() == "models/city/versions/1");
  CHECK(page.next_page_token().empty());
}

TEST_CASE_METHOD(RegistryServiceTest,
                 "A move has its alias file when the caller is told",
                 "[service]") {
  AddVersions(2);
  Model model;
  PromoteModelVersionRequest promote;
  promote.set_actor("ada");
  for (const char* version : {"1", "2"}) {
    promote.set_name(std::string("models/city/versions/") + version);
    REQUIRE(Call(&ModelRegistryService::Stub::PromoteModelVersion, promote,
                 &model) == grpc::StatusCode::OK);
    const auto bundle = LoadTextProto<config::v1::ServingBundle>(
        registry_.AliasFile("models/city", "champion"));
    REQUIRE(bundle.ok());
    CHECK(bundle->model_version() == promote.name());
  }
  ListAliasMovesRequest request;
  request.set_parent("models/city");
  ListAliasMovesResponse moves;
  REQUIRE(Call(&ModelRegistryService::Stub::ListAliasMoves, request, &moves) ==
          grpc::StatusCode::OK);
  REQUIRE(moves.alias_moves_size() == 2);
  CHECK(moves.alias_moves(0).from_version() == "models/city/versions/1");
}

}  // namespace
}  // namespace larr
