import { Chart } from './chart.js';

const PING_INTERVAL_MS = 250;
const SAMPLES = 240; // one minute at four a second
const MAX_LINES = 200;
const MAX_RETRY_MS = 8000;

const $ = (selector) => document.querySelector(selector);
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

const count = (value) => number.format(value);
const short = (value) => compact.format(value);
const ms = (value) => (value === null ? '–' : `${value.toFixed(value < 10 ? 2 : 0)} ms`);
const us = (value) => (value === null ? '–' : `${value.toFixed(2)} µs`);

const figures = {
  messages: makeFigure('messages', ['--first'], { format: short, floor: 10 }),
  cpu: makeFigure('cpu', ['--first', '--second'], { format: short, floor: 100 }),
  roundTrip: makeFigure('roundTrip', ['--first', '--second'], { format: short, floor: 1 }),
  connections: makeFigure('connections', ['--first'], { format: short, floor: 10 })
};

let ws;
let retryMs = 500;
let lastRoundTrip = null;
let isLoadRunning = false;
let name = sessionStorage.getItem('name');

$('#name-form').elements.name.value = name ?? `guest-${Math.floor(Math.random() * 1000)}`;
$('#name-form').addEventListener('submit', onName);
$('#say-form').addEventListener('submit', onSay);
$('#load-form').addEventListener('submit', onLoad);
setInterval(ping, PING_INTERVAL_MS);
connect();

function connect() {
  showStatus('connecting');
  ws = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/chat`);
  ws.addEventListener('open', onOpen);
  ws.addEventListener('message', onMessage);
  ws.addEventListener('close', onClose);
}

function onOpen() {
  retryMs = 500;
  showStatus('connected');
  if (name) send({ type: 'join', name });
}

function onMessage(event) {
  const message = JSON.parse(event.data);
  handlers[message.type](message);
}

function onClose(event) {
  lastRoundTrip = null;
  $('#say-form button').disabled = true;
  showStatus('disconnected', event.reason);
  setTimeout(connect, retryMs);
  retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
}

function send(message) {
  if (ws.readyState === WebSocket.OPEN) ws.send(JSON.stringify(message));
}

function ping() {
  send({ type: 'ping', at: performance.now() });
}

const handlers = {
  pong({ at }) {
    lastRoundTrip = performance.now() - at;
  },

  stats(stats) {
    const { load } = stats;
    show('messages', [stats.messagesPerSecond], `${count(stats.messagesPerSecond)} per second`, [
      ['--first', 'received by the server']
    ]);
    show(
      'cpu',
      [stats.jsMsPerSecond, stats.cpuMsPerSecond],
      `${count(stats.jsMsPerSecond)} ms per second`,
      [
        ['--first', `JS thread: ${us(stats.jsUsPerMessage)} per message`],
        ['--second', `whole process: ${us(stats.cpuUsPerMessage)}`]
      ]
    );
    show('roundTrip', [lastRoundTrip, load?.p50 ?? null], ms(lastRoundTrip), [
      ['--first', 'this page, ms'],
      ['--second', `simulated clients: median ${ms(load?.p50 ?? null)}`]
    ]);
    show('connections', [stats.connections], count(stats.connections), [
      ['--first', 'open on the server']
    ]);
    showLoad(load);
  },

  welcome(message) {
    name = message.name;
    sessionStorage.setItem('name', name);
    $('#name-form').elements.name.value = name;
    $('#name-form button').textContent = 'Rename';
    $('#say-form button').disabled = false;
    if (!message.isRename) $('#lines').replaceChildren();
    message.history.forEach(handlers.said);
  },

  said(message) {
    const time = new Date(message.time).toTimeString().slice(0, 5);
    addLine('said', [
      ['time', time],
      ['b', message.name],
      ['span', message.text]
    ]);
  },

  notice({ text, people }) {
    addLine('notice', [['span', text]]);
    $('#people').textContent = people.length === 1 ? '1 person' : `${people.length} people`;
    $('#people').title = people.join(', ');
  },

  refused({ text }) {
    addLine('refused', [['span', text]]);
  }
};

function onName(event) {
  event.preventDefault();
  send({ type: 'join', name: event.target.elements.name.value });
}

function onSay(event) {
  event.preventDefault();
  const input = event.target.elements.text;
  send({ type: 'say', text: input.value });
  input.value = '';
}

function onLoad(event) {
  event.preventDefault();
  if (isLoadRunning) {
    send({ type: 'load-stop' });
    return;
  }
  const { clients, size, burst } = event.target.elements;
  send({
    type: 'load-start',
    clients: clients.valueAsNumber,
    size: size.valueAsNumber,
    burst: burst.valueAsNumber
  });
}

/** What others wrote is shown as text, never as markup. */
function addLine(kind, parts) {
  const lines = $('#lines');
  const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
  const line = document.createElement('li');
  line.className = kind;
  for (const [tag, text] of parts) {
    const element = document.createElement(tag);
    element.textContent = text;
    line.append(element, ' ');
  }
  lines.append(line);
  while (lines.children.length > MAX_LINES) lines.firstElementChild.remove();
  if (isAtEnd) lines.scrollTop = lines.scrollHeight;
}

function showStatus(state, detail) {
  const status = $('#status');
  status.dataset.state = state;
  status.textContent = detail ? `${state}: ${detail}` : state;
}

function showLoad(load) {
  isLoadRunning = load !== null;
  $('#load-button').textContent = isLoadRunning ? 'Stop' : 'Start';
  for (const input of document.querySelectorAll('#load-form input')) {
    input.disabled = isLoadRunning;
    if (isLoadRunning) input.value = load[input.name];
  }
  $('#load-status').textContent = isLoadRunning
    ? `${load.connected ?? 0} of ${load.clients} connected, ${load.secondsLeft} s left`
    : 'They stop by themselves after 60 seconds.';
}

function makeFigure(key, colors, options) {
  const figure = $(`[data-chart="${key}"]`);
  return {
    chart: new Chart(figure.querySelector('canvas'), colors, { capacity: SAMPLES, ...options }),
    value: figure.querySelector('b'),
    legend: figure.querySelector('p')
  };
}

function show(key, values, text, legend) {
  const figure = figures[key];
  figure.chart.push(values);
  figure.value.textContent = text;
  figure.legend.replaceChildren(
    ...legend.map(([color, label]) => {
      const item = document.createElement('span');
      item.style.setProperty('--mark', `var(${color})`);
      item.textContent = label;
      return item;
    })
  );
}
