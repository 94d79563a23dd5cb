'use strict';

// A wss: server with a certificate by host, and a client that trusts it.
//
//   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
//     -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem
//   node examples/secure.js cert.pem key.pem

const fs = require('node:fs');
const { WebSocket, WebSocketServer } = require('..');

const [certFile, keyFile] = process.argv.slice(2);
if (keyFile === undefined) {
  console.error('usage: node examples/secure.js CERT.pem KEY.pem');
  process.exit(1);
}
const cert = fs.readFileSync(certFile);
const key = fs.readFileSync(keyFile);

const wss = new WebSocketServer({ port: 0, cert, key });
wss.on('tlsClientError', (err, { remoteAddress }) => console.error(remoteAddress, err.message));
wss.on('connection', (ws, req) => {
  console.log(`server: ${req.socket.getProtocol()}, ${req.socket.getCipher().name}`);
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
wss.on('listening', () => {
  const client = new WebSocket(`wss://localhost:${wss.address().port}`, { ca: cert });
  client.on('open', () => client.send('hello'));
  client.on('message', (data) => {
    console.log(`client: ${data}, from ${client._socket.getPeerCertificate().subject.CN}`);
    client.close();
  });
  client.on('close', () => wss.close());
});
