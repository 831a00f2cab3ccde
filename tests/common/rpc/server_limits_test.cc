// SPDX-License-Identifier: Apache-2.0
//
// Clients that misbehave, over real sockets.
#include "common/rpc/server_limits.h"

#include <arpa/inet.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/create_channel.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/rpc/grpc_server.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "tests/testing/program.h"

namespace larr {
namespace {

using config::v1::ServerConfig;
using scoring::v1::GetServingStateRequest;
using scoring::v1::ScoringService;
using scoring::v1::ServingState;
using Clock = std::chrono::steady_clock;

// What HTTP/2 begins with: the preface and empty settings.
constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);

// Answers with some bytes, late where it is held; counts calls at once.
class SomeService : public ScoringService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetServingState(
      grpc::CallbackServerContext* context, const GetServingStateRequest*,
      ServingState* state) override {
    state->set_snapshot(std::string(answer_bytes, 'x'));
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex_);
    if (hold) {
      held_.push_back(reactor);
    } else {
      reactor->Finish(grpc::Status::OK);
    }
    return reactor;
  }
  size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    hold = false;
    for (auto* reactor : held_) reactor->Finish(grpc::Status::OK);
    held_.clear();
  }

  size_t answer_bytes = 1;
  bool hold = false;

 private:
  std::mutex mutex_;
  std::vector<grpc::ServerUnaryReactor*> held_;
};

