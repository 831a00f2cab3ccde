// SPDX-License-Identifier: Apache-2.0
#include "common/base/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/base/file_descriptor.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr {

struct Sha256Stream::Context {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> of{
      EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256Stream::Sha256Stream() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->of.get(), EVP_sha256(), nullptr);
}

Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Update(std::string_view bytes) {
  EVP_DigestUpdate(context_->of.get(), bytes.data(), bytes.size());
}

std::string Sha256Stream::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int length = 0;
  EVP_DigestFinal_ex(context_->of.get(), digest.data(), &length);
  std::string hex;
  for (unsigned int i = 0; i < length; ++i)
    hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

absl::StatusOr<std::string> Sha256File(const std::filesystem::path& path,
                                       const StopCheck& stop) {
  const FileDescriptor file(path, O_RDONLY);
  if (!file.valid()) return ErrnoStatus("cannot open", path);
  Sha256Stream hash;
  std::string buffer(1 << 20, '\0');
  while (true) {
    LARR_RETURN_IF_ERROR(CheckStop(stop));
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus("cannot read", path);
    if (count == 0) return hash.Finish();
    hash.Update(std::string_view(buffer).substr(0, static_cast<size_t>(count)));
  }
}

}  // namespace larr
