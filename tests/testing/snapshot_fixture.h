// SPDX-License-Identifier: Apache-2.0
//
// Text ids, vectors and small snapshots for tests.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/snapshot.h"
#include "common/store/snapshot_builder.h"

namespace larr::testing {

// A text id that depends on `n` alone and looks like a hash.
inline std::string IdOf(uint64_t n) {
  std::mt19937_64 random(n);
  std::string id(kTextIdBytes, '\0');
  const uint64_t words[] = {random(), random()};
  std::memcpy(id.data(), words, sizeof(words));
  return id;
}

// A vector that depends on `n` alone; its elements are exact in bf16.
inline std::vector<float> VectorOf(uint64_t n, int dim) {
  std::mt19937 random(static_cast<uint32_t>(n));
  std::vector<float> vector(dim);
  for (float& value : vector) {
    value = static_cast<float>(static_cast<int>(random() % 255) - 127) / 64;
  }
  return vector;
}

inline storage::v1::SnapshotInfo InfoOf(const std::string& fingerprint,
                                        int dim) {
  storage::v1::SnapshotInfo info;
  info.set_embedder_fingerprint(fingerprint);
  info.set_dim(dim);
  return info;
}

// Adds texts `numbers` in one call.
inline absl::Status AddTexts(SnapshotBuilder& builder,
                             const std::vector<uint64_t>& numbers, int dim) {
  std::vector<std::string> ids;
  std::vector<float> vectors;
  for (const uint64_t n : numbers) {
    ids.push_back(IdOf(n));
    const auto vector = VectorOf(n, dim);
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  return builder.AddVectors(views, vectors, static_cast<int64_t>(ids.size()));
}

// The vector of a text's id; empty if the snapshot lacks it.
inline std::vector<float> ReadVector(const Snapshot& snapshot,
                                     std::string_view id) {
  std::vector<float> vector(snapshot.dim());
  uint8_t present = 0;
  snapshot.ReadVectors({&id, 1}, vector, {&present, 1}).value();
  return present ? vector : std::vector<float>{};
}

// The vector of text `n`; empty if the snapshot lacks it.
inline std::vector<float> ReadText(const Snapshot& snapshot, uint64_t n) {
  return ReadVector(snapshot, IdOf(n));
}

// Changes one byte in the middle of a database's biggest file of values, which
// it returns.
inline std::filesystem::path FlipByte(const std::filesystem::path& folder) {
  std::filesystem::path biggest;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".sst") continue;
    if (biggest.empty() ||
        entry.file_size() > std::filesystem::file_size(biggest)) {
      biggest = entry.path();
    }
  }
  std::fstream file(biggest, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle =
      static_cast<std::streamoff>(std::filesystem::file_size(biggest) / 2);
  file.seekg(middle);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(middle);
  file.put(byte);
  return biggest;
}

}  // namespace larr::testing
