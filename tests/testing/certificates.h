// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests, made by the program `openssl` as an operator makes
// them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace larr::testing {

// Paths of PEM files.
struct KeyPair {
  std::string certificate;
  std::string key;
};

class CertificateAuthority {
 public:
  // Writes NAME.pem and NAME.key.
  CertificateAuthority(std::filesystem::path folder, const std::string& name)
      : folder_(std::move(folder)),
        own_(Make(name, "-addext basicConstraints=critical,CA:TRUE")) {}

  const std::string& certificate() const { return own_.certificate; }

  // Writes FILE.pem and FILE.key, for the common name FILE. `alternatives`:
  // e.g. `DNS:localhost,IP:127.0.0.1`.
  KeyPair Issue(const std::string& file, const std::string& alternatives,
                int days = 2) const {
    return Make(
        file,
        "-CA " + own_.certificate + " -CAkey " + own_.key +
            " -addext basicConstraints=CA:FALSE -addext subjectAltName=" +
            alternatives,
        days);
  }

 private:
  KeyPair Make(const std::string& name, const std::string& options,
               int days = 2) const {
    const KeyPair pair = {folder_ / (name + ".pem"), folder_ / (name + ".key")};
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days " +
        std::to_string(days) + " -subj /CN=" + name + " -keyout " + pair.key +
        " -out " + pair.certificate + " " + options + " 2>" +
        (folder_ / "openssl.log").string();
    if (std::system(command.c_str()) != 0) {
      throw std::runtime_error("failed: " + command);
    }
    return pair;
  }

  const std::filesystem::path folder_;
  const KeyPair own_;
};

}  // namespace larr::testing
