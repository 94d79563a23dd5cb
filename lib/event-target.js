'use strict';

/** Marks the wrapper that `addEventListener` puts around a handler. */
const kHandler = Symbol('handler');
const kIsAttribute = Symbol('isAttribute');
const kTarget = Symbol('target');
const kType = Symbol('type');

/** The part of the DOM's `Event` that ws offers. */
class Event {
  constructor(type) {
    this[kTarget] = null;
    this[kType] = type;
  }

  get target() {
    return this[kTarget];
  }

  get type() {
    return this[kType];
  }
}

class CloseEvent extends Event {
  #code;
  #reason;
  #wasClean;

  constructor(type, options = {}) {
    super(type);
    this.#code = options.code === undefined ? 0 : options.code;
    this.#reason = options.reason === undefined ? '' : options.reason;
    this.#wasClean = options.wasClean === undefined ? false : options.wasClean;
  }

  get code() {
    return this.#code;
  }

  get reason() {
    return this.#reason;
  }

  get wasClean() {
    return this.#wasClean;
  }
}

class ErrorEvent extends Event {
  #error;
  #message;

  constructor(type, options = {}) {
    super(type);
    this.#error = options.error === undefined ? null : options.error;
    this.#message = options.message === undefined ? '' : options.message;
  }

  get error() {
    return this.#error;
  }

  get message() {
    return this.#message;
  }
}

class MessageEvent extends Event {
  #data;

  constructor(type, options = {}) {
    super(type);
    this.#data = options.data === undefined ? null : options.data;
  }

  get data() {
    return this.#data;
  }
}

for (const [owner, names] of [
  [Event, ['target', 'type']],
  [CloseEvent, ['code', 'reason', 'wasClean']],
  [ErrorEvent, ['error', 'message']],
  [MessageEvent, ['data']]
]) {
  for (const name of names) Object.defineProperty(owner.prototype, name, { enumerable: true });
}

/** For each type: the emitter's arguments as an event. */
const makers = {
  message: (target, data, isBinary) =>
    new MessageEvent('message', { data: isBinary ? data : data.toString() }),
  close: (target, code, reason) =>
    new CloseEvent('close', {
      code,
      reason: reason.toString(),
      wasClean: target._closeFrameReceived && target._closeFrameSent
    }),
  error: (target, error) => new ErrorEvent('error', { error, message: error.message }),
  open: () => new Event('open')
};

/** `EventTarget`'s way to listen, for the WebSocket class. */
const EventTarget = {
  /**
   * @param {string} type `open`, `message`, `close` or `error`; others are ignored
   * @param {Function|{ handleEvent: Function }} handler the same one twice counts once
   * @param {{ once?: boolean }} [options]
   */
  addEventListener(type, handler, options = {}) {
    for (const listener of this.listeners(type)) {
      if (listener[kHandler] === handler && !listener[kIsAttribute] && !options[kIsAttribute]) {
        return;
      }
    }
    if (!Object.hasOwn(makers, type)) return;
    const make = makers[type];
    const wrapper = function (...args) {
      const event = make(this, ...args);
      event[kTarget] = this;
      if (typeof handler === 'object' && handler.handleEvent) handler.handleEvent(event);
      else handler.call(this, event);
    };
    wrapper[kIsAttribute] = !!options[kIsAttribute];
    wrapper[kHandler] = handler;
    if (options.once) this.once(type, wrapper);
    else this.on(type, wrapper);
  },

  removeEventListener(type, handler) {
    for (const listener of this.listeners(type)) {
      if (listener[kHandler] === handler && !listener[kIsAttribute]) {
        this.removeListener(type, listener);
        break;
      }
    }
  }
};

/** Defines `onopen`, `onmessage`, `onclose` and `onerror` on `prototype`. */
function defineAttributes(prototype) {
  for (const type of ['open', 'error', 'close', 'message']) {
    Object.defineProperty(prototype, `on${type}`, {
      enumerable: true,
      get() {
        for (const listener of this.listeners(type)) {
          if (listener[kIsAttribute]) return listener[kHandler];
        }
        return null;
      },
      set(handler) {
        for (const listener of this.listeners(type)) {
          if (listener[kIsAttribute]) {
            this.removeListener(type, listener);
            break;
          }
        }
        if (typeof handler !== 'function') return;
        this.addEventListener(type, handler, { [kIsAttribute]: true });
      }
    });
  }
}

module.exports = { EventTarget, defineAttributes };
