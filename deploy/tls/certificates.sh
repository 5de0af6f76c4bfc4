#!/bin/sh
# Makes an authority of this deployment and a certificate for each server, in volumes of deploy/compose.tls.yaml. What is
# there and good for 90 more days stays. An office with an authority of its own puts its files in their places instead:
# /authority/authority.pem, /postgres/server.{pem,key}, and /kafka/server.pem with key and certificate.
set -eu
umask 077
days_left=$((90 * 86400))
if [ ! -s /private/authority.key ]; then
  openssl ecparam -name prime256v1 -genkey -noout -out /private/authority.key
  openssl req -x509 -new -key /private/authority.key -days 3650 -subj "/CN=huiying" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" -out /private/authority.pem
fi
install --mode 644 /private/authority.pem /authority/authority.pem
for name in postgres kafka; do
  if [ -s "/private/$name.pem" ] && openssl x509 -checkend "$days_left" -noout -in "/private/$name.pem"; then
    continue
  fi
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "/private/$name.key"
  openssl req -new -key "/private/$name.key" -subj "/CN=$name" -out "/private/$name.csr"
  cat >/private/extensions <<END
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:$name,DNS:localhost
END
  openssl x509 -req -in "/private/$name.csr" -days 730 -extfile /private/extensions -out "/private/$name.pem" \
    -CA /private/authority.pem -CAkey /private/authority.key -CAcreateserial
  echo "made a certificate for $name; restart it"
done
install --mode 644 /private/postgres.pem /postgres/server.pem
install --owner postgres --mode 600 /private/postgres.key /postgres/server.key
# Only the broker mounts this volume, and its user's number is not known here.
cat /private/kafka.key /private/kafka.pem >/kafka/server.pem
chmod 644 /kafka/server.pem
