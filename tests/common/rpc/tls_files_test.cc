// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/tls_files.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "common/base/files.h"
#include "tests/testing/certificates.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::TlsConfig;

struct Pki {
  testing::TempDir dir;
  testing::CertificateAuthority ca{dir.path(), "ca"};
  testing::KeyPair server = ca.Issue("server", "DNS:localhost");
  testing::KeyPair other = ca.Issue("other", "DNS:localhost");

  TlsConfig Config() const {
    TlsConfig config;
    config.set_certificate_chain_file(server.certificate);
    config.set_private_key_file(server.key);
    config.set_client_ca_file(ca.certificate());
    return config;
  }
  std::string Write(const std::string& name, const std::string& text) const {
    REQUIRE(WriteFileAtomically(dir.path() / name, text).ok());
    return dir.path() / name;
  }
};

void Copy(const std::string& from, const std::string& to) {
  REQUIRE(WriteFileAtomically(to, *ReadFile(from)).ok());
}

}  // namespace

TEST_CASE("A pair of files and the CAs of clients are loaded", "[rpc]") {
  const Pki pki;
  const auto files = LoadTlsFiles(pki.Config());
  INFO(files.status().ToString());
  REQUIRE(files.ok());
  CHECK(files->certificate_chain == *ReadFile(pki.server.certificate));
  CHECK(files->private_key == *ReadFile(pki.server.key));
  CHECK(files->client_cas == *ReadFile(pki.ca.certificate()));
}

TEST_CASE("Files that are wrong are refused by setting and path", "[rpc]") {
  const Pki pki;
  const std::string certificate = *ReadFile(pki.server.certificate);
  const std::string half = certificate.substr(0, certificate.size() / 2);
  const std::string text = pki.Write("text", "not PEM\n");
  const std::string broken = pki.Write("broken", half);
  const std::string chain = pki.Write("chain", certificate + half);
  const std::string locked = pki.dir.path() / "locked";
  REQUIRE(std::system(("openssl ec -in " + pki.server.key +
                       " -aes256 -passout "
                       "pass:secret -out " +
                       locked + " 2>/dev/null")
                          .c_str()) == 0);
  const std::string weak = pki.dir.path() / "weak";
  REQUIRE(std::system(("openssl req -x509 -newkey rsa:1024 -nodes -subj "
                       "/CN=weak -keyout " +
                       weak + " -out " + weak + ".pem 2>/dev/null")
                          .c_str()) == 0);
  const struct {
    std::function<void(TlsConfig&)> change;
    const char* setting;
    std::string said;
  } cases[] = {
      {[](TlsConfig& c) { c.clear_certificate_chain_file(); },
       "certificate_chain_file", "is empty"},
      {[](TlsConfig& c) { c.clear_private_key_file(); }, "private_key_file",
       "is empty"},
      {[](TlsConfig& c) { c.set_private_key_file("/nowhere/key"); },
       "private_key_file", "/nowhere/key"},
      {[&](TlsConfig& c) { c.set_certificate_chain_file(text); },
       "certificate_chain_file", text + " holds no certificate"},
      {[&](TlsConfig& c) { c.set_certificate_chain_file(broken); },
       "certificate_chain_file", broken + " holds no certificate"},
      {[&](TlsConfig& c) { c.set_certificate_chain_file(chain); },
       "certificate_chain_file", chain + " has a certificate that cannot"},
      {[&](TlsConfig& c) {
         c.set_certificate_chain_file(weak + ".pem");
         c.set_private_key_file(weak);
       },
       "certificate_chain_file", "key too small"},
      {[&](TlsConfig& c) { c.set_private_key_file(text); }, "private_key_file",
       text + " holds no private key"},
      {[&](TlsConfig& c) { c.set_private_key_file(locked); },
       "private_key_file", "unencrypted"},
      {[&](TlsConfig& c) { c.set_private_key_file(pki.other.key); },
       "private_key_file", pki.other.key + " is not the key"},
      {[&](TlsConfig& c) { c.set_client_ca_file(pki.server.key); },
       "client_ca_file", "holds no certificate"},
  };
  for (const auto& [change, setting, said] : cases) {
    TlsConfig config = pki.Config();
    change(config);
    const absl::Status status = LoadTlsFiles(config).status();
    const std::string message(status.message());
    CAPTURE(setting, said, message);
    CHECK_FALSE(status.ok());
    CHECK_THAT(message, Catch::Contains(std::string("server.tls.") + setting) &&
                            Catch::Contains(said));
    CHECK_FALSE(TlsFileWatch::Open(config).ok());
  }
}

TEST_CASE("Of replaced files those are given out that are right", "[rpc]") {
  const Pki pki;
  const auto watch = TlsFileWatch::Open(pki.Config());
  REQUIRE(watch.ok());
  CHECK((*watch)->Next().has_value());
  CHECK_FALSE((*watch)->Next().has_value());

  Copy(pki.other.certificate, pki.server.certificate);  // not of this key
  CHECK_FALSE((*watch)->Next().has_value());
  CHECK_FALSE((*watch)->Next().has_value());
  std::filesystem::remove(pki.server.key);
  CHECK_FALSE((*watch)->Next().has_value());
  Copy(pki.other.key, pki.server.key);
  const auto files = (*watch)->Next();
  REQUIRE(files.has_value());
  CHECK(files->private_key == *ReadFile(pki.other.key));
  CHECK_FALSE((*watch)->Next().has_value());

  Copy(pki.other.certificate, pki.ca.certificate());
  CHECK((*watch)->Next().has_value());
}

}  // namespace larr