// A plain TCP connection, that does as it is told.
class Connection {
 public:
  explicit Connection(const std::string& address)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(
        std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0);
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Send(std::string_view bytes) const {
    REQUIRE(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // Reads until the server closes; false if it does not in time.
  bool IsClosedWithin(std::chrono::milliseconds limit) const {
    const auto end = Clock::now() + limit;
    char buffer[4096];
    while (Clock::now() < end) {
      pollfd events = {fd_, POLLIN, 0};
      if (poll(&events, 1, 20) == 0) continue;
      if (read(fd_, buffer, sizeof(buffer)) <= 0) return true;
    }
    return false;
  }

 private:
  const int fd_;
};

std::unique_ptr<GrpcServer> Serve(SomeService& service, ServerConfig config) {
  config.set_listen("127.0.0.1:0");
  auto server = GrpcServer::Start(config, {.services = {&service}});
  REQUIRE(server.ok());
  return *std::move(server);
}

std::shared_ptr<grpc::Channel> Dial(const GrpcServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(
      server.address(), grpc::InsecureChannelCredentials(), arguments);
}

grpc::Status Call(ScoringService::Stub& stub, const std::string& header = "") {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  if (!header.empty()) context.AddMetadata("larr-test", header);
  ServingState state;
  return stub.GetServingState(&context, {}, &state);
}

// A frame that begins a call of GetServingState on a stream, and, in another,
// its empty request. Without Huffman codes.
std::string CallFrame(char stream) {
  std::string block;
  const auto add = [&block](std::string_view name, std::string_view value) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  };
  add(":method", "POST");
  add(":scheme", "http");
  add(":path", "/larr.scoring.v1.ScoringService/GetServingState");
  add(":authority", "x");
  add("content-type", "application/grpc");
  add("te", "trailers");
  REQUIRE(block.size() < 256);
  const char size = static_cast<char>(block.size());
  return std::string({0, 0, size, 1, 4, 0, 0, 0, stream}) + block;
}
std::string RequestFrame(char stream) {
  return {0, 0, 5, 0, 1, 0, 0, 0, stream, 0, 0, 0, 0, 0};
}

// Bytes of this process that are in memory.
int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

constexpr std::chrono::milliseconds kSoon(10'000);

// Of a connection that nobody uses; 10,000 of them must fit.
#ifdef __SANITIZE_ADDRESS__
constexpr int64_t kMostIdleBytes = 400'000;
#else
constexpr int64_t kMostIdleBytes = 50'000;
#endif

}  // namespace

TEST_CASE("A client that is gone without a word is found out", "[rpc]") {
  ServerConfig config;
  config.mutable_limits()->set_keepalive_ms(100);
  config.mutable_limits()->set_keepalive_timeout_ms(200);
  SomeService service;
  const auto server = Serve(service, config);
  const Connection mute(server->address());  // says nothing at all
  const Connection gone(server->address());  // began, then never answers
  gone.Send(kPreface);
  gone.Send(kSettings);
  const Connection half(server->address());  // amid the first words
  half.Send(kPreface.substr(0, 10));
  const Connection cut(server->address());  // amid the headers of a call
  cut.Send(kPreface);
  cut.Send(kSettings);
  cut.Send(CallFrame(1).substr(0, 50));
  const Connection unasked(server->address());  // before the request
  unasked.Send(kPreface);
  unasked.Send(kSettings);
  unasked.Send(CallFrame(1));
  for (const Connection* one : {&mute, &gone, &half, &cut, &unasked}) {
    CHECK(one->IsClosedWithin(kSoon));
  }
  // One that answers is asked many times and stays.
  config.mutable_limits()->set_keepalive_timeout_ms(10'000);
  SomeService patient;
  const auto patient_server = Serve(patient, config);
  const auto channel = Dial(*patient_server);
  const auto stub = ScoringService::NewStub(channel);
  CHECK(Call(*stub).ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  CHECK(channel->GetState(false) == GRPC_CHANNEL_READY);
}

TEST_CASE("Idle and old connections are closed, and clients come back",
          "[rpc]") {
  ServerConfig config;
  SECTION("idle") { config.mutable_limits()->set_max_connection_idle_ms(200); }
  SECTION("old") { config.mutable_limits()->set_max_connection_age_ms(200); }
  SomeService service;
  const auto server = Serve(service, config);
  const auto channel = Dial(*server);
  const auto stub = ScoringService::NewStub(channel);
  CHECK(Call(*stub).ok());
  CHECK(testing::Eventually(
      [&] { return channel->GetState(false) != GRPC_CHANNEL_READY; }));
  CHECK(Call(*stub).ok());
}

TEST_CASE("A connection has so many calls at once", "[rpc]") {
  ServerConfig config;
  config.mutable_limits()->set_max_concurrent_streams(2);
  SomeService service;
  service.hold = true;
  const auto server = Serve(service, config);
  const auto stub = ScoringService::NewStub(Dial(*server));
  std::mutex mutex;
  int ok = 0;
  grpc::ClientContext contexts[5];
  ServingState states[5];
  const GetServingStateRequest request;
  for (int i = 0; i < 5; ++i) {
    stub->async()->GetServingState(&contexts[i], &request, &states[i],
                                   [&](const grpc::Status& status) {
                                     const std::lock_guard lock(mutex);
                                     ok += status.ok() ? 1 : 0;
                                   });
  }
  CHECK(testing::Eventually([&] { return service.held() == 2; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(service.held() == 2);
  service.Release();
  CHECK(testing::Eventually([&] {
    const std::lock_guard lock(mutex);
    return ok == 5;
  }));
}

TEST_CASE("Headers beyond the limit fail the call", "[rpc]") {
  SomeService service;
  const auto server = Serve(service, {});
  const auto stub = ScoringService::NewStub(Dial(*server));
  CHECK(Call(*stub, std::string(4000, 'h')).ok());
  const grpc::Status large = Call(*stub, std::string(9000, 'h'));
  CAPTURE(large.error_message());
  CHECK(large.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  // It may have taken its connection along.
  CHECK(testing::Eventually([&] { return Call(*stub).ok(); }));
}

TEST_CASE("Messages beyond the limit fail the call", "[rpc]") {
  ServerConfig config;
  config.set_max_message_bytes(10'000);
  SomeService service;
  const auto server = Serve(service, config);
  const auto stub = ScoringService::NewStub(Dial(*server));
  const auto call = [&](size_t bytes) {
    grpc::ClientContext context;
    // A field that the service does not know is of the message, too.
    GetServingStateRequest request;
    request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(
        1000, std::string(bytes, 'x'));
    ServingState state;
    return stub->GetServingState(&context, request, &state).error_code();
  };
  CHECK(call(9'000) == grpc::StatusCode::OK);
  CHECK(call(11'000) == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(call(9'000) == grpc::StatusCode::OK);
}

TEST_CASE("Many idle connections cost little and disturb nobody", "[rpc]") {
  SomeService service;
  const auto server = Serve(service, {});
  const auto stub = ScoringService::NewStub(Dial(*server));
  REQUIRE(Call(*stub).ok());
  const int64_t before = ResidentBytes();
  std::vector<std::unique_ptr<Connection>> idle;
  for (int i = 0; i < 500; ++i) {
    idle.push_back(std::make_unique<Connection>(server->address()));
    idle.back()->Send(kPreface);
    idle.back()->Send(kSettings);
  }
  const auto begun = Clock::now();
  for (int i = 0; i < 100; ++i) REQUIRE(Call(*stub).ok());
  CHECK(Clock::now() - begun < std::chrono::seconds(10));
  const int64_t each = (ResidentBytes() - before) / std::ssize(idle);
  CAPTURE(each);
  CHECK(each < kMostIdleBytes);
}

TEST_CASE("A client that does not read what it asked for is closed", "[rpc]") {
  ServerConfig config;
  config.mutable_limits()->set_keepalive_ms(100);
  config.mutable_limits()->set_keepalive_timeout_ms(300);
  SomeService service;
  service.answer_bytes = 1 << 20;
  const auto server = Serve(service, config);
  const Connection slow(server->address());
  slow.Send(kPreface);
  slow.Send(kSettings);
  const int64_t before = ResidentBytes();
  for (int i = 0; i < 50; ++i) {
    const char id = static_cast<char>(2 * i + 1);
    slow.Send(CallFrame(id));
    slow.Send(RequestFrame(id));
  }
  // Others are served meanwhile, and what was kept for it goes.
  const auto stub = ScoringService::NewStub(Dial(*server));
  CHECK(Call(*stub).ok());
  CHECK(slow.IsClosedWithin(kSoon));
  CHECK(Call(*stub).ok());
  CHECK(ResidentBytes() < before + (int64_t{200} << 20));
}

TEST_CASE("A client that begins calls and sends no request holds up nobody",
          "[rpc]") {
  SomeService service;
  const auto server = Serve(service, {});
  const int64_t before = ResidentBytes();
  std::vector<std::unique_ptr<Connection>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<Connection>(server->address()));
    slow.back()->Send(kPreface);
    slow.back()->Send(kSettings);
    for (int call = 0; call < 50; ++call) {
      slow.back()->Send(CallFrame(static_cast<char>(2 * call + 1)));
    }
    // Some have begun with the last one's.
    if (i % 2) slow.back()->Send(RequestFrame(99).substr(0, 11));
  }
  const auto stub = ScoringService::NewStub(Dial(*server));
  for (int i = 0; i < 100; ++i) REQUIRE(Call(*stub).ok());
  CHECK(ResidentBytes() < before + (int64_t{200} << 20));
  slow.clear();
  CHECK(Call(*stub).ok());
}

TEST_CASE("Limits below zero are refused by name", "[rpc]") {
  const char* const names[] = {"keepalive_ms", "max_memory_bytes",
                               "max_threads"};
  for (const char* name : names) {
    CAPTURE(name);
    ServerConfig config;
    auto& limits = *config.mutable_limits();
    const auto* field = limits.GetDescriptor()->FindFieldByName(name);
    REQUIRE(field != nullptr);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_INT64) {
      limits.GetReflection()->SetInt64(&limits, field, -1);
    } else {
      limits.GetReflection()->SetInt32(&limits, field, -1);
    }
    const absl::Status status = CheckLimits(config);
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(name));
  }
  ServerConfig config;
  config.set_drain_seconds(-1);
  CHECK_THAT(CheckLimits(config).ToString(), Catch::Contains("drain_seconds"));
  config.set_drain_seconds(0);
  CHECK(CheckLimits(config).ok());
  config.set_max_message_bytes(-1);
  CHECK_THAT(CheckLimits(config).ToString(),
             Catch::Contains("max_message_bytes"));
}

TEST_CASE("Defaults are those that the settings document", "[rpc]") {
  ServerConfig config;
  CHECK(MaxMessageBytes(config) == 4 << 20);
  CHECK(DrainTime(config) == std::chrono::seconds(10));
  config.set_max_message_bytes(1000);
  config.set_drain_seconds(3);
  CHECK(MaxMessageBytes(config) == 1000);
  CHECK(DrainTime(config) == std::chrono::seconds(3));
}

}  // namespace larr
