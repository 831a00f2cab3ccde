// SPDX-License-Identifier: Apache-2.0
//
// Whether a server can do yet what it is there for. A program that cannot from
// its start hands one to its GrpcServer: the health service says NOT_SERVING
// until Set, SERVING from then to the drain.
//
// Ownership:  outlives the server; borrows its health service until the drain.
// Threads:    safe.
#pragma once

#include <grpcpp/health_check_service_interface.h>

#include <mutex>

namespace larr {

class Readiness {
 public:
  // For good: a server that was ready stays so. May be called again, before
  // the server's start and after its drain, too.
  void Set();

  // For GrpcServer: tells this health service, from now on, of all the names
  // that it knows; null: none any more.
  void Attach(grpc::HealthCheckServiceInterface* health);

 private:
  std::mutex mutex_;
  bool ready_ = false;
  grpc::HealthCheckServiceInterface* health_ = nullptr;
};

}  // namespace larr
