// SPDX-License-Identifier: Apache-2.0
//
// A file as memory: bytes are read when they are touched, and the system may
// take their pages back at any time, since the file still has them. How files
// of weights are read without being held twice.
//
// Ownership:  a pointer into bytes() is valid as long as the MappedFile; shared
//             by the tensors that lie on it. Writing changes private pages,
//             never the file.
// Threads:    const methods may be called concurrently.
// Errors:     those of files.h; kDataLoss: the file is empty
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <filesystem>
#include <memory>

namespace larr {

class MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(
      const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  char* bytes() const { return bytes_; }
  size_t size() const { return size_; }

  // Gives the memory of [begin, begin + bytes) back, where it lies within the
  // file; read again, it is what the file holds. REQUIRES: nobody wrote there
  void Forget(const void* begin, size_t bytes) const;

 private:
  MappedFile(char* bytes, size_t size) : bytes_(bytes), size_(size) {}
  char* const bytes_;
  const size_t size_;
};

}  // namespace larr
