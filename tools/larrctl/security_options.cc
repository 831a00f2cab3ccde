// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/security_options.h"

namespace larr::ctl {

void AddSecurityOptions(CLI::App& app, ClientSecurity& security) {
  app.add_option("--tls-ca", security.ca_file,
                 "PEM file of the CA of the servers; makes it TLS")
      ->envname("LARR_TLS_CA");
  app.add_option("--tls-cert", security.certificate_file,
                 "PEM file of your certificate, where servers ask for one")
      ->envname("LARR_TLS_CERT");
  app.add_option("--tls-key", security.key_file, "PEM file of its private key")
      ->envname("LARR_TLS_KEY");
  app.add_option("--tls-name", security.server_name,
                 "Name in the server's certificate, where it is not its host")
      ->envname("LARR_TLS_NAME");
  app.add_option("--token-file", security.token_file,
                 "File whose first line is your bearer token")
      ->envname("LARR_TOKEN_FILE");
}

}  // namespace larr::ctl
