// SPDX-License-Identifier: Apache-2.0
//
// The border between RocksDB and the rest of the code: its one translation of
// errors, the options that make a write an acknowledgement, and its silence.
//
// Threads:  all functions may be called from any thread.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <memory>
#include <string_view>

#include "absl/status/status.h"

namespace larr {

// What RocksDB said, as our status; `what` names the operation and the folder
// ("opening the run database /data/state").
//
// Errors:  kNotFound            the key or the database is not there
//          kDataLoss            stored bytes are damaged
//          kResourceExhausted   the disk is full
//          kUnavailable         the disk failed, or another process holds the
//                               database; retrying may help
//          kAborted             another write was first; start again
//          kInvalidArgument, kUnimplemented, kInternal   as RocksDB's own
absl::Status FromRocks(const rocksdb::Status& status, std::string_view what);

// Returns only after the write is on disk (WAL fsynced).
rocksdb::WriteOptions SyncedWrite();

// For `Options::info_log` of every database: no file `LOG`. On a full disk a
// line that cannot be written there ends the process by an assertion.
std::shared_ptr<rocksdb::Logger> NoInfoLog();

}  // namespace larr
