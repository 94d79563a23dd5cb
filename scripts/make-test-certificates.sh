#!/usr/bin/env bash
# Makes the certificates of the tests anew: __test__/support/tls, read by __test__/support/certificates.js.
# Needs openssl 3. The keys of the authorities are not kept: whoever needs another certificate adds a
# line here and makes all of them.
set -euo pipefail
out=$(cd "$(dirname "${BASH_SOURCE[0]}")/../__test__/support/tls" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# No test is to fail because a year is over, except those about just that.
VALID=(20240101000000Z 20991231235959Z)
EXPIRED=(20200101000000Z 20210101000000Z)
FUTURE=(20980101000000Z 20991231235959Z)

cat >openssl.cnf <<'CONFIG'
[ca]
default_ca = any
[any]
new_certs_dir = .
database = index
default_md = sha256
policy = any_name
unique_subject = no
rand_serial = yes
[any_name]
commonName = optional
[req]
distinguished_name = req_name
[req_name]
CONFIG

ec_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:"${2:-P-256}" -out "$1.key"; }

# issue NAME SUBJECT ISSUER KEY EXTENSIONS FROM TO: NAME.crt for KEY.key, signed by ISSUER.
issue() {
  local name=$1 subject=$2 issuer=$3 key=$4 extensions=$5 from=$6 to=$7
  local signer=(-cert "$issuer.crt" -keyfile "$issuer.key")
  [ "$issuer" = itself ] && signer=(-selfsign -keyfile "$key.key")
  printf '%b\n' "$extensions" >extensions
  : >index
  openssl req -new -utf8 -config openssl.cnf -key "$key.key" -subj "$subject" -out request
  openssl ca -batch -notext -utf8 -config openssl.cnf "${signer[@]}" -in request \
    -extfile extensions -startdate "$from" -enddate "$to" -out "$name.crt" 2>log || {
    cat log >&2
    exit 1
  }
}

IDS='subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid'
CA="basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n$IDS"
LEAF="basicConstraints = CA:FALSE\nkeyUsage = critical, digitalSignature\n$IDS"
SERVER_ONLY="$LEAF\nextendedKeyUsage = serverAuth"
CLIENT_ONLY="$LEAF\nextendedKeyUsage = clientAuth"
LOCAL='subjectAltName = DNS:localhost, DNS:name.test, IP:127.0.0.1, IP:::1'
SERVER="$SERVER_ONLY\n$LOCAL"

# authority NAME SUBJECT ISSUER [EXTENSIONS] [FROM TO]
authority() {
  ec_key "$1"
  issue "$1" "/CN=$2" "$3" "$1" "${4:-$CA}" "${5:-${VALID[0]}}" "${6:-${VALID[1]}}"
}

# leaf NAME ISSUER EXTENSIONS [FROM TO]: for the key that leaves share
leaf() { issue "$1" "/CN=${cn:-$1}" "$2" leaf "$3" "${4:-${VALID[0]}}" "${5:-${VALID[1]}}"; }

ec_key leaf
ec_key mismatched

# ---- authorities
authority root 'hawser test root' itself
authority intermediate 'hawser test intermediate' root
authority other-root 'hawser test other root' itself
authority impostor 'hawser test root' itself # the name of root, another key
authority expired-root 'hawser test expired root' itself "$CA" "${EXPIRED[@]}"
authority expired-intermediate 'hawser test expired intermediate' root "$CA" "${EXPIRED[@]}"
authority not-ca 'hawser test no authority' root "$LEAF"
authority no-signing 'hawser test may not sign' root \
  "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, digitalSignature\n$IDS"
authority short 'hawser test short path' root "${CA/CA:TRUE/CA:TRUE, pathlen:0}"
authority too-deep 'hawser test too deep' short
authority constrained 'hawser test constrained' root "$CA\nnameConstraints = critical, permitted;DNS:allowed.test"

