// SPDX-License-Identifier: Apache-2.0
//
// Where a server listens, as settings name it.
#pragma once

#include <string>

namespace larr {

// Whether only this machine reaches the address: host:port with a host of
// 127.0.0.0/8, [::1] or `localhost`, or a Unix socket (`unix:PATH`).
bool IsLoopback(const std::string& address);

}  // namespace larr
