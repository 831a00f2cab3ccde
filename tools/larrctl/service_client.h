// SPDX-License-Identifier: Apache-2.0
//
// The calls of one gRPC service, in the three shapes that they have: one
// answer, a list in pages, a stream.
//
//   const ServiceClient<EmbeddingService, Server::kEmbedding> client(session);
//   LARR_ASSIGN_OR_RETURN(
//       const RefreshJob job,
//       client.Call(&EmbeddingService::Stub::GetRefreshJob, request));
//
// Threads: one.
// Errors:  those of Client.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "tools/larrctl/client.h"

namespace larr::ctl {

template <typename Service, Server kServer>
class ServiceClient {
  using Stub = typename Service::Stub;
  template <typename Request, typename Response>
  using UnaryMethod = grpc::Status (Stub::*)(grpc::ClientContext*,
                                             const Request&, Response*);
  template <typename Request, typename Response>
  using StreamMethod = std::unique_ptr<grpc::ClientReader<Response>> (Stub::*)(
      grpc::ClientContext*, const Request&);

 public:
  explicit ServiceClient(const Session& session)
      : client_(session, kServer), stub_(Service::NewStub(client_.channel())) {}

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(UnaryMethod<Request, Response> method,
                                const Request& request) const {
    Response response;
    LARR_RETURN_IF_ERROR(client_.Call([&](grpc::ClientContext* context) {
      return (stub_.get()->*method)(context, request, &response);
    }));
    return response;
  }

  // The items of all pages, in one response without a token.
  template <typename Request, typename Response>
  absl::StatusOr<Response> ListAll(UnaryMethod<Request, Response> method,
                                   Request request) const {
    Response all;
    do {
      LARR_ASSIGN_OR_RETURN(const Response page, Call(method, request));
      all.MergeFrom(page);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    all.clear_next_page_token();
    return all;
  }

  // Passes each message of a stream to `visit`; returns the last one. A stream
  // that broke off is opened again with `request`, which `visit` may change.
  template <typename Request, typename Response, typename Visit>
  absl::StatusOr<Response> Stream(StreamMethod<Request, Response> method,
                                  const Request& request,
                                  const Visit& visit) const {
    Response last;
    LARR_RETURN_IF_ERROR(
        client_.Stream([&](grpc::ClientContext* context, bool& reached) {
          const auto reader = (stub_.get()->*method)(context, request);
          while (reader->Read(&last)) {
            reached = true;
            visit(last);
          }
          return reader->Finish();
        }));
    return last;
  }

 private:
  const Client client_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace larr::ctl