# ---- servers
leaf server intermediate "$SERVER"
leaf direct root "$SERVER"
leaf second root "$SERVER"
leaf self-signed itself "basicConstraints = critical, CA:TRUE\n$IDS\n$LOCAL"
leaf self-signed-leaf itself "$SERVER"
leaf other-name root "$SERVER_ONLY\nsubjectAltName = DNS:other.test, DNS:*.other.test"
leaf wildcard root "$SERVER_ONLY\nsubjectAltName = DNS:*.name.test"
leaf partial-wildcard root "$SERVER_ONLY\nsubjectAltName = DNS:a*.name.test"
leaf upper-case root "$SERVER_ONLY\nsubjectAltName = DNS:LOCALHOST, DNS:Name.Test"
leaf ip-only root "$SERVER_ONLY\nsubjectAltName = IP:127.0.0.1"
leaf uri-only root "$SERVER_ONLY\nsubjectAltName = URI:https://localhost/"
cn=localhost leaf cn-only root "$SERVER_ONLY"
cn=localhost leaf cn-and-san root "$SERVER_ONLY\nsubjectAltName = DNS:other.test"
cn=localhost leaf cn-and-ip root "$SERVER_ONLY\nsubjectAltName = IP:127.0.0.2"
cn=other.test leaf cn-other root "$SERVER_ONLY"
leaf expired root "$SERVER" "${EXPIRED[@]}"
leaf future root "$SERVER" "${FUTURE[@]}"
leaf of-expired-root expired-root "$SERVER"
leaf of-expired-intermediate expired-intermediate "$SERVER"
leaf of-other-root other-root "$SERVER"
leaf of-impostor impostor "$SERVER"
leaf of-not-ca not-ca "$SERVER"
leaf of-no-signing no-signing "$SERVER"
leaf of-too-deep too-deep "$SERVER"
leaf of-constrained constrained "$SERVER"
leaf no-usage root "$LEAF\n$LOCAL" # no extendedKeyUsage: for any use
leaf any-usage root "$LEAF\nextendedKeyUsage = anyExtendedKeyUsage\n$LOCAL"
leaf wrong-usage root "$CLIENT_ONLY\n$LOCAL"
leaf no-signature root "${SERVER/digitalSignature/keyAgreement}"
leaf critical root "$SERVER\n1.2.3.4 = critical, ASN1:UTF8String:unknown"
leaf version-1 root ''
expired_self=("basicConstraints = critical, CA:TRUE\n$IDS\n$LOCAL" "${EXPIRED[@]}")
leaf expired-self-signed itself "${expired_self[@]}"

# the last byte of the signature is another one
openssl x509 -in direct.crt -outform DER -out direct.der
size=$(stat -c %s direct.der)
last=$(tail -c 1 direct.der | od -An -tu1)
{
  head -c $((size - 1)) direct.der
  printf '%b' "\\x$(printf %02x $((last ^ 1)))"
} >bad.der
openssl x509 -inform DER -in bad.der -out bad-signature.crt

# other keys
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa-1024.key
openssl genpkey -quiet -algorithm ED25519 -out ed25519.key
ec_key p384 P-384
ec_key p521 P-521
for name in rsa rsa-1024 ed25519 p384 p521; do
  issue "$name" "/CN=$name" root "$name" "$SERVER" "${VALID[@]}"
done
sed -i 's/^default_md.*/default_md = sha1/' openssl.cnf
leaf sha1 root "$SERVER"
sed -i 's/^default_md.*/default_md = sha256/' openssl.cnf

# ---- clients
leaf client root "$CLIENT_ONLY"
leaf client-two root "$CLIENT_ONLY"
leaf client-of-intermediate intermediate "$CLIENT_ONLY"
leaf client-self-signed itself "$CLIENT_ONLY"
leaf client-unknown other-root "$CLIENT_ONLY"
leaf client-expired root "$CLIENT_ONLY" "${EXPIRED[@]}"
leaf client-future root "$CLIENT_ONLY" "${FUTURE[@]}"
leaf client-wrong-usage root "$SERVER_ONLY"

# ---- leaf.key and rsa.key in the other shapes in which keys come
openssl pkcs8 -topk8 -in leaf.key -v2 aes-256-cbc -passout pass:hawser -out leaf-pkcs8-encrypted.key
openssl ec -in leaf.key -out leaf-sec1.key 2>log
openssl ec -in leaf.key -aes128 -passout pass:hawser -out leaf-sec1-encrypted.key 2>log
openssl rsa -in rsa.key -traditional -out rsa-pkcs1.key 2>log
openssl rsa -in rsa.key -traditional -aes256 -passout pass:hawser -out rsa-pkcs1-encrypted.key 2>log
openssl pkcs12 -export -in client.crt -inkey leaf.key -passout pass:hawser -out client.pfx

rm -f "$out"/*
cp ./*.crt client.pfx leaf*.key rsa*.key ed25519.key p384.key p521.key mismatched.key "$out"
