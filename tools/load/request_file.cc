// SPDX-License-Identifier: Apache-2.0
#include "tools/load/request_file.h"

#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <cerrno>
#include <string>

#include "common/base/file_descriptor.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::load {

using google::protobuf::io::FileInputStream;
using google::protobuf::io::StringOutputStream;
using scoring::v1::ScoreRequest;

absl::StatusOr<std::vector<ScoreRequest>> ReadRequests(
    const std::filesystem::path& path) {
  const FileDescriptor file(path, O_RDONLY);
  if (!file.valid()) return ErrnoStatus("cannot open", path);
  FileInputStream stream(file.get());
  std::vector<ScoreRequest> requests;
  while (true) {
    ScoreRequest request;
    bool at_end = false;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(
            &request, &stream, &at_end)) {
      if (stream.GetErrno() != 0) {
        errno = stream.GetErrno();
        return ErrnoStatus("cannot read", path);
      }
      if (at_end && !requests.empty()) return requests;
      return absl::InvalidArgumentError(
          at_end ? fmt::format("{} has no requests", path.string())
                 : fmt::format(
                       "{}: request {} is cut off, or no ScoreRequest after "
                       "its length as a varint; --write-requests writes such a "
                       "file",
                       path.string(), requests.size() + 1));
    }
    requests.push_back(std::move(request));
  }
}

absl::Status WriteRequests(const std::filesystem::path& path,
                           std::span<const ScoreRequest> requests) {
  return WriteFileAtomically(path, [&](const AppendBytes& append) {
    for (const ScoreRequest& request : requests) {
      std::string bytes;
      {
        StringOutputStream stream(&bytes);
        google::protobuf::util::SerializeDelimitedToZeroCopyStream(request,
                                                                   &stream);
      }
      LARR_RETURN_IF_ERROR(append(bytes));
    }
    return absl::OkStatus();
  });
}

}  // namespace larr::load
