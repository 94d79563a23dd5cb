#!/bin/sh
# Makes the certificates of the tests anew, valid for 100 years. The key of the authority is thrown away.
set -eu
cd "$(dirname "$0")/certificates"
rm -f ./*.pem ./*.pfx

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1-key.pem"; }

# self_signed NAME SUBJECT EXTENSION...
self_signed() {
  name=$1 subject=$2
  shift 2
  key "$name"
  openssl req -x509 -new -key "$name-key.pem" -subj "$subject" -days 36500 "$@" -out "$name.pem"
}

# signed NAME SUBJECT EXTENSION
signed() {
  key "$1"
  openssl req -new -key "$1-key.pem" -subj "$2" -addext "$3" |
    openssl x509 -req -CA ca.pem -CAkey ca-key.pem -days 36500 -copy_extensions copyall -out "$1.pem"
}

self_signed ca '/CN=hawser test authority'
self_signed self-signed '/CN=self-signed' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1'
signed server '/CN=server' 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:name.test'
signed other-name '/CN=other' 'subjectAltName=DNS:other.test'
signed client '/CN=client' 'extendedKeyUsage=clientAuth'
openssl pkcs12 -export -inkey client-key.pem -in client.pem -passout pass:hawser -out client.pfx
rm ca-key.pem
