// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "common/base/file_descriptor.h"
#include "common/base/files.h"

namespace larr {

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(
    const std::filesystem::path& path) {
  const FileDescriptor fd(path, O_RDONLY);
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0)
    return ErrnoStatus("cannot open", path);
  if (info.st_size == 0) {
    return absl::DataLossError(
        fmt::format("{}: is empty; copy or download it again", path.string()));
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* bytes = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (bytes == MAP_FAILED) return ErrnoStatus("cannot map", path);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<char*>(bytes), size));
}

MappedFile::~MappedFile() { munmap(bytes_, size_); }

void MappedFile::Forget(const void* begin, size_t bytes) const {
  const auto file = reinterpret_cast<uintptr_t>(bytes_);
  const auto from = reinterpret_cast<uintptr_t>(begin);
  if (from < file || from + bytes > file + size_) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  // Pages that are shared with what lies before and after stay.
  const uintptr_t first = (from + page - 1) / page * page;
  const uintptr_t last = (from + bytes) / page * page;
  if (first < last)
    madvise(bytes_ + (first - file), last - first, MADV_DONTNEED);
}

}  // namespace larr
