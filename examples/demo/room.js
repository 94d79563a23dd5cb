'use strict';

const MAX_PEOPLE = 200;
const MAX_NAME = 24;
const MAX_TEXT = 500;
const HISTORY = 50;
// Statistics are worthless when late: a slow client misses some.
const STATS_HIGH_WATER = 64 * 1024;
// Chat lines must not be lost: a client that falls this far behind has to connect again.
const CHAT_HIGH_WATER = 1024 * 1024;
const HEARTBEAT_MS = 30_000;
const MESSAGES_PER_SECOND = 20;

/** The chat room. Each message, either way, is a JSON object with a `type`. */
class Room {
  constructor(loadRunner, stats) {
    this._loadRunner = loadRunner;
    this._stats = stats;
    this._people = new Map(); // WebSocket -> person
    this._history = [];
    this._heartbeat = setInterval(() => this._dropDead(), HEARTBEAT_MS);
  }

  add(ws) {
    if (this._people.size >= MAX_PEOPLE) {
      ws.close(1013, 'the room is full');
      return;
    }
    const person = {
      name: null,
      isAlive: true,
      tokens: MESSAGES_PER_SECOND,
      refilledAt: Date.now()
    };
    this._people.set(ws, person);
    ws.on('pong', () => (person.isAlive = true));
    ws.on('message', (data, isBinary) => this._onMessage(ws, person, data, isBinary));
    ws.on('close', () => this._onClose(ws, person));
  }

  /** Sends `sample` to everybody who keeps up. */
  pushStats(sample) {
    const json = JSON.stringify(sample);
    for (const ws of this._people.keys()) {
      if (ws.bufferedAmount < STATS_HIGH_WATER) ws.send(json);
    }
  }

  stop() {
    clearInterval(this._heartbeat);
  }

  _onMessage(ws, person, data, isBinary) {
    this._stats.messages++;
    if (!takeToken(person)) {
      ws.close(1008, 'too many messages');
      return;
    }
    const message = isBinary ? null : parseObject(data);
    switch (message?.type) {
      case 'ping':
        // Sent back as it came: the page compares it with its own clock.
        if (Number.isFinite(message.at)) this._send(ws, { type: 'pong', at: message.at });
        break;
      case 'join':
        this._join(ws, person, message.name);
        break;
      case 'say':
        this._say(ws, person, message.text);
        break;
      case 'load-start':
        this._startLoad(ws, message);
        break;
      case 'load-stop':
        this._loadRunner.stop();
        break;
      default:
        ws.close(1003, 'not understood');
    }
  }

  _join(ws, person, wanted) {
    const name = tidy(wanted, MAX_NAME);
    if (!name) return this._refuse(ws, 'Please give a name.');
    if (name === person.name) return;
    if (this._names().includes(name)) return this._refuse(ws, `The name ${name} is taken.`);
    const before = person.name;
    person.name = name;
    this._send(ws, {
      type: 'welcome',
      name,
      isRename: Boolean(before),
      history: before ? [] : this._history
    });
    const text = before ? `${before} is now ${name}` : `${name} joined`;
    this._broadcast({ type: 'notice', text, people: this._names() });
  }

  _say(ws, person, wanted) {
    const text = tidy(wanted, MAX_TEXT);
    if (!person.name) return this._refuse(ws, 'Please join first.');
    if (!text) return;
    const line = { type: 'said', name: person.name, text, time: Date.now() };
    this._history.push(line);
    if (this._history.length > HISTORY) this._history.shift();
    this._broadcast(line);
  }

  _startLoad(ws, message) {
    const problem = this._loadRunner.start(message);
    if (problem) this._refuse(ws, problem);
  }

  _onClose(ws, person) {
    this._people.delete(ws);
    if (!person.name) return;
    this._broadcast({ type: 'notice', text: `${person.name} left`, people: this._names() });
  }

  _names() {
    return [...this._people.values()].map((person) => person.name).filter(Boolean);
  }

  _refuse(ws, text) {
    this._send(ws, { type: 'refused', text });
  }

  _send(ws, message) {
    ws.send(JSON.stringify(message));
    if (ws.bufferedAmount > CHAT_HIGH_WATER) ws.terminate();
  }

  _broadcast(message) {
    const json = JSON.stringify(message);
    for (const [ws, { name }] of this._people) {
      if (!name) continue;
      ws.send(json);
      if (ws.bufferedAmount > CHAT_HIGH_WATER) ws.terminate();
    }
  }

  /** A peer that vanished without a close (a laptop that fell asleep) answers no ping. */
  _dropDead() {
    for (const [ws, person] of this._people) {
      if (!person.isAlive) {
        ws.terminate();
        continue;
      }
      person.isAlive = false;
      ws.ping();
    }
  }
}

function takeToken(person) {
  const now = Date.now();
  const refill = ((now - person.refilledAt) / 1000) * MESSAGES_PER_SECOND;
  person.tokens = Math.min(MESSAGES_PER_SECOND, person.tokens + refill);
  person.refilledAt = now;
  if (person.tokens < 1) return false;
  person.tokens--;
  return true;
}

function parseObject(data) {
  try {
    const value = JSON.parse(data);
    return value !== null && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** One line of at most `limit` characters without control characters, or '' if `value` is no text. */
function tidy(value, limit) {
  if (typeof value !== 'string') return '';
  const line = value.replace(/\p{C}+/gu, ' ').trim();
  return Array.from(line).slice(0, limit).join('');
}

module.exports = { Room };
