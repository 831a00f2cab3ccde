// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace larr {

bool IsLoopback(const std::string& address) {
  if (address.starts_with("unix:")) return true;
  const std::string host = address.substr(0, address.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  in_addr ip = {};
  return inet_pton(AF_INET, host.c_str(), &ip) == 1 &&
         ntohl(ip.s_addr) >> 24 == 127;
}

}  // namespace larr
