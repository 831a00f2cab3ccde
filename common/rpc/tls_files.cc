// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/tls_files.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <string_view>
#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::TlsConfig;

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

Bio Open(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// One file of the settings.
struct Source {
  std::string_view setting;
  const std::string& path;
};

absl::StatusOr<std::string> Read(const Source& source) {
  auto content = ReadFile(source.path);
  if (content.ok()) return content;
  return absl::Status(
      content.status().code(),
      fmt::format("server.tls.{}: {}; give a PEM file that this program may "
                  "read",
                  source.setting, std::string(content.status().message())));
}

absl::Status Wrong(const Source& source, std::string_view what) {
  ERR_clear_error();
  return Invalid("server.tls.{}: {} {}", source.setting, source.path, what);
}

// Reads all certificates of a file; returns the first one.
absl::StatusOr<Certificate> CheckCertificates(const Source& source,
                                              const std::string& pem) {
  const Bio bio = Open(pem);
  Certificate first(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (first == nullptr) {
    return Wrong(
        source,
        "holds no certificate; give PEM, which begins with `-----BEGIN "
        "CERTIFICATE-----`");
  }
  for (;;) {
    const Certificate next(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
  }
  // Anything but the end of the file is a certificate that is broken.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return Wrong(source,
                 "has a certificate that cannot be read; write the file anew, "
                 "aside, and rename it");
  }
  ERR_clear_error();
  return first;
}

absl::StatusOr<absl::Time> EndOf(const Source& source,
                                 const X509& certificate) {
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &end) != 1)
    return Wrong(source, "has a certificate without an end that can be read");
  return absl::FromTM(end, absl::UTCTimeZone());
}

int NoPassphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<Key> CheckKey(const Source& source, const std::string& pem) {
  Key key(
      PEM_read_bio_PrivateKey(Open(pem).get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return Wrong(source,
                 "holds no private key that can be read; give an unencrypted "
                 "one as PEM");
  }
  return key;
}

// What OpenSSL asks of a certificate at its level of security, before a server
// has it: keys that are long enough, and no signature by SHA-1.
absl::Status CheckStrength(const Source& source, X509& certificate) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate(context.get(), &certificate) == 1)
    return absl::OkStatus();
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return Wrong(source,
               fmt::format("has a certificate that OpenSSL refuses ({}); issue "
                           "one with a longer key and SHA-256",
                           reason == nullptr ? "no reason given" : reason));
}

}  // namespace

absl::StatusOr<TlsFiles> LoadTlsFiles(const TlsConfig& config) {
  const Source chain{"certificate_chain_file", config.certificate_chain_file()};
  const Source key{"private_key_file", config.private_key_file()};
  const Source cas{"client_ca_file", config.client_ca_file()};
  for (const Source& source : {chain, key}) {
    if (!source.path.empty()) continue;
    return Invalid(
        "server.tls.{} is empty; give a PEM file, or leave server.tls out",
        source.setting);
  }
  TlsFiles files;
  LARR_ASSIGN_OR_RETURN(files.certificate_chain, Read(chain));
  LARR_ASSIGN_OR_RETURN(files.private_key, Read(key));
  LARR_ASSIGN_OR_RETURN(const Certificate certificate,
                        CheckCertificates(chain, files.certificate_chain));
  LARR_RETURN_IF_ERROR(CheckStrength(chain, *certificate));
  LARR_ASSIGN_OR_RETURN(files.end, EndOf(chain, *certificate));
  LARR_ASSIGN_OR_RETURN(const Key private_key,
                        CheckKey(key, files.private_key));
  if (X509_check_private_key(certificate.get(), private_key.get()) != 1) {
    ERR_clear_error();
    return absl::FailedPreconditionError(fmt::format(
        "server.tls.private_key_file: {} is not the key of the first "
        "certificate in {}; give the pair that was issued together",
        key.path, chain.path));
  }
  if (!cas.path.empty()) {
    LARR_ASSIGN_OR_RETURN(files.client_cas, Read(cas));
    LARR_RETURN_IF_ERROR(CheckCertificates(cas, files.client_cas).status());
  }
  return files;
}

TlsFileWatch::TlsFileWatch(const TlsConfig& config) : config_(config) {
  for (const std::string& path :
       {config.certificate_chain_file(), config.private_key_file(),
        config.client_ca_file()}) {
    if (!path.empty()) watches_.emplace_back(path);
  }
}

absl::StatusOr<std::unique_ptr<TlsFileWatch>> TlsFileWatch::Open(
    const TlsConfig& config) {
  std::unique_ptr<TlsFileWatch> self(new TlsFileWatch(config));
  self->Changed();
  LARR_ASSIGN_OR_RETURN(self->current_, LoadTlsFiles(config));
  self->unread_ = false;
  self->end_ = self->current_->end;
  return self;
}

bool TlsFileWatch::Changed() {
  bool changed = false;
  for (FileWatch& watch : watches_) {
    const auto one = watch.Changed();
    changed |= one.ok() && *one;  // one that is gone is looked for again
  }
  return changed;
}

absl::Time TlsFileWatch::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

std::optional<TlsFiles> TlsFileWatch::Next() {
  const std::lock_guard lock(mutex_);
  unread_ |= Changed();
  if (unread_) {
    auto files = LoadTlsFiles(config_);
    unread_ = !files.ok();
    const std::string refusal(files.status().message());
    if (files.ok()) {
      current_ = *std::move(files);
      end_ = current_->end;
      spdlog::info("tls_files_loaded certificate={}",
                   config_.certificate_chain_file());
    } else if (refusal != refusal_) {
      spdlog::error("tls_files_refused reason=\"{}\"", refusal);
    }
    refusal_ = refusal;
  }
  return std::exchange(current_, std::nullopt);
}

}  // namespace larr
